// Every case file, every example of the manual and every shipped example, run in virtual
// time; and once more, each task going on from its saved state before every message.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "config/cases.h"
#include "config/config.h"
#include "pipelines/codecs/codecs.h"
#include "pipelines/plan/registry.h"

namespace runnel {
namespace {

namespace fs = std::filesystem;

const Registry& All() {
  static const Registry registry = [] {
    Registry all;
    RegisterAll(all);
    return all;
  }();
  return registry;
}

std::string Text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<fs::path> YamlFiles(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Runs the tests of one file both ways; how many there were. `name` is a path where the
// file names others.
std::size_t RunAll(const std::string& text, const std::string& name, const std::string& how = "") {
  Diagnostics diagnostics;
  diagnostics.AddSource(name, text);
  const std::optional<PipelineFile> file = ReadPipeline(text, name, {}, {}, diagnostics);
  if (!file.has_value()) {
    ADD_FAILURE() << diagnostics.Format();
    return 0;
  }
  const auto plan = CompilePlan(file->root, "case", All(), {}, diagnostics);
  const std::optional<std::vector<Case>> cases = ReadCases(file->root, diagnostics);
  if (plan == nullptr || !cases.has_value()) {
    ADD_FAILURE() << name << "\n" << diagnostics.Format();
    return 0;
  }
  for (const Case& test : *cases) {
    CaseOptions options;
    options.state_bytes = 512 << 10;
    const CaseReport report = RunCase(*plan, test, options);
    EXPECT_TRUE(report.passed) << name << how << ": " << test.name << "\n" << report.difference;
    options.reload = true;
    const CaseReport again = RunCase(*plan, test, options);
    EXPECT_TRUE(again.passed) << name << how << ", from saved state: " << test.name << "\n"
                              << again.difference;
  }
  return cases->size();
}

// The same with so many partitions, where the file does not say how many.
void RunWithPartitions(const std::string& text, const std::string& name, int partitions) {
  if (text.find("partitions:") != std::string::npos) return;
  RunAll("partitions: " + std::to_string(partitions) + "\n" + text, name,
         " with " + std::to_string(partitions) + " partitions");
}

std::string WithEnds(const std::string& steps) {
  return "source: { mqtt: { topic: \"in/{device}\" } }\n" + steps +
         (steps.find("sink:") == std::string::npos ? "sink: { mqtt: { topic: \"out/{device}\" } }\n"
                                                   : "");
}

TEST(Cases, Files) {
  for (const fs::path& path : YamlFiles(RUNNEL_CASES)) {
    EXPECT_GT(RunAll(Text(path), path), 0u) << path;
  }
}

// One task that sees all keys, or several that see some: every key has the same results.
TEST(Cases, FilesWithAnyNumberOfPartitions) {
  for (const fs::path& path : YamlFiles(RUNNEL_CASES)) {
    for (const int partitions : {1, 2, 3, 8}) {
      RunWithPartitions(Text(path), path, partitions);
    }
  }
}

TEST(Cases, ShippedExamples) {
  for (const fs::path& path : YamlFiles(RUNNEL_EXAMPLES)) {
    EXPECT_GT(RunAll(Text(path), path), 0u) << path;
  }
}

TEST(Cases, OperatorsOfTheManual) {
  for (const std::string_view name : All().OperatorNames()) {
    const OperatorSpec& spec = *All().FindOperator(name);
    EXPECT_GT(RunAll(WithEnds(std::string(spec.example)), std::string(name)), 0u) << name;
    for (const std::string_view example : spec.more_examples) {
      EXPECT_GT(RunAll(WithEnds(std::string(example)), std::string(name)), 0u) << name << "\n"
                                                                               << example;
    }
  }
}

TEST(Cases, AggregatesOfTheManual) {
  for (const std::string_view name : All().AggregateNames()) {
    const AggregateSpec& spec = *All().FindAggregate(name);
    std::string sends;
    std::string records(spec.example_records);
    ASSERT_TRUE(records.starts_with("[{") && records.ends_with("}]")) << name;
    records = records.substr(1, records.size() - 2);
    int second = 0;
    for (std::size_t begin = 0; begin < records.size(); ++second) {
      std::size_t end = records.find("}, {", begin);
      end = end == std::string::npos ? records.size() : end + 1;
      const std::string fields = records.substr(begin + 1, end - begin - 1);
      sends += "      - { topic: in/a, at: " + std::to_string(second) +
               "s, json: {\"ts\": " + std::to_string(1'700'000'000 + second) + ", " + fields +
               " }\n";
      begin = end + 2;
    }
    const std::string text = WithEnds(
        "timestamp: { field: ts, unit: s }\nsteps:\n  - window: { tumbling: 10s, key: device, "
        "aggregate: { result: \"" +
        std::string(spec.example) + "\" } }\ntests:\n  - send:\n" + sends +
        "    expect:\n      - { topic: out/a, json: { result: " + std::string(spec.example_result) +
        " } }\n");
    EXPECT_EQ(RunAll(text, std::string(name)), 1u) << name << "\n" << text;
  }
}

// "Adding one is one file, one line and one case file."
TEST(Cases, EveryComponentHasACaseFile) {
  std::set<std::string> files;
  for (const fs::path& path : YamlFiles(RUNNEL_CASES)) {
    files.insert(path.parent_path().filename().string() + "/" + path.stem().string());
  }
  for (const std::string_view name : All().OperatorNames()) {
    if (name == "window") continue;  // windows/ has a file for each kind
    EXPECT_TRUE(files.contains("operators/" + std::string(name))) << name;
  }
  for (const std::string_view name : All().AggregateNames()) {
    EXPECT_TRUE(files.contains("aggregates/" + std::string(name))) << name;
  }
  for (const Codec& codec : Codecs()) {
    EXPECT_TRUE(files.contains("codecs/" + std::string(codec.name))) << codec.name;
  }
  for (const char* kind : {"tumbling", "hopping", "sliding", "session", "count", "global"}) {
    EXPECT_TRUE(files.contains("windows/" + std::string(kind))) << kind;
  }
}

}  // namespace
}  // namespace runnel

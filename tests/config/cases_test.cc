// Runs cases/*.txt: a configuration, and all that is printed about it.
//
//   === an unknown option has a hint
//   brokers: { local: { ulr: mqtt://a } }
//   --- prints
//   t.yaml:1:21: error: …
//
// The file's name says how the text is read. RUNNEL_UPDATE_CASES=1 writes what is
// printed now into the files, to be reviewed.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "config/config.h"
#include "pipelines/plan/plan.h"
#include "pipelines/plan/registry.h"
#include "pipelines/spec/schema.h"

namespace runnel {
namespace {

using namespace std::chrono_literals;

struct Case {
  std::string name;
  std::string text;
  std::string prints;
};

enum class Policy { kBlock, kDropNewest };

struct Inner {
  std::string field;
  std::int64_t weight = 1;
  static void Describe(Schema<Inner>& schema) {
    schema.Shorthand("field");
    schema.Required("field", &Inner::field, "Name.").NotEmpty();
    schema.Optional("weight", &Inner::weight, "Weight.").AtLeast(1);
  }
};

// One option of each type.
struct Sample {
  Duration per{};
  bool keep = false;
  std::int64_t count = 1;
  double ratio = 0.5;
  std::string topic = "a/b";
  ByteSize size = KiB(64);
  Policy overload = Policy::kBlock;
  std::vector<std::string> fields;
  std::vector<std::int64_t> numbers;
  std::vector<std::pair<std::string, Duration>> waits;
  std::vector<std::pair<std::string, Inner>> inners;
  std::optional<Inner> inner;
  std::optional<Duration> lateness;
  std::int64_t workers = -1;
  Node any;

  static void Describe(Schema<Sample>& schema) {
    schema.Required("per", &Sample::per, "Length.").AtLeast(1ms).Example("10s");
    schema.Optional("keep", &Sample::keep, "Keep.");
    schema.Optional("count", &Sample::count, "Count.").Between(1, 1'000'000);
    schema.Optional("ratio", &Sample::ratio, "Ratio.").Between(0, 1);
    schema.Optional("topic", &Sample::topic, "Topic.").NotEmpty();
    schema.Optional("size", &Sample::size, "Size.").Between(KiB(1), MiB(1));
    schema.Optional("overload", &Sample::overload, "Policy.")
        .OneOf({{"block", Policy::kBlock}, {"drop_newest", Policy::kDropNewest}});
    schema.Optional("fields", &Sample::fields, "Fields.").OrSingle();
    schema.Optional("numbers", &Sample::numbers, "Numbers.").AtMost(9);
    schema.Optional("waits", &Sample::waits, "Waits.");
    schema.Optional("inners", &Sample::inners, "Inners.");
    schema.Optional("inner", &Sample::inner, "Inner.");
    schema.Optional("lateness", &Sample::lateness, "Lateness.");
    schema.Optional("workers", &Sample::workers, "Workers.").Between(0, 64).Or("auto", -1);
    schema.Optional("any", &Sample::any, "Any.");
  }
};

Environment TestEnvironment() {
  Environment environment;
  environment.variable = [](const std::string& name) -> std::optional<std::string> {
    if (name == "PORT") return "1883";
    if (name == "HOST") return "broker.example";
    if (name == "EMPTY") return "";
    if (name == "YES") return "yes";
    if (name == "INJECT") return "a\nstate: /evil";
    return std::nullopt;
  };
  environment.credential = [](const std::string& name) -> Result<std::string> {
    if (name == "upstream") return std::string("hunter2");
    return Error{ErrorKind::kFix, "no such file or directory"};
  };
  return environment;
}

std::string Print(const std::string& kind, const std::string& text) {
  Diagnostics diagnostics;
  const Environment environment = TestEnvironment();
  if (kind == "steps") {
    const std::string whole =
        text + "source: { mqtt: { topic: \"in/{device}\" } }\nsink: { mqtt: { topic: out } }\n";
    diagnostics.AddSource("t.yaml", whole);
    const auto file = ReadPipeline(whole, "t.yaml", environment, {}, diagnostics);
    Registry registry;
    RegisterAll(registry);
    if (file.has_value()) CompilePlan(file->root, file->name, registry, {}, diagnostics);
    return diagnostics.Format();
  }
  if (kind == "pipeline") {
    ReadPipeline(text, "t.yaml", environment, {}, diagnostics);
    return diagnostics.Format();
  }
  std::optional<Node> root = ParseYaml(text, "t.yaml", {}, diagnostics);
  const bool ok = root && Substitute(*root, environment, Credentials::kAllowed, diagnostics);
  if (ok && kind == "device") ReadDeviceConfig(*root, diagnostics);
  if (ok && kind == "options") {
    const bool read = Read<Sample>(*root, "sample", diagnostics).has_value();
    EXPECT_EQ(read, !diagnostics.has_errors());
  }
  return diagnostics.Format();
}

std::vector<Case> Load(const std::string& path) {
  std::ifstream file(path);
  std::vector<Case> cases;
  std::string line;
  bool prints = false;
  while (std::getline(file, line)) {
    if (line.starts_with("=== ")) {
      cases.push_back({line.substr(4), {}, {}});
      prints = false;
    } else if (line == "--- prints") {
      prints = true;
    } else if (!cases.empty()) {
      (prints ? cases.back().prints : cases.back().text).append(line).append("\n");
    }
  }
  return cases;
}

class Cases : public testing::TestWithParam<std::string> {};

TEST_P(Cases, PrintWhatTheySay) {
  const std::string path = std::string(RUNNEL_CONFIG_CASES "/") + GetParam() + ".txt";
  std::vector<Case> cases = Load(path);
  ASSERT_FALSE(cases.empty()) << path;
  const bool update = std::getenv("RUNNEL_UPDATE_CASES") != nullptr;
  for (Case& one : cases) {
    const std::string printed = Print(GetParam(), one.text);
    if (update) {
      one.prints = printed;
    } else {
      EXPECT_EQ(printed, one.prints) << one.name << "\n" << one.text;
    }
  }
  if (!update) return;
  std::ofstream file(path);
  for (const Case& one : cases) {
    file << "=== " << one.name << "\n" << one.text << "--- prints\n" << one.prints;
  }
}

INSTANTIATE_TEST_SUITE_P(Config, Cases,
                         testing::Values("yaml", "options", "device", "pipeline", "steps"),
                         [](const auto& given) { return given.param; });

}  // namespace
}  // namespace runnel

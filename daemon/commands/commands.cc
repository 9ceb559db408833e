#include "daemon/commands/commands.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "config/cases.h"
#include "daemon/batch/prepare.h"
#include "daemon/commands/executables.h"
#include "daemon/commands/explain.h"
#include "daemon/commands/load.h"
#include "daemon/journal/pipeline_report.h"
#include "daemon/posix/process.h"
#include "daemon/service/app.h"

namespace runnel {
namespace {

namespace fs = std::filesystem;

constexpr int kFailed = 1;
constexpr int kWrong = 2;

void Print(std::FILE* stream, const std::string& text) { std::fputs(text.c_str(), stream); }

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::optional<Loaded> LoadOrPrint(const CommandLine& line) {
  Diagnostics diagnostics;
  std::optional<Loaded> loaded = LoadAll(line, diagnostics);
  Print(stderr, diagnostics.Format());
  return loaded;
}

// How each pipeline would go over files.
std::optional<std::string> ExplainBatch(const Loaded& loaded, Diagnostics& diagnostics) {
  Registry registry;
  RegisterAll(registry);
  std::string text;
  for (const PipelineFile& file : loaded.files) {
    const std::unique_ptr<const BatchPlan> plan = PlanForFiles(file, registry, diagnostics);
    if (plan == nullptr) return std::nullopt;
    text += "pipeline " + file.name + " over files\n" + plan->Explain();
  }
  return text;
}

// Whether one of the words on the command line means the folder of a pipeline: its name, or its
// file, and also the tasks of it that were set aside. No words mean all.
bool IsMeant(const std::vector<std::string>& words, const std::string& folder,
             std::vector<bool>& found) {
  bool meant = words.empty();
  for (std::size_t i = 0; i < words.size(); ++i) {
    const fs::path path(words[i]);
    const std::string name = path.extension() == ".yaml" ? path.stem() : path;
    if (folder != name && folder.substr(0, folder.find('@')) != name) continue;
    meant = found[i] = true;
  }
  return meant;
}

// The reports of all pipelines whose journals lie below `runtime`, by name.
std::map<std::string, PipelineReport> ReadReports(const std::string& runtime,
                                                  std::string& problem) {
  std::map<std::string, PipelineReport> reports;
  std::error_code error;
  if (!fs::exists(runtime + "/tasks", error)) {
    problem = "no daemon has run with `runtime: " + runtime +
              "`\n  hint: give its configuration with `-c FILE`";
    return reports;
  }
  for (const auto& pipeline : fs::directory_iterator(runtime + "/tasks", error)) {
    reports[pipeline.path().filename()] = ReadPipelineReport(pipeline.path(), problem);
  }
  if (error) problem = "`" + runtime + "/tasks`: " + error.message();
  return reports;
}

}  // namespace

int RunCommand(const CommandLine& line) {
  std::optional<Loaded> loaded = LoadOrPrint(line);
  if (!loaded.has_value()) return kWrong;
  const bool journald = !Variable("JOURNAL_STREAM").empty() && isatty(STDERR_FILENO) == 0;
  Log log(journald ? Log::Style::kJournald : Log::Style::kPlain);
  if (loaded->pipelines.empty()) log.Warn("there is no pipeline to run");
  App::Options options;
  options.device = std::move(loaded->device);
  options.pipelines = std::move(loaded->pipelines);
  options.files = std::move(loaded->files);
  options.worker_executable = FindExecutable("runnel-worker");
  options.uplink_executable = FindExecutable("runnel-uplink");
  options.notify_socket = Variable("NOTIFY_SOCKET");
  options.watchdog_usec = Variable("WATCHDOG_USEC");
#ifdef RUNNEL_TEST_HOOKS
  options.poison_text = Variable("RUNNEL_TEST_POISON");
#endif
  RaiseFileLimit();
  IgnoreStraySignals();
  App app(std::move(options), log);
  return app.Run();
}

int CheckCommand(const CommandLine& line) {
  Diagnostics diagnostics;
  const std::optional<Loaded> loaded = LoadAll(line, diagnostics);
  bool tests_are_right = true;
  for (const PipelineFile& file :
       loaded.has_value() ? loaded->files : std::vector<PipelineFile>()) {
    tests_are_right &= ReadCases(file.root, diagnostics).has_value();
  }
  Print(stderr, diagnostics.Format());
  if (!loaded.has_value() || !tests_are_right) return kWrong;
  const std::size_t count = loaded->pipelines.size();
  Print(stdout, "ok: " + std::to_string(count) + (count == 1 ? " pipeline\n" : " pipelines\n"));
  return 0;
}

int ExplainCommand(const CommandLine& line) {
  Diagnostics diagnostics;
  const std::optional<Loaded> loaded = LoadAll(line, diagnostics);
  std::optional<std::string> batch;
  if (loaded.has_value() && line.batch) batch = ExplainBatch(*loaded, diagnostics);
  Print(stderr, diagnostics.Format());
  if (!loaded.has_value() || (line.batch && !batch.has_value())) return kWrong;
  std::string text = ExplainDevice(loaded->device, loaded->pipelines);
  if (batch.has_value()) text += "\n" + *batch;
  Print(stdout, text);
  return 0;
}

int StatusCommand(const CommandLine& line) {
  Diagnostics diagnostics;
  const std::optional<DeviceConfig> device = LoadDevice(line, diagnostics);
  Print(stderr, diagnostics.Format());
  if (!device.has_value()) return kWrong;
  std::string problem;
  const std::map<std::string, PipelineReport> reports = ReadReports(device->runtime, problem);
  if (!problem.empty()) Print(stderr, "error: " + problem + "\n");
  std::string text = line.json ? "{\"pipelines\":[" : "";
  bool first = true;
  std::vector<bool> found(line.pipelines.size());
  for (const auto& [name, report] : reports) {
    if (!IsMeant(line.pipelines, name, found)) continue;
    if (line.json) {
      text += (first ? "" : ",") + report.Json();
    } else {
      text += name + ": " + report.Line() + "\n";
    }
    first = false;
  }
  Print(stdout, text + (line.json ? "]}\n" : ""));
  bool all_are_there = problem.empty();
  for (std::size_t i = 0; i < found.size() && all_are_there; ++i) {
    if (found[i]) continue;
    Print(stderr, "error: no pipeline `" + line.pipelines[i] + "` has run here\n");
    all_are_there = false;
  }
  return all_are_there ? 0 : kFailed;
}

}  // namespace runnel

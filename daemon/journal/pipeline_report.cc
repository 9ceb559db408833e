#include "daemon/journal/pipeline_report.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "daemon/journal/ended_tasks.h"

namespace runnel {
namespace {

namespace fs = std::filesystem;

struct NamedCount {
  const char* name;
  std::uint64_t count;
};

// Of the tasks that are there, and of those that have ended: `ended` as it was before.
PipelineReport ReadTasks(const std::string& folder, const EndedTasks& ended, std::string& problem) {
  const std::string name = fs::path(folder).filename();
  std::vector<TaskId> tasks;
  std::uint32_t last_stage = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    std::optional<TaskId> id = ParseTaskId(name, entry.path().filename().string());
    // Without `in` a task is on its way out.
    if (!id.has_value() || !fs::exists(entry.path() / "in", error)) continue;
    last_stage = std::max(last_stage, id->stage);
    tasks.push_back(std::move(*id));
  }
  if (error) problem = "`" + folder + "`: " + error.message();
  PipelineReport report;
  report.name = name;
  bool last_is_there = false;
  bool waits = false;
  bool is_held_up = false;  // by the reader of its outputs
  for (const TaskId& id : tasks) {
    const std::string path = folder + "/" + id.FolderInPipeline();
    const Result<TaskReport> read = ReadTaskReport(path);
    if (!read.ok()) {
      if (fs::exists(path + "/in", error)) problem = read.error().message;
      continue;
    }
    last_is_there |= ended.IsLast(id, read.value().incarnation);
    report.Add(read.value(), id.stage == 0, id.stage == last_stage);
    report.waited += read.value().waited;
    waits |= read.value().waits;
    is_held_up |= id.stage == last_stage && read.value().waits_for_reader;
  }
  if (waits) report.waits_for = is_held_up ? WaitsFor::kUpstream : WaitsFor::kWorkers;
  report.Add(last_is_there ? ended.before_last : ended.all);
  return report;
}

}  // namespace

PipelineReport ReadPipelineReport(const std::string& folder, std::string& problem) {
  constexpr int kTries = 8;  // tasks end one by one, and not that fast
  for (int tries = 1;; ++tries) {
    const Result<EndedTasks> ended = ReadEndedTasks(folder);
    std::string wrong;
    PipelineReport report = ReadTasks(folder, ended.ok() ? ended.value() : EndedTasks{}, wrong);
    const Result<EndedTasks> now = ReadEndedTasks(folder);
    if (tries < kTries && ended.ok() && now.ok() &&
        std::memcmp(&ended.value(), &now.value(), sizeof(EndedTasks)) != 0) {
      continue;
    }
    if (!ended.ok()) wrong = ended.error().message;
    if (!wrong.empty()) problem = wrong;
    return report;
  }
}

void PipelineCounts::Add(const TaskReport& task, bool first_stage, bool last_stage) {
  const Ledger& ledger = task.ledger;
  if (first_stage) {
    messages += ledger.messages;
    records += ledger.received;
  } else {
    taken_on += ledger.received + ledger.results_received;
  }
  if (last_stage) {
    passed += ledger.passed;
  } else {
    sent_on += ledger.passed + ledger.results_passed;
  }
  received += task.received;
  redelivered += task.redelivered;
  overload_dropped += task.overload_dropped;
  filtered += ledger.filtered;
  absorbed += ledger.absorbed;
  late += ledger.late;
  dropped += ledger.dropped;
  dead_lettered += ledger.dead_lettered;
  results += ledger.results;
  results_filtered += ledger.results_filtered;
  results_absorbed += ledger.results_absorbed;
  results_dead_lettered += ledger.results_dead_lettered;
  published += task.published;
  rejected += task.rejected;
  states_lost += task.states_lost;
}

void PipelineCounts::Add(const PipelineCounts& other) {
  constexpr std::size_t kCounts = sizeof(PipelineCounts) / sizeof(std::uint64_t);
  std::array<std::uint64_t, kCounts> sum;
  std::array<std::uint64_t, kCounts> more;
  std::memcpy(sum.data(), this, sizeof sum);
  std::memcpy(more.data(), &other, sizeof more);
  for (std::size_t i = 0; i < kCounts; ++i) sum[i] += more[i];
  std::memcpy(this, sum.data(), sizeof sum);
}

std::string PipelineReport::Line() const {
  const NamedCount always[] = {{"received", received},
                               {"filtered", filtered},
                               {"aggregated", absorbed},
                               {"results", results},
                               {"published", published}};
  // In most pipelines a message is a record.
  const NamedCount if_any[] = {{"records", records == messages ? 0 : records},
                               {"passed", passed},
                               {"results filtered", results_filtered},
                               {"results aggregated", results_absorbed},
                               {"late", late},
                               {"dropped", dropped},
                               {"dead-lettered", dead_lettered + results_dead_lettered},
                               {"rejected", rejected},
                               {"redelivered", redelivered},
                               {"dropped by overload", overload_dropped},
                               {"states lost", states_lost},
                               {"in flight", in_flight()}};
  std::string line;
  const auto add = [&line](const NamedCount& named) {
    if (!line.empty()) line += "  ";
    line += named.name;
    line += ' ';
    line += std::to_string(named.count);
  };
  for (const NamedCount& named : always) add(named);
  for (const NamedCount& named : if_any) {
    if (named.count != 0) add(named);
  }
  if (waited >= std::chrono::seconds(1)) {
    line += "  waited " + FormatDuration(std::chrono::floor<std::chrono::seconds>(waited));
  }
  if (waits_for == WaitsFor::kUpstream) line += "  waits for upstream";
  if (waits_for == WaitsFor::kWorkers) line += "  waits for its workers";
  return line;
}

std::string PipelineReport::Json() const {
  const NamedCount counts[] = {{"received", received},
                               {"records", records},
                               {"redelivered", redelivered},
                               {"overload_dropped", overload_dropped},
                               {"filtered", filtered},
                               {"absorbed", absorbed},
                               {"passed", passed},
                               {"late", late},
                               {"dropped", dropped},
                               {"dead_lettered", dead_lettered},
                               {"in_flight", in_flight()},
                               {"results", results},
                               {"results_filtered", results_filtered},
                               {"results_absorbed", results_absorbed},
                               {"results_dead_lettered", results_dead_lettered},
                               {"published", published},
                               {"rejected", rejected},
                               {"states_lost", states_lost}};
  std::string json = "{\"name\":\"" + name + "\"";
  for (const NamedCount& count : counts) {
    json += std::string(",\"") + count.name + "\":" + std::to_string(count.count);
  }
  const char* const reason = waits_for == WaitsFor::kUpstream  ? "\"upstream\""
                             : waits_for == WaitsFor::kWorkers ? "\"workers\""
                                                               : "null";
  return json + ",\"waited_ms\":" + std::to_string(waited / std::chrono::milliseconds(1)) +
         ",\"waits_for\":" + reason + "}";
}

}  // namespace runnel

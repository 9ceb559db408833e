#include "daemon/journal/task_report.h"

#include <fcntl.h>

#include "daemon/posix/files.h"
#include "daemon/posix/mapping.h"

namespace runnel {
namespace {

// The page at the beginning of one file.
Result<Mapping> MapPage(const std::string& path, FileKind kind, std::size_t bytes) {
  const Result<Fd> fd = OpenFile(path, O_RDONLY);
  if (!fd.ok()) return fd.error();
  Result<FileHeader> header = ReadFileHeader(fd.value().get(), kind);
  if (!header.ok()) return std::move(header.error()).In("`" + path + "`");
  return Mapping::Map(fd.value().get(), 0, RoundToPage(bytes), Access::kRead);
}

struct NamedCount {
  const char* name;
  std::uint64_t count;
};

}  // namespace

Result<TaskReport> ReadTaskReport(const std::string& folder) {
  const Result<Mapping> in = MapPage(folder + "/in", FileKind::kIn, sizeof(InPage));
  if (!in.ok()) return in.error();
  const Result<Mapping> work = MapPage(folder + "/work", FileKind::kWork, sizeof(WorkPage));
  if (!work.ok()) return work.error();
  const Result<Mapping> settle = MapPage(folder + "/settle", FileKind::kSettle, sizeof(SettlePage));
  if (!settle.ok()) return settle.error();
  const auto& in_page = *reinterpret_cast<const InPage*>(in.value().data());
  // The checkpoint first: what it counts was received before.
  const auto& work_page = *reinterpret_cast<const WorkPage*>(work.value().data());
  const CheckpointSlot checkpoint = CurrentCheckpoint(work_page);
  const SettleState& settled =
      CurrentState(*reinterpret_cast<const SettlePage*>(settle.value().data()));
  TaskReport report;
  report.received = in_page.received;
  report.redelivered = in_page.redelivered;
  report.overload_dropped = in_page.overload_dropped;
  report.ledger = checkpoint.ledger;
  report.states_lost = checkpoint.states_lost;
  report.published = settled.published;
  report.rejected = settled.rejected;
  report.dead_letters = settled.dead_letters;
  report.unsettled = work_page.out_head.load(std::memory_order_acquire) - settled.settled;
  report.plan_fingerprint = in_page.plan_fingerprint;
  report.quiet = report.unsettled == 0 &&
                 checkpoint.in_position == in_page.head.load(std::memory_order_acquire) &&
                 checkpoint.number == work_page.quiet.load(std::memory_order_acquire);
  return report;
}

void PipelineReport::Add(const TaskReport& task, bool first_stage, bool last_stage) {
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
  return json + "}";
}

}  // namespace runnel

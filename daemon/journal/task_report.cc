#include "daemon/journal/task_report.h"

#include <fcntl.h>

#include "daemon/journal/in_journal.h"
#include "daemon/posix/clock.h"
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
  report.waited = WaitedIn(in_page, CoarseWallClock());
  report.waits = in_page.waits_since.load(std::memory_order_relaxed) != 0;
  report.waits_for_reader = work_page.waits_for_room.load(std::memory_order_relaxed) != 0;
  report.ledger = checkpoint.ledger;
  report.states_lost = checkpoint.states_lost;
  report.published = settled.published;
  report.rejected = settled.rejected;
  report.dead_letters = settled.dead_letters;
  report.unsettled = work_page.out_head.load(std::memory_order_acquire) - settled.settled;
  report.plan_fingerprint = in_page.plan_fingerprint;
  report.incarnation = in_page.header.incarnation;
  report.quiet = report.unsettled == 0 &&
                 checkpoint.in_position == in_page.head.load(std::memory_order_acquire) &&
                 checkpoint.number == work_page.quiet.load(std::memory_order_acquire);
  return report;
}

}  // namespace runnel

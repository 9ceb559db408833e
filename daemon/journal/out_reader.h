// OutReader: the reading end of a task's outputs, for the uplink and the exchange.
//
// Reads what a worker has written, in order, without believing it, and settles: the
// worker may reuse the room of outputs that are settled, and a restarted reader goes
// on behind them. Outputs settle in order; who publishes several at a time calls
// Settle for the oldest ones.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "daemon/journal/ring.h"
#include "daemon/journal/task_files.h"
#include "daemon/posix/mapping.h"
#include "pipelines/plan/pipeline.h"

namespace runnel {

class OutReader final {
 public:
  // `work` open for reading, `settle` for writing. Both may be closed afterwards,
  // but whoever wants to be alone locks `settle` first.
  static Result<std::unique_ptr<OutReader>> Open(int work, int settle);

  // The next output that has not been read, or none. Skips what a predecessor has
  // settled (a replay may write it again). kDamaged: the worker's file cannot be right.
  RingReader::Found Next(RecordView& record);
  Error Damage() const { return reader_->Damage(); }
  // Goes back to the first output that is not settled.
  void Rewind();

  // Everything up to and with `record` is done with; counts what became of it.
  enum class Settled { kPublished, kRejected, kDeadLetter, kMoved };
  void Settle(const RecordView& record, Settled how);
  // Whether the worker waits for room: ring its bell after Settle.
  bool WorkerWaits() const;

  bool HasMore() { return reader_->HasMore(); }
  // Outputs were settled up to the end of the ring.
  bool Drained() const;
  std::uint64_t incarnation() const { return incarnation_; }

 private:
  OutReader() = default;

  Mapping work_page_;
  Mapping ring_;
  Mapping settle_page_;
  const WorkPage* work_ = nullptr;
  SettlePage* settle_ = nullptr;
  std::uint64_t incarnation_ = 0;
  std::uint64_t next_sequence_ = 0;  // smaller ones were settled by a predecessor
  std::optional<RingReader> reader_;
};

}  // namespace runnel

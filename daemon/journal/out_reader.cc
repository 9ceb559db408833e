#include "daemon/journal/out_reader.h"

namespace runnel {

Result<std::unique_ptr<OutReader>> OutReader::Open(int work, int settle) {
  const Result<FileHeader> header = ReadFileHeader(work, FileKind::kWork);
  if (!header.ok()) return header.error();
  const Result<FileHeader> own = ReadFileHeader(settle, FileKind::kSettle);
  if (!own.ok()) return own.error();
  const WorkLayout layout = LayoutOfWork(header.value());
  Result<Mapping> page = Mapping::Map(work, 0, layout.ring, Access::kRead);
  if (!page.ok()) return page.error();
  Result<Mapping> ring =
      Mapping::MapTwice(work, layout.ring, header.value().ring_bytes, Access::kRead);
  if (!ring.ok()) return ring.error();
  Result<Mapping> settled =
      Mapping::Map(settle, 0, RoundToPage(sizeof(SettlePage)), Access::kWrite);
  if (!settled.ok()) return settled.error();

  std::unique_ptr<OutReader> reader(new OutReader());
  reader->work_page_ = std::move(page).value();
  reader->ring_ = std::move(ring).value();
  reader->settle_page_ = std::move(settled).value();
  reader->work_ = reinterpret_cast<const WorkPage*>(reader->work_page_.data());
  reader->settle_ = reinterpret_cast<SettlePage*>(reader->settle_page_.data());
  reader->incarnation_ = header.value().incarnation;
  reader->Rewind();
  return reader;
}

void OutReader::Rewind() {
  const SettleState& state = CurrentState(*settle_);
  next_sequence_ = state.sequence;
  settle_->settled.store(state.settled, std::memory_order_release);
  reader_.emplace(ring_.data(), ring_.size(), work_->out_head, state.settled, ring_.size());
}

RingReader::Found OutReader::Next(RecordView& record) {
  for (;;) {
    const RingReader::Found found = reader_->Peek(record);
    if (found != RingReader::Found::kRecord) return found;
    reader_->Pass(record);
    if (record.header.sequence < next_sequence_) continue;
    next_sequence_ = record.header.sequence + 1;
    return found;
  }
}

void OutReader::Settle(const RecordView& record, Settled how) {
  const std::uint32_t next = (settle_->current.load(std::memory_order_relaxed) & 1) ^ 1;
  SettleState& state = settle_->states[next];
  state = settle_->states[next ^ 1];
  state.settled = record.next;
  state.sequence = record.header.sequence + 1;
  state.published += how == Settled::kPublished ? 1 : 0;
  state.rejected += how == Settled::kRejected ? 1 : 0;
  state.dead_letters += how == Settled::kDeadLetter ? 1 : 0;
  settle_->current.store(next, std::memory_order_release);
  settle_->settled.store(record.next, std::memory_order_seq_cst);
}

bool OutReader::WorkerWaits() const {
  return work_->waits_for_room.load(std::memory_order_relaxed) != 0;
}

bool OutReader::Drained() const {
  return settle_->settled.load(std::memory_order_relaxed) ==
         work_->out_head.load(std::memory_order_acquire);
}

}  // namespace runnel

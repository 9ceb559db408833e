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
  Result<Mapping> settled = Mapping::Map(settle, 0, RoundToPage(sizeof(SettlePage)), Access::kWrite);
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
  next_sequence_ = settle_->sequence.load(std::memory_order_relaxed);
  reader_.emplace(ring_.data(), ring_.size(), work_->out_head,
                  settle_->settled.load(std::memory_order_relaxed), ring_.size());
}

RingReader::Found OutReader::Next(RecordView& record) {
  for (;;) {
    const RingReader::Found found = reader_->Peek(record);
    if (found != RingReader::Found::kRecord) return found;
    reader_->Pass(record);
    if (record.header.sequence < next_sequence_) {
      // Stands only in front of the first output that is not settled.
      settle_->settled.store(record.next, std::memory_order_release);
      continue;
    }
    next_sequence_ = record.header.sequence + 1;
    return found;
  }
}

void OutReader::Settle(const RecordView& record) {
  // Sequence first: a successor that starts in between reads the record once more
  // and knows that it has it.
  settle_->sequence.store(record.header.sequence + 1, std::memory_order_release);
  settle_->settled.store(record.next, std::memory_order_release);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

bool OutReader::WorkerWaits() const {
  return work_->waits_for_room.load(std::memory_order_relaxed) != 0;
}

bool OutReader::Drained() const {
  return settle_->settled.load(std::memory_order_relaxed) ==
         work_->out_head.load(std::memory_order_acquire);
}

}  // namespace runnel

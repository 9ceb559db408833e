#include "daemon/journal/ring.h"

#include <cstring>
#include <string>

namespace runnel {

RingWriter::RingWriter(std::byte* data, std::uint64_t bytes, std::atomic<std::uint64_t>& head,
                       const std::atomic<std::uint64_t>& reclaim)
    : data_(data),
      bytes_(bytes),
      head_(&head),
      reclaim_(&reclaim),
      end_(head.load(std::memory_order_relaxed)),
      reclaim_seen_(end_) {
  HasRoomNow(0);
}

bool RingWriter::HasRoomNow(std::uint64_t size) {
  const std::uint64_t reclaim = reclaim_->load(std::memory_order_acquire);
  // A cursor outside of what is in the ring is not believed: no room until it is right.
  if (end_ - reclaim > bytes_) {
    reclaim_seen_ = end_ - bytes_;
    return size == 0;
  }
  reclaim_seen_ = reclaim;
  return end_ + size - reclaim_seen_ <= bytes_;
}

RingReader::RingReader(const std::byte* data, std::uint64_t bytes,
                       const std::atomic<std::uint64_t>& head, std::uint64_t position,
                       std::uint64_t record_max)
    : data_(data),
      bytes_(bytes),
      head_(&head),
      position_(position),
      record_max_(record_max),
      head_seen_(position) {}

Error RingReader::Damage() const {
  RecordHeader header;
  std::memcpy(&header, data_ + (position_ & (bytes_ - 1)), sizeof header);
  return Error{ErrorKind::kGiveUp, "a journal is damaged: head " + std::to_string(head_seen_) +
                                       ", reader " + std::to_string(position_) + ", ring of " +
                                       std::to_string(bytes_) + " bytes, record of " +
                                       std::to_string(header.size) + " bytes, topic of " +
                                       std::to_string(header.topic_size)};
}

}  // namespace runnel

#include "daemon/journal/ring.h"

#include <cstring>
#include <string>

#include "pipelines/base/check.h"

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

void RingWriter::Append(RecordHeader header, std::string_view topic,
                        std::span<const std::string_view> parts) {
  std::byte* at = data_ + (end_ & (bytes_ - 1));
  std::byte* write = at + sizeof header;
  if (!topic.empty()) std::memcpy(write, topic.data(), topic.size());
  write += topic.size();
  for (const std::string_view part : parts) {
    if (!part.empty()) std::memcpy(write, part.data(), part.size());
    write += part.size();
  }
  const auto size = static_cast<std::uint64_t>(write - at);
  header.size = static_cast<std::uint32_t>(size);
  header.topic_size = static_cast<std::uint16_t>(topic.size());
  std::memcpy(at, &header, sizeof header);
  end_ += (size + 7) / 8 * 8;
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

RingReader::Found RingReader::Peek(RecordView& record) {
  if (!HasMore()) return Found::kNothing;
  const std::uint64_t available = head_seen_ - position_;
  if (available > bytes_) return Found::kDamaged;
  const std::byte* at = data_ + (position_ & (bytes_ - 1));
  std::memcpy(&record.header, at, sizeof record.header);
  const std::uint64_t size = record.header.size;
  const std::uint64_t taken = (size + 7) / 8 * 8;
  if (size < sizeof(RecordHeader) || taken > available || taken > record_max_ ||
      record.header.topic_size > size - sizeof(RecordHeader)) {
    return Found::kDamaged;
  }
  const char* text = reinterpret_cast<const char*>(at) + sizeof(RecordHeader);
  record.position = position_;
  record.next = position_ + taken;
  record.topic = {text, record.header.topic_size};
  record.payload = {text + record.header.topic_size,
                    size - sizeof(RecordHeader) - record.header.topic_size};
  return Found::kRecord;
}

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

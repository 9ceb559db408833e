// RingWriter, RingReader: the two ends of a journal's ring.
//
// One writer, one reader, in two processes. Neither believes the other: a reader
// copies each header once and checks it, a writer checks the cursor that frees its
// room. Positions count bytes for ever; the ring is mapped twice in a row.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string_view>

#include "daemon/journal/layout.h"
#include "pipelines/base/result.h"

namespace runnel {

struct RecordView {
  std::uint64_t position = 0;  // of this record
  std::uint64_t next = 0;      // of the one behind it
  RecordHeader header{};
  std::string_view topic;
  std::string_view payload;  // at least 64 readable bytes follow
};

// Bytes that a record takes in the ring.
constexpr std::uint64_t RingBytes(std::uint64_t topic, std::uint64_t payload) {
  return (sizeof(RecordHeader) + topic + payload + 7) / 8 * 8;
}

// Not synchronised: the owner of the journal orders its writers.
class RingWriter final {
 public:
  // `data` is the first of two images of `bytes` bytes, a power of two. `head` is
  // ours, `reclaim` is the other side's word. All outlive the writer.
  RingWriter(std::byte* data, std::uint64_t bytes, std::atomic<std::uint64_t>& head,
             const std::atomic<std::uint64_t>& reclaim);

  // Whether `size` more bytes (RingBytes) fit behind what is begun.
  bool HasRoom(std::uint64_t size) {
    return end_ + size - reclaim_seen_ <= bytes_ || HasRoomNow(size);
  }
  // Adds a record that becomes visible with Publish(). The payload is the parts in
  // a row. REQUIRES: HasRoom.
  void Append(RecordHeader header, std::string_view topic,
              std::initializer_list<std::string_view> parts) {
    std::byte* const at = data_ + (end_ & (bytes_ - 1));
    std::byte* write = Put(at + sizeof header, topic);
    for (const std::string_view part : parts) write = Put(write, part);
    const auto size = static_cast<std::uint64_t>(write - at);
    header.size = static_cast<std::uint32_t>(size);
    header.topic_size = static_cast<std::uint16_t>(topic.size());
    std::memcpy(at, &header, sizeof header);
    end_ += (size + 7) / 8 * 8;
  }
  // Makes all appended records visible.
  void Publish() { head_->store(end_, std::memory_order_release); }

  std::uint64_t end() const { return end_; }
  std::uint64_t capacity() const { return bytes_; }
  // Bytes between the other side's cursor and ours, as last seen.
  std::uint64_t used() const { return end_ - reclaim_seen_; }

 private:
  bool HasRoomNow(std::uint64_t size);
  static std::byte* Put(std::byte* at, std::string_view bytes) {
    if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
    return at + bytes.size();
  }

  std::byte* data_;
  std::uint64_t bytes_;
  std::atomic<std::uint64_t>* head_;
  const std::atomic<std::uint64_t>* reclaim_;
  std::uint64_t end_;
  std::uint64_t reclaim_seen_;
};

class RingReader final {
 public:
  // Starts at `position`. A record larger than `record_max` (RingBytes) is damage.
  RingReader(const std::byte* data, std::uint64_t bytes, const std::atomic<std::uint64_t>& head,
             std::uint64_t position, std::uint64_t record_max);

  // The record at the reader's position, or none; does not move. kDamaged when the
  // ring cannot be right: a head that is too far or behind, a size out of range.
  enum class Found { kRecord, kNothing, kDamaged };
  Found Peek(RecordView& record) {
    if (!HasMore()) return Found::kNothing;
    const std::uint64_t available = head_seen_ - position_;
    if (available > bytes_) return Found::kDamaged;
    const std::byte* const at = data_ + (position_ & (bytes_ - 1));
    record.header.CopyFrom(at);
    const std::uint64_t size = record.header.size;
    const std::uint64_t taken = (size + 7) / 8 * 8;
    if (size < sizeof(RecordHeader) || taken > available || taken > record_max_ ||
        record.header.topic_size > size - sizeof(RecordHeader)) {
      return Found::kDamaged;
    }
    const char* const text = reinterpret_cast<const char*>(at) + sizeof(RecordHeader);
    record.position = position_;
    record.next = position_ + taken;
    record.topic = {text, record.header.topic_size};
    record.payload = {text + record.header.topic_size,
                      size - sizeof(RecordHeader) - record.header.topic_size};
    return Found::kRecord;
  }
  // What is wrong. REQUIRES: Peek gave kDamaged.
  Error Damage() const;
  // Moves behind `record`.
  void Pass(const RecordView& record) { position_ = record.next; }
  std::uint64_t position() const { return position_; }
  // Whether there is something to read; cheap.
  bool HasMore() {
    if (position_ < head_seen_) return true;
    head_seen_ = head_->load(std::memory_order_acquire);
    return position_ != head_seen_;
  }

 private:
  const std::byte* data_;
  std::uint64_t bytes_;
  const std::atomic<std::uint64_t>* head_;
  std::uint64_t position_;
  std::uint64_t record_max_;
  std::uint64_t head_seen_;
};

}  // namespace runnel

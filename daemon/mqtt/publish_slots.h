// PublishSlots: the accepted publications that have no result yet.
//
// Paho hands back a pointer with each completion, sometimes late, and for a QoS 0
// publication cut off in mid-write never. A slot therefore stays at its address until
// Paho lets go of it, and gives its context away once. At most `limit` are unfinished.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

namespace runnel {

class PublishSlots final {
 public:
  struct Slot {
    std::uint64_t context = 0;
    int qos = 0;
    bool used = false;
    bool finished = false;  // the result was given, but Paho still has the pointer
  };

  explicit PublishSlots(std::size_t limit) : limit_(limit) {}

  // Nothing when `limit` publications are unfinished.
  Slot* Take(std::uint64_t context, int qos);
  // Paho is done with the slot. The context, unless its result was given before.
  std::optional<std::uint64_t> Release(Slot* slot);
  // The contexts of all unfinished ones with this QoS or lower, which are finished now.
  std::vector<std::uint64_t> FinishUpTo(int qos);

  std::size_t unfinished() const;

 private:
  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::deque<Slot> slots_;  // addresses stay
  std::vector<Slot*> free_;
  std::size_t unfinished_ = 0;
};

}  // namespace runnel

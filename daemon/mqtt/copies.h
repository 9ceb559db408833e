// Copies: tells a message from its copies while the filters of a session change.
//
// For a moment then the session has an old and a new filter that both may want a message, and a
// broker may send it once for each, one directly behind the other. Subscription identifiers tell
// for which: all filters of such a change have one of the same generation (PlanSubscriptions).
// The same bytes again because of another filter of that change are a copy, because of the same
// one they are another message.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace runnel {

// The subscription identifiers of one change of the filters: `place` 0 is of what is new, each
// filter that is given up has one of its own.
struct ChangeMark {
  static constexpr std::uint32_t kPlaces = 1U << 14;
  static constexpr std::uint32_t kGenerations = 1U << 14;  // identifiers have 28 bits

  std::uint32_t generation = 0;  // below kGenerations; 0: no identifier
  std::uint32_t place = 0;       // below kPlaces

  constexpr std::uint32_t identifier() const { return generation * kPlaces + place; }
  static constexpr std::uint32_t GenerationOf(std::uint32_t identifier) {
    return identifier / kPlaces;
  }
};

class Copies final {
 public:
  // Whether the message before, or one that this was a copy of, has come again. Retained messages
  // are not copies of others. On the receive thread.
  bool IsCopy(std::string_view topic, std::string_view payload, bool retained,
              std::span<const std::uint32_t> identifiers);
  // What comes next is no copy: the broker has answered in between. Any thread.
  void Forget() { forget_.store(true, std::memory_order_relaxed); }

 private:
  bool IsOfTheSame(std::span<const std::uint32_t> identifiers) const;

  std::atomic<bool> forget_{false};
  std::uint64_t digest_ = 0;
  std::vector<std::uint32_t> come_;  // the identifiers that it has come with; none: no message
};

}  // namespace runnel

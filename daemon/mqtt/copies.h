// Copies: tells a message from its copies while the filters of a session change.
//
// For a moment then the session has an old and a new filter that both may want a message, and a
// broker may send it once for each, one directly behind the other. Subscription identifiers tell
// for which (PlanSubscriptions): first what is wanted gets that of the change, then each filter
// that is given up one of its own, then these are unsubscribed. So a message with one of the latter
// always has another one with the former beside it, and no message that came once is taken for a
// copy, whatever the others are. What comes between the first two steps may count twice.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace runnel {

// The subscription identifiers of one change of the filters: `place` 0 is of what is wanted, each
// filter that is given up has one of its own.
struct ChangeMark {
  static constexpr std::uint32_t kPlaces = 1U << 14;
  static constexpr std::uint32_t kGenerations = 1U << 14;  // identifiers have 28 bits

  std::uint32_t generation = 0;  // below kGenerations; 0: no identifier
  std::uint32_t place = 0;       // below kPlaces

  constexpr std::uint32_t identifier() const { return generation * kPlaces + place; }
  static constexpr ChangeMark Of(std::uint32_t identifier) {
    return {identifier / kPlaces, identifier % kPlaces};
  }
};

// On the receive thread.
class Copies final {
 public:
  // Whether the message before, or one that this was a copy of, has come again. Retained messages
  // are not copies of others.
  bool IsCopy(std::string_view topic, std::string_view payload, bool retained,
              std::span<const std::uint32_t> identifiers);

 private:
  bool IsAnotherOfThem(std::uint32_t identifier) const;

  std::uint64_t digest_ = 0;
  std::vector<std::uint32_t> come_;  // the identifiers that it has come with; none: no message
};

}  // namespace runnel

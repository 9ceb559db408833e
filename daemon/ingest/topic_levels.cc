#include "daemon/ingest/topic_levels.h"

#include <bit>
#include <cstring>

namespace runnel {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kLows = 0x7f7f7f7f7f7f7f7f;

// The top bit of each byte of `word` that is a slash; exact for every byte.
std::uint64_t Slashes(std::uint64_t word) {
  const std::uint64_t zero = word ^ (kOnes * '/');
  return ~(((zero & kLows) + kLows) | zero | kLows);
}

// The bytes from `at` on, fewer than eight, in the low end of a word; the rest is zero.
std::uint64_t Tail(std::string_view topic, std::size_t at) {
  std::uint64_t word = 0;
  if (topic.size() >= 8) {
    std::memcpy(&word, topic.data() + topic.size() - 8, 8);
    return word >> (8 * (8 - (topic.size() - at)));
  }
  std::memcpy(&word, topic.data() + at, topic.size() - at);
  return word;
}

}  // namespace

// Slashes in the eight bytes at `at`.
inline void TopicLevels::Note(std::size_t at, std::uint64_t slashes) {
  for (; slashes != 0 && size_ < kTopicLevelsMax; slashes &= slashes - 1) {
    ends_[size_++] =
        static_cast<std::uint16_t>(at + static_cast<std::size_t>(std::countr_zero(slashes)) / 8);
  }
}

void TopicLevels::Split(std::string_view topic) {
  static_assert(std::endian::native == std::endian::little);
  topic_ = topic;
  size_ = 0;
  if (topic.empty()) return;
  std::size_t at = 0;
  for (std::uint64_t word = 0; at + 8 <= topic.size(); at += 8) {
    std::memcpy(&word, topic.data() + at, 8);
    Note(at, Slashes(word));
  }
  if (at < topic.size()) Note(at, Slashes(Tail(topic, at)));
  ends_[size_++] = static_cast<std::uint16_t>(topic.size());
}

}  // namespace runnel

// TopicLevels: where the levels of a topic are, found once for all who look at them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace runnel {

inline constexpr std::size_t kTopicBytesMax = 65'535;
inline constexpr std::size_t kTopicLevelsMax = 200;  // as many as mosquitto takes

class TopicLevels final {
 public:
  TopicLevels() = default;
  explicit TopicLevels(std::string_view topic) { Split(topic); }

  // Borrows `topic`, of at most kTopicBytesMax bytes. What is behind kTopicLevelsMax
  // levels counts as one more: no filter looks into it. The empty topic has none.
  void Split(std::string_view topic);

  std::size_t size() const { return size_; }
  std::string_view operator[](std::size_t level) const {
    const std::size_t begin = level == 0 ? 0 : std::size_t{ends_[level - 1]} + 1;
    return {topic_.data() + begin, ends_[level] - begin};
  }
  // Topics of the broker itself, such as `$SYS/…`, which no wildcard matches.
  bool IsSystem() const { return topic_.starts_with('$'); }

 private:
  std::size_t Note(std::size_t at, std::uint32_t slashes, std::size_t size);

  std::string_view topic_;
  std::size_t size_ = 0;
  std::array<std::uint16_t, kTopicLevelsMax + 1> ends_;  // only the first size_ are set
};

}  // namespace runnel

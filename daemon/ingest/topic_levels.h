// TopicLevels: where the levels of a topic are, found when somebody looks at them, and once for
// all.
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
  explicit TopicLevels(std::string_view topic) { Of(topic); }

  // Borrows `topic`, of at most kTopicBytesMax bytes. What is behind kTopicLevelsMax
  // levels counts as one more: no filter looks into it. The empty topic has none.
  void Of(std::string_view topic) {
    topic_ = topic;
    size_ = 0;
  }

  std::string_view topic() const { return topic_; }
  // Not for several threads at once, as operator[]: the first one to ask splits the topic.
  std::size_t size() const {
    if (size_ == 0) Split();
    return size_;
  }
  std::string_view operator[](std::size_t level) const {
    if (size_ == 0) Split();
    const std::size_t begin = level == 0 ? 0 : std::size_t{ends_[level - 1]} + 1;
    return {topic_.data() + begin, ends_[level] - begin};
  }
  // Topics of the broker itself, such as `$SYS/…`, which no wildcard matches.
  bool IsSystem() const { return topic_.starts_with('$'); }

 private:
  void Split() const;
  std::size_t Note(std::size_t at, std::uint32_t slashes, std::size_t size) const;

  std::string_view topic_;
  mutable std::size_t size_ = 0;                                 // 0: not split
  mutable std::array<std::uint16_t, kTopicLevelsMax + 1> ends_;  // only the first size_ are set
};

}  // namespace runnel

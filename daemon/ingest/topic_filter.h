// TopicFilter: an MQTT topic filter with named captures; TopicMatcher: many at once.
//
// `sensors/{device}/+/#`: `{name}` is a `+` whose level gets a name. Follows MQTT 5,
// section 4.7: `#` only as the last level, wildcards fill a level, `a/#` matches `a`
// too, and a filter that begins with a wildcard matches no topic that begins with `$`.
// `$share/GROUP/FILTER` is a shared subscription of FILTER (section 4.8.2). Refuses what
// a broker would refuse, and braces that are not a capture. Matching allocates nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/ingest/topic_levels.h"
#include "pipelines/base/result.h"

namespace runnel {

class TopicFilter final {
 public:
  // Matches nothing.
  TopicFilter() = default;

  static Result<TopicFilter> Parse(std::string_view text);

  // As the user wrote it.
  const std::string& text() const { return text_; }
  // What is sent to the broker: `+` for each capture, with the `$share/GROUP/`.
  const std::string& wire() const { return wire_; }
  // The group of a shared subscription, or empty.
  const std::string& share_group() const { return share_group_; }
  // Names in the order of the levels.
  const std::vector<std::string>& captures() const { return captures_; }
  // For each capture the level of a topic that it names, counted from 0.
  const std::vector<std::size_t>& capture_levels() const { return capture_levels_; }

  // Of a filter that has one wildcard, and that one level: the bytes of a matching topic
  // before and behind that level.
  struct Around {
    std::size_t before = 0;
    std::size_t behind = 0;
    std::string_view Level(std::string_view topic) const {
      return {topic.data() + before, topic.size() - before - behind};
    }
  };
  std::optional<Around> around() const;

  bool Match(const TopicLevels& topic) const;
  bool Match(std::string_view topic) const { return Match(TopicLevels(topic)); }

  // Whether there is a topic that both match; the share groups do not count. Here and
  // in Covers() `/#` also matches the empty topic, which no publisher may use.
  friend bool Overlaps(const TopicFilter& a, const TopicFilter& b);
  // Whether `a` matches every topic that `b` matches; the share groups do not count.
  friend bool Covers(const TopicFilter& a, const TopicFilter& b);

 private:
  friend class TopicMatcher;

  enum class LevelKind : std::uint8_t { kLiteral, kOne, kCapture, kRest };
  struct Level {
    LevelKind kind = LevelKind::kLiteral;
    std::string literal;
  };

  Status ParseLevels(std::string_view filter);
  Status ParseCapture(std::string_view level);
  void PrepareMatch();
  bool MatchHere(const TopicLevels& topic) const;  // Match(), where each call counts
  bool MatchAround(std::string_view topic) const;
  bool MatchLevels(const TopicLevels& topic) const;
  static bool SameOrWild(const Level& wide, const Level& narrow, bool first);

  std::string text_;
  std::string wire_;
  std::string share_group_;
  std::vector<std::string> captures_;
  std::vector<std::size_t> capture_levels_;
  std::vector<Level> levels_;
  // What Match() looks at, of a filter with an Around: that is most of them.
  bool one_wild_ = false;
  std::string before_;
  std::string behind_;
  // And of all others.
  std::size_t levels_least_ = 1;  // of a topic
  std::size_t levels_most_ = 0;
  bool wild_first_ = false;
  std::vector<std::size_t> literals_;  // which of levels_
};

bool Overlaps(const TopicFilter& a, const TopicFilter& b);
bool Covers(const TopicFilter& a, const TopicFilter& b);

// Which of many filters match a topic: a trie over levels, so that the cost follows
// the length of the topic and not the number of filters; a few are compared one by one,
// which is quicker. Immutable; any thread.
class TopicMatcher final {
 public:
  explicit TopicMatcher(std::span<const TopicFilter> filters);

  // The indices of all that match, ascending, in the front of `room`.
  // REQUIRES: room.size() >= the number of filters.
  std::span<std::uint32_t> Match(const TopicLevels& topic, std::span<std::uint32_t> room) const;

 private:
  static constexpr std::uint32_t kNone = 0xffff'ffff;
  static constexpr std::size_t kFew = 4;

  struct Node {
    std::uint32_t one = kNone;        // the child below `+`
    std::vector<std::uint32_t> here;  // filters that end at this level
    std::vector<std::uint32_t> rest;  // filters that go on with `#`
  };
  // A child below a literal; the table is open-addressed, a power of two in size.
  struct Edge {
    std::uint32_t parent = kNone;
    std::uint32_t child = kNone;
    std::string literal;
  };
  struct Search {
    std::span<std::uint32_t> room;
    std::size_t found = 0;
  };

  void Insert(const TopicFilter& filter, std::uint32_t index);
  std::uint32_t ChildFor(std::uint32_t parent, std::string_view literal);
  std::uint32_t Find(std::uint32_t parent, std::string_view literal) const;
  std::size_t Slot(std::uint32_t parent, std::string_view literal) const;
  void Walk(std::uint32_t node, const TopicLevels& topic, std::size_t level, Search& search) const;
  static void Add(const std::vector<std::uint32_t>& filters, Search& search);

  std::vector<TopicFilter> few_;  // all of them where there are at most kFew
  std::vector<Node> nodes_;       // otherwise
  std::vector<Edge> edges_;
};

}  // namespace runnel

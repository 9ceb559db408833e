#include "daemon/ingest/topic_filter.h"

#include <algorithm>
#include <bit>

#include "pipelines/base/check.h"
#include "pipelines/base/hash.h"
#include "pipelines/base/same_bytes.h"
#include "pipelines/base/scan.h"
#include "pipelines/base/utf8.h"
#include "pipelines/codecs/utf8.h"

namespace runnel {
namespace {

constexpr std::string_view kShare = "$share/";

Error Fix(std::string message) { return Error{ErrorKind::kFix, std::move(message)}; }

std::string Quoted(std::string_view text) {
  constexpr std::size_t kShown = 80;
  std::string quoted = "`";
  for (const char c : text.substr(0, kShown)) {
    quoted += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  return quoted + (text.size() > kShown ? "…`" : "`");
}

// Cuts the first level off `rest`; false when there is none left.
bool NextLevel(std::string_view& rest, bool& more, std::string_view& level) {
  if (!more) return false;
  const std::size_t end = rest.find('/');
  more = end != std::string_view::npos;
  level = rest.substr(0, end);
  rest = more ? rest.substr(end + 1) : std::string_view();
  return true;
}

bool IsName(std::string_view text) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !text.empty() && is_letter(text[0]) && std::all_of(text.begin(), text.end(), [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9');
  });
}

}  // namespace

Result<TopicFilter> TopicFilter::Parse(std::string_view text) {
  if (text.empty()) return Fix("a topic filter is empty");
  if (text.size() > kTopicBytesMax) {
    return Fix("a topic filter of " + std::to_string(text.size()) + " bytes is longer than " +
               std::to_string(kTopicBytesMax));
  }
  if (!IsUtf8(text)) return Fix("the topic filter " + Quoted(text) + " is not valid UTF-8");
  if (text.find('\0') != std::string_view::npos) {
    return Fix("the topic filter " + Quoted(text) + " has a NUL character");
  }
  if (IsUnfitTopic(text)) {
    return Fix("the topic filter " + Quoted(text) + " has a control character or a non-character");
  }
  TopicFilter filter;
  filter.text_ = text;
  std::string_view levels = text;
  if (text.starts_with(kShare)) {
    const std::size_t end = text.find('/', kShare.size());
    const std::string_view group = text.substr(kShare.size(), end - kShare.size());
    if (end == std::string_view::npos || end + 1 == text.size() || group.empty() ||
        group.find_first_of("+#") != std::string_view::npos) {
      return Fix("the shared subscription " + Quoted(text) +
                 " is not of the form `$share/GROUP/FILTER`");
    }
    filter.share_group_ = group;
    levels = text.substr(end + 1);
    filter.wire_ = text.substr(0, end + 1);
  }
  if (Status status = filter.ParseLevels(levels); !status.ok()) return status.error();
  return filter;
}

Status TopicFilter::ParseLevels(std::string_view filter) {
  bool more = true;
  std::string_view level;
  while (NextLevel(filter, more, level)) {
    if (!levels_.empty()) wire_ += '/';
    if (levels_.size() == kTopicLevelsMax) {
      return Fix("the topic filter " + Quoted(text_) + " has more than " +
                 std::to_string(kTopicLevelsMax) + " levels");
    }
    if (level == "#" && !more) {
      levels_.push_back({LevelKind::kRest, {}});
      wire_ += '#';
    } else if (level == "#") {
      return Fix("the topic filter " + Quoted(text_) + " has `#` before its last level");
    } else if (level == "+") {
      levels_.push_back({LevelKind::kOne, {}});
      wire_ += '+';
    } else if (level.find_first_of("+#") != std::string_view::npos) {
      return Fix("a wildcard fills a whole level, but the topic filter " + Quoted(text_) + " has " +
                 Quoted(level));
    } else if (level.find_first_of("{}") != std::string_view::npos) {
      if (Status status = ParseCapture(level); !status.ok()) return status;
    } else {
      levels_.push_back({LevelKind::kLiteral, std::string(level)});
      wire_ += level;
    }
  }
  PrepareMatch();
  return {};
}

Status TopicFilter::ParseCapture(std::string_view level) {
  const bool braces = level.size() > 2 && level.front() == '{' && level.back() == '}';
  const std::string_view name = braces ? level.substr(1, level.size() - 2) : std::string_view();
  if (!IsName(name)) {
    return Fix("a capture fills a whole level, as in `a/{name}/b`, but the topic filter " +
               Quoted(text_) + " has " + Quoted(level));
  }
  if (std::find(captures_.begin(), captures_.end(), name) != captures_.end()) {
    return Fix("the topic filter " + Quoted(text_) + " captures " + Quoted(name) + " twice");
  }
  captures_.emplace_back(name);
  capture_levels_.push_back(levels_.size());
  levels_.push_back({LevelKind::kCapture, {}});
  wire_ += '+';
  return {};
}

void TopicFilter::PrepareMatch() {
  const bool open = levels_.back().kind == LevelKind::kRest;
  levels_least_ = std::max<std::size_t>(1, levels_.size() - (open ? 1 : 0));
  levels_most_ = open ? SIZE_MAX : levels_.size();
  wild_first_ = levels_[0].kind != LevelKind::kLiteral;
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    if (levels_[i].kind == LevelKind::kLiteral) literals_.push_back(i);
  }
  one_wild_ = !open && literals_.size() + 1 == levels_.size();
  if (!one_wild_) return;
  bool behind = false;
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    std::string& side = behind ? behind_ : before_;
    if (i > 0) side += '/';
    behind = behind || levels_[i].kind != LevelKind::kLiteral;
    side += levels_[i].literal;
  }
}

std::optional<TopicFilter::Around> TopicFilter::around() const {
  if (!one_wild_) return std::nullopt;
  return Around{before_.size(), behind_.size()};
}

// Without looking for the levels of the topic.
[[gnu::always_inline]] inline bool TopicFilter::MatchAround(std::string_view topic) const {
  const std::size_t begin = before_.size();
  if (topic.size() < begin + behind_.size() || topic.empty()) return false;
  const char* const text = topic.data();
  const std::size_t size = topic.size() - begin - behind_.size();
  if (!SameBytes(before_, {text, begin}) ||
      !SameBytes(behind_, {text + begin + size, behind_.size()})) {
    return false;
  }
  if (begin == 0 && topic[0] == '$') return false;
  constexpr std::size_t kBlock = 16;
  if (size <= kBlock && begin + kBlock <= topic.size()) {
    return (scan::Find16(text + begin, '/') & ((1U << size) - 1)) == 0;
  }
  return std::string_view(text + begin, size).find('/') == std::string_view::npos;
}

[[gnu::always_inline]] inline bool TopicFilter::MatchHere(const TopicLevels& topic) const {
  return one_wild_ ? MatchAround(topic.topic()) : MatchLevels(topic);
}

bool TopicFilter::Match(const TopicLevels& topic) const { return MatchHere(topic); }

bool TopicFilter::MatchLevels(const TopicLevels& topic) const {
  if (topic.size() < levels_least_ || topic.size() > levels_most_) return false;
  if (wild_first_ && topic.IsSystem()) return false;
  for (const std::size_t level : literals_) {
    if (!SameBytes(levels_[level].literal, topic[level])) return false;
  }
  return true;
}

// Whether every topic level that `narrow` takes is taken by `wide`; neither is `#`.
bool TopicFilter::SameOrWild(const Level& wide, const Level& narrow, bool first) {
  if (wide.kind == LevelKind::kLiteral) {
    return narrow.kind == LevelKind::kLiteral && narrow.literal == wide.literal;
  }
  return !(first && narrow.kind == LevelKind::kLiteral && narrow.literal.starts_with('$'));
}

bool Overlaps(const TopicFilter& a, const TopicFilter& b) {
  using Kind = TopicFilter::LevelKind;
  if (a.levels_.empty() || b.levels_.empty()) return false;
  for (std::size_t i = 0;; ++i) {
    const TopicFilter::Level* left = i < a.levels_.size() ? &a.levels_[i] : nullptr;
    const TopicFilter::Level* right = i < b.levels_.size() ? &b.levels_[i] : nullptr;
    if (left == nullptr && right == nullptr) return true;
    if ((left != nullptr && left->kind == Kind::kRest) ||
        (right != nullptr && right->kind == Kind::kRest)) {
      // `#` takes whatever the other has left, except `$…` as the first level.
      const TopicFilter::Level* other = left != nullptr && left->kind == Kind::kRest ? right : left;
      return !(i == 0 && other->kind == Kind::kLiteral && other->literal.starts_with('$'));
    }
    if (left == nullptr || right == nullptr) return false;
    if (!TopicFilter::SameOrWild(*left, *right, i == 0) &&
        !TopicFilter::SameOrWild(*right, *left, i == 0)) {
      return false;
    }
  }
}

bool Covers(const TopicFilter& a, const TopicFilter& b) {
  using Kind = TopicFilter::LevelKind;
  if (b.levels_.empty()) return true;
  if (a.levels_.empty()) return false;
  for (std::size_t i = 0;; ++i) {
    const TopicFilter::Level* wide = i < a.levels_.size() ? &a.levels_[i] : nullptr;
    const TopicFilter::Level* narrow = i < b.levels_.size() ? &b.levels_[i] : nullptr;
    if (wide == nullptr) return narrow == nullptr;
    if (wide->kind == Kind::kRest) {
      return !(i == 0 && narrow->kind == Kind::kLiteral && narrow->literal.starts_with('$'));
    }
    if (narrow == nullptr) return false;
    if (narrow->kind == Kind::kRest) {
      // Every topic has a first level, so `+/#` is `#`.
      return i == 0 && wide->kind != Kind::kLiteral && a.levels_.size() == 2 &&
             a.levels_[1].kind == Kind::kRest;
    }
    if (!TopicFilter::SameOrWild(*wide, *narrow, i == 0)) return false;
  }
}

TopicMatcher::TopicMatcher(std::span<const TopicFilter> filters) {
  if (filters.size() <= kFew) {
    few_.assign(filters.begin(), filters.end());
    return;
  }
  std::size_t levels = 1;
  for (const TopicFilter& filter : filters) levels += filter.levels_.size();
  edges_.resize(std::bit_ceil(2 * levels));
  nodes_.emplace_back();
  for (std::size_t i = 0; i < filters.size(); ++i) {
    Insert(filters[i], static_cast<std::uint32_t>(i));
  }
}

void TopicMatcher::Insert(const TopicFilter& filter, std::uint32_t index) {
  if (filter.levels_.empty()) return;
  std::uint32_t node = 0;
  for (const TopicFilter::Level& level : filter.levels_) {
    if (level.kind == TopicFilter::LevelKind::kRest) {
      nodes_[node].rest.push_back(index);
      return;
    }
    if (level.kind == TopicFilter::LevelKind::kLiteral) {
      node = ChildFor(node, level.literal);
      continue;
    }
    if (nodes_[node].one == kNone) {
      nodes_[node].one = static_cast<std::uint32_t>(nodes_.size());
      nodes_.emplace_back();
    }
    node = nodes_[node].one;
  }
  nodes_[node].here.push_back(index);
}

// The edge's place in the table, or the free place where it would be.
std::size_t TopicMatcher::Slot(std::uint32_t parent, std::string_view literal) const {
  const std::size_t mask = edges_.size() - 1;
  for (std::size_t slot = Hash(literal, parent) & mask;; slot = (slot + 1) & mask) {
    const Edge& edge = edges_[slot];
    if (edge.child == kNone || (edge.parent == parent && edge.literal == literal)) return slot;
  }
}

std::uint32_t TopicMatcher::ChildFor(std::uint32_t parent, std::string_view literal) {
  Edge& edge = edges_[Slot(parent, literal)];
  if (edge.child == kNone) {
    edge = {parent, static_cast<std::uint32_t>(nodes_.size()), std::string(literal)};
    nodes_.emplace_back();
  }
  return edge.child;
}

std::uint32_t TopicMatcher::Find(std::uint32_t parent, std::string_view literal) const {
  return edges_[Slot(parent, literal)].child;
}

std::span<std::uint32_t> TopicMatcher::Match(const TopicLevels& topic,
                                             std::span<std::uint32_t> room) const {
  if (topic.topic().empty()) return {};
  if (nodes_.empty()) {
    std::size_t found = 0;
    for (std::uint32_t i = 0; i < few_.size(); ++i) {
      if (few_[i].MatchHere(topic)) room[found++] = i;
    }
    return room.first(found);
  }
  Search search{room};
  Walk(0, topic, 0, search);
  const std::span<std::uint32_t> matches = room.first(search.found);
  if (matches.size() > 1) std::sort(matches.begin(), matches.end());
  return matches;
}

// Goes one level deeper per call: at most kTopicLevelsMax deep, as the trie is.
void TopicMatcher::Walk(std::uint32_t node, const TopicLevels& topic, std::size_t level,
                        Search& search) const {
  const bool wildcards = level > 0 || !topic.IsSystem();
  if (wildcards) Add(nodes_[node].rest, search);
  const std::uint32_t children[] = {Find(node, topic[level]), wildcards ? nodes_[node].one : kNone};
  for (const std::uint32_t child : children) {
    if (child == kNone) continue;
    if (level + 1 < topic.size()) {
      Walk(child, topic, level + 1, search);
      continue;
    }
    Add(nodes_[child].here, search);
    Add(nodes_[child].rest, search);  // `a/#` matches `a`
  }
}

void TopicMatcher::Add(const std::vector<std::uint32_t>& filters, Search& search) {
  if (filters.empty()) return;
  CHECK(filters.size() <= search.room.size() - search.found);
  std::copy(filters.begin(), filters.end(),
            search.room.begin() + static_cast<std::ptrdiff_t>(search.found));
  search.found += filters.size();
}

}  // namespace runnel

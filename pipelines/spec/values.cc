#include "pipelines/spec/schema.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace runnel {
namespace {

using internal::LeafType;
using internal::OptionRules;
using internal::Slot;

struct SizeUnit {
  std::string_view name;
  std::int64_t bytes;
};
constexpr std::array<SizeUnit, 4> kSizeUnits = {
    {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}};

std::string Quoted(std::string_view text) { return "`" + std::string(text) + "`"; }

std::vector<std::string_view> Words(const OptionRules& rules) {
  std::vector<std::string_view> words;
  for (const auto& [word, value] : rules.words) words.push_back(word);
  return words;
}

// Digits with an optional minus and without leading zeros, which YAML 1.1 takes
// for octal. kOverflow: such a number, but too large.
enum class Parsed { kOk, kOverflow, kNo };

Parsed ParseInteger(std::string_view text, std::int64_t& value) {
  std::string_view digits = text;
  if (digits.starts_with('-')) digits.remove_prefix(1);
  if (digits.empty() || (digits.size() > 1 && digits.front() == '0')) return Parsed::kNo;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (stop != end) return Parsed::kNo;
  return error == std::errc() ? Parsed::kOk : Parsed::kOverflow;
}

bool ParseReal(std::string_view text, double& value) {
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
  };
  if (text.empty() || !std::all_of(text.begin(), text.end(), plain)) return false;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end && std::isfinite(value);
}

// What a value of the type is called in `x is not …`.
std::string Expected(LeafType type, const OptionRules& rules) {
  std::string expected;
  switch (type) {
    case LeafType::kBool:
      return "true or false";
    case LeafType::kText:
      return "text";
    case LeafType::kWord:
      return "one of " + internal::ListOfNames(Words(rules));
    case LeafType::kInteger:
      expected = "a whole number";
      break;
    case LeafType::kReal:
      expected = "a number";
      break;
    case LeafType::kDuration:
      expected = "a duration, such as 250ms or 10s";
      break;
    case LeafType::kSize:
      expected = "a size, such as 64KiB or 4MiB";
      break;
  }
  return rules.words.empty() ? expected : expected + ", or " + internal::ListOfNames(Words(rules));
}

// The end of a message: what was found, where the source line does not show it.
std::string Found(LeafType type, const Node& node) {
  if (!node.IsScalar()) return ", found " + std::string(node.KindName());
  if (node.origin == Node::Origin::kCredential) return ", found a credential";
  if (node.origin == Node::Origin::kEnvironment) return ", found " + Quoted(node.text);
  const bool number =
      type == LeafType::kBool || type == LeafType::kInteger || type == LeafType::kReal;
  return node.quoted && number ? ", found text in quotes" : "";
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

std::string BoolHint(std::string_view text) {
  const std::string lower = Lower(text);
  constexpr std::array<std::string_view, 6> kTrue = {"yes", "on", "y", "1", "true", "enabled"};
  constexpr std::array<std::string_view, 6> kFalse = {"no", "off", "n", "0", "false", "disabled"};
  if (std::find(kTrue.begin(), kTrue.end(), lower) != kTrue.end()) return "did you mean `true`?";
  if (std::find(kFalse.begin(), kFalse.end(), lower) != kFalse.end())
    return "did you mean `false`?";
  return {};
}

// `64KB`, `64k`, `64 kib`: what was probably meant.
std::string SizeHint(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0 || digits == text.size()) return {};
  std::string unit = Lower(text.substr(digits));
  std::erase(unit, ' ');
  for (const SizeUnit& size : kSizeUnits) {
    const std::string lower = Lower(size.name);
    const bool meant =
        unit == lower ||
        (size.bytes > 1 && (unit == lower.substr(0, 1) || unit == lower.substr(0, 1) + "b"));
    if (meant)
      return "did you mean " + Quoted(std::string(text.substr(0, digits)).append(size.name)) + "?";
  }
  return {};
}

// `5 min`, `1hour`, `500 milliseconds`, `0.5s`: what was probably meant.
std::string DurationHint(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  double number = 0;
  if (digits > 9 || !ParseReal(text.substr(0, digits), number)) return {};
  std::string unit = Lower(text.substr(digits));
  std::erase(unit, ' ');
  if (unit.size() > 2 && unit.ends_with('s')) unit.pop_back();
  struct Unit {
    std::array<std::string_view, 4> theirs;
    double microseconds;
  };
  constexpr std::array<Unit, 6> kMeant = {{{{"us", "usec", "micro", "microsecond"}, 1},
                                           {{"ms", "msec", "milli", "millisecond"}, 1e3},
                                           {{"s", "sec", "second", "secs"}, 1e6},
                                           {{"m", "min", "minute", "mins"}, 60e6},
                                           {{"h", "hr", "hour", "hrs"}, 3600e6},
                                           {{"d", "day", "days", "days"}, 86400e6}}};
  for (const Unit& one : kMeant) {
    if (std::find(one.theirs.begin(), one.theirs.end(), unit) == one.theirs.end()) continue;
    const Duration meant(static_cast<std::int64_t>(number * one.microseconds));
    return meant.count() > 0 ? "did you mean " + Quoted(FormatDuration(meant)) + "?" : "";
  }
  return {};
}

std::string TypeHint(LeafType type, const Slot& slot) {
  const Node& node = slot.node;
  if (!node.IsScalar() || node.origin == Node::Origin::kCredential) return {};
  std::int64_t number = 0;
  const std::string_view meant = DidYouMean(node.text, Words(slot.rules));
  if (!meant.empty()) return "did you mean " + Quoted(meant) + "?";
  switch (type) {
    case LeafType::kBool: {
      const std::string hint = BoolHint(node.text);
      return node.quoted && (node.text == "true" || node.text == "false") ? "leave out the quotes"
                                                                          : hint;
    }
    case LeafType::kInteger:
    case LeafType::kReal: {
      double real = 0;
      return node.quoted && ParseReal(node.text, real) ? "leave out the quotes" : "";
    }
    case LeafType::kDuration:
      return ParseInteger(node.text, number) == Parsed::kOk
                 ? "give the unit: " + Quoted(node.text + "s") + " or " + Quoted(node.text + "ms")
                 : DurationHint(node.text);
    case LeafType::kSize:
      return SizeHint(node.text);
    case LeafType::kText:
    case LeafType::kWord:
      return {};
  }
  return {};
}

bool WrongType(LeafType type, const Slot& slot) {
  slot.diagnostics.Error(
      slot.node.position,
      slot.subject + " is not " + Expected(type, slot.rules) + Found(type, slot.node),
      TypeHint(type, slot));
  return false;
}

bool OutOfRange(LeafType type, const Slot& slot) {
  std::string message =
      slot.subject + " is out of range: expected " + internal::RangeOf(type, slot.rules);
  if (slot.node.origin != Node::Origin::kCredential) message += ", found " + Quoted(slot.node.text);
  slot.diagnostics.Error(slot.node.position, std::move(message));
  return false;
}

// The number in `text`, without limits.
Parsed ParseWhole(LeafType type, const Node& node, std::int64_t& value) {
  switch (type) {
    case LeafType::kBool:
      value = node.text == "true" ? 1 : 0;
      return !node.quoted && (node.text == "true" || node.text == "false") ? Parsed::kOk
                                                                           : Parsed::kNo;
    case LeafType::kInteger:
      return node.quoted ? Parsed::kNo : ParseInteger(node.text, value);
    case LeafType::kDuration: {
      const std::optional<Duration> duration = ParseDuration(node.text);
      if (duration) value = duration->count();
      return duration ? Parsed::kOk : Parsed::kNo;
    }
    case LeafType::kSize: {
      const std::optional<ByteSize> size = ParseByteSize(node.text);
      if (size) value = size->bytes;
      const bool bare = !node.text.empty() && node.text.back() != 'B';
      return size && !(node.quoted && bare) ? Parsed::kOk : Parsed::kNo;
    }
    case LeafType::kReal:
    case LeafType::kText:
    case LeafType::kWord:
      break;
  }
  return Parsed::kNo;
}

bool Empty(const Slot& slot) {
  slot.diagnostics.Error(slot.node.position, slot.subject + " is empty");
  return false;
}

}  // namespace

std::optional<ByteSize> ParseByteSize(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  std::int64_t count = 0;
  if (ParseInteger(text.substr(0, digits), count) != Parsed::kOk) return std::nullopt;
  const std::string_view unit = text.substr(digits);
  if (unit.empty()) return ByteSize{count};
  for (const SizeUnit& size : kSizeUnits) {
    if (size.name != unit) continue;
    if (count > std::numeric_limits<std::int64_t>::max() / size.bytes) return std::nullopt;
    return ByteSize{count * size.bytes};
  }
  return std::nullopt;
}

std::string FormatByteSize(ByteSize size) {
  for (const SizeUnit& unit : kSizeUnits) {
    if (size.bytes != 0 && size.bytes % unit.bytes == 0) {
      return std::to_string(size.bytes / unit.bytes).append(unit.name);
    }
  }
  return "0B";
}

namespace internal {

std::string ListOfNames(const std::vector<std::string_view>& names) {
  constexpr std::size_t kNamesMax = 12;
  std::string list;
  for (std::size_t i = 0; i < std::min(names.size(), kNamesMax); ++i) {
    list.append(list.empty() ? "" : ", ").append(Quoted(names[i]));
  }
  return names.size() > kNamesMax ? list + " and others" : list;
}

std::string RangeOf(LeafType type, const OptionRules& rules) {
  std::string least;
  std::string most;
  if (rules.least) least = FormatWhole(type, *rules.least, {});
  if (rules.most) most = FormatWhole(type, *rules.most, {});
  if (rules.least_real) least = FormatReal(*rules.least_real);
  if (rules.most_real) most = FormatReal(*rules.most_real);
  if (!least.empty() && !most.empty()) return least + " to " + most;
  if (!least.empty()) return "at least " + least;
  return most.empty() ? most : "at most " + most;
}

std::string ColonHint(const Node& node) {
  if (!node.IsScalar() || node.quoted || node.origin != Node::Origin::kSource) return {};
  const std::size_t colon = node.text.find(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 >= node.text.size()) return {};
  return "YAML wants a blank after the colon of an option";
}

Slot Slot::Item(std::size_t index) const {
  const Node& item = node.items[index];
  return {item, "item " + std::to_string(index + 1) + " of " + subject, item.position, rules,
          diagnostics};
}

Slot Slot::Entry(const Node::Member& member) const {
  return {member.value, Quoted(member.key), member.position, rules, diagnostics};
}

bool ReadWhole(LeafType type, const Slot& slot, std::int64_t& value) {
  const Node& node = slot.node;
  if (!node.IsScalar()) return WrongType(type, slot);
  for (const auto& [word, meaning] : slot.rules.words) {
    if (word == node.text) {
      value = meaning;
      return true;
    }
  }
  const Parsed parsed = ParseWhole(type, node, value);
  if (parsed == Parsed::kNo) return WrongType(type, slot);
  const bool below = slot.rules.least && value < *slot.rules.least;
  const bool above = slot.rules.most && value > *slot.rules.most;
  if (parsed == Parsed::kOk && !below && !above) return true;
  if (!RangeOf(type, slot.rules).empty()) return OutOfRange(type, slot);
  slot.diagnostics.Error(node.position, slot.subject + " does not fit in 64 bits");
  return false;
}

bool ReadReal(const Slot& slot, double& value) {
  const Node& node = slot.node;
  if (!node.IsScalar() || node.quoted || !ParseReal(node.text, value)) {
    return WrongType(LeafType::kReal, slot);
  }
  const bool below = slot.rules.least_real && value < *slot.rules.least_real;
  const bool above = slot.rules.most_real && value > *slot.rules.most_real;
  return below || above ? OutOfRange(LeafType::kReal, slot) : true;
}

bool ReadText(const Slot& slot, std::string& value) {
  if (!slot.node.IsScalar()) return WrongType(LeafType::kText, slot);
  if (slot.rules.not_empty && slot.node.text.empty()) return Empty(slot);
  value = slot.node.text;
  return true;
}

bool ExpectList(const Slot& slot) {
  if (slot.node.IsSequence()) {
    return slot.rules.not_empty && slot.node.items.empty() ? Empty(slot) : true;
  }
  slot.diagnostics.Error(slot.node.position, slot.subject + " is not a list, found " +
                                                 std::string(slot.node.KindName()));
  return false;
}

bool ExpectMap(const Slot& slot) {
  if (slot.node.IsMap()) {
    return slot.rules.not_empty && slot.node.members.empty() ? Empty(slot) : true;
  }
  slot.diagnostics.Error(slot.node.position,
                         slot.subject + " is not a map, found " + std::string(slot.node.KindName()),
                         ColonHint(slot.node));
  return false;
}

std::string FormatWhole(LeafType type, std::int64_t value, const OptionRules& rules) {
  for (const auto& [word, meaning] : rules.words) {
    if (meaning == value) return std::string(word);
  }
  if (type == LeafType::kBool) return value != 0 ? "true" : "false";
  if (type == LeafType::kDuration) return FormatDuration(Duration(value));
  if (type == LeafType::kSize) return FormatByteSize({value});
  return std::to_string(value);
}

std::string FormatReal(double value) {
  std::array<char, 32> buffer;
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), end};
}

std::string FormatText(std::string_view text) {
  double number = 0;
  const bool plain = !text.empty() &&
                     text.find_first_of(" \t\n\"'#:{}[],&*!|>%@`") == std::string_view::npos &&
                     text.front() != '-' && text != "true" && text != "false" && text != "null" &&
                     text != "~" && !ParseReal(text, number);
  if (plain) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted.push_back('\\');
    quoted.append(c == '\n' ? "\\n" : std::string(1, c));
  }
  return quoted.append("\"");
}

std::string LeafName(LeafType type, const OptionRules& rules) {
  std::string name;
  switch (type) {
    case LeafType::kBool:
      return "boolean";
    case LeafType::kInteger:
      name = "integer";
      break;
    case LeafType::kReal:
      return "number";
    case LeafType::kText:
      return "text";
    case LeafType::kDuration:
      name = "duration";
      break;
    case LeafType::kSize:
      name = "size";
      break;
    case LeafType::kWord:
      name = "one of ";
      break;
  }
  for (std::size_t i = 0; i < rules.words.size(); ++i) {
    const std::string_view separator = type != LeafType::kWord ? " or " : i > 0 ? ", " : "";
    name.append(separator).append(rules.words[i].first);
  }
  return name;
}

}  // namespace internal
}  // namespace runnel

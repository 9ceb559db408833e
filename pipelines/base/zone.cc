#include "pipelines/base/zone.h"

#include <algorithm>
#include <charconv>

namespace runnel {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kOffsetMax = 18 * 3600;  // seconds
constexpr std::size_t kChangesMax = 1'000;

bool TakeNumber(std::string_view& text, std::int64_t& number) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
  return true;
}

bool IsOffset(std::int64_t seconds) { return seconds >= -kOffsetMax && seconds <= kOffsetMax; }

// `+02:00`
std::optional<std::int64_t> ParseFixed(std::string_view text) {
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  for (const std::size_t i : {1U, 2U, 4U, 5U}) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
  }
  const int hours = (text[1] - '0') * 10 + (text[2] - '0');
  const int minutes = (text[4] - '0') * 10 + (text[5] - '0');
  if (minutes > 59 || !IsOffset(hours * 3600 + minutes * 60)) return std::nullopt;
  return (text[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

}  // namespace

std::optional<Zone> Zone::Parse(std::string_view text) {
  Zone zone;
  if (text == "UTC") return zone;
  if (const std::optional<std::int64_t> fixed = ParseFixed(text)) {
    zone.first_ = *fixed * kSecond;
    return zone;
  }
  const std::size_t blank = text.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  text.remove_prefix(blank + 1);
  std::int64_t offset = 0;
  if (!TakeNumber(text, offset) || !IsOffset(offset)) return std::nullopt;
  zone.first_ = offset * kSecond;
  while (!text.empty()) {
    std::int64_t at = 0;
    if (text[0] != ' ') return std::nullopt;
    text.remove_prefix(1);
    if (!TakeNumber(text, at) || text.empty() || text[0] != ':') return std::nullopt;
    text.remove_prefix(1);
    if (!TakeNumber(text, offset) || !IsOffset(offset)) return std::nullopt;
    if (at > INT64_MAX / kSecond || at < INT64_MIN / kSecond) return std::nullopt;
    if (!zone.changes_.empty() && at * kSecond <= zone.changes_.back().utc) return std::nullopt;
    if (zone.changes_.size() == kChangesMax) return std::nullopt;
    zone.changes_.push_back({at * kSecond, offset * kSecond});
  }
  return zone;
}

std::int64_t Zone::OffsetAt(std::int64_t utc) const {
  const auto after =
      std::upper_bound(changes_.begin(), changes_.end(), utc,
                       [](std::int64_t time, const Change& change) { return time < change.utc; });
  return after == changes_.begin() ? first_ : std::prev(after)->offset;
}

Zone::Period Zone::PeriodAt(std::int64_t utc) const {
  const auto after =
      std::upper_bound(changes_.begin(), changes_.end(), utc,
                       [](std::int64_t time, const Change& change) { return time < change.utc; });
  Period period;
  if (after != changes_.end()) period.end = after->utc;
  if (after == changes_.begin()) {
    period.offset = period.offset_before = first_;
    return period;
  }
  const auto change = std::prev(after);
  period.begin = change->utc;
  period.offset = change->offset;
  period.offset_before = change == changes_.begin() ? first_ : std::prev(change)->offset;
  return period;
}

}  // namespace runnel

// Time: points and lengths of time, in microseconds.
//
// The engine never asks a clock: every time it knows came in a record. A Time
// counts from 1970-01-01T00:00:00Z without leap seconds.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace runnel {

using Duration = std::chrono::microseconds;
using Time = std::chrono::sys_time<Duration>;

constexpr Time TimeFromMicroseconds(std::int64_t microseconds) {
  return Time(Duration(microseconds));
}
constexpr std::int64_t Microseconds(Time time) { return time.time_since_epoch().count(); }
// Microseconds from one time to another, the longest there are where they would overflow.
constexpr std::int64_t Elapsed(std::int64_t from, std::int64_t to) {
  std::int64_t elapsed = 0;
  if (!__builtin_sub_overflow(to, from, &elapsed)) return elapsed;
  return to > from ? INT64_MAX : INT64_MIN;
}
constexpr std::int64_t Milliseconds(Time time) {
  return std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count();
}

// `250us`, `250ms`, `10s`, `1m`, `1h`, `2d`; a sum as `1h30m`. Nothing else:
// no sign, no blank, no fraction, no bare number. In a sum units go from large to
// small. At most 10,000 days.
std::optional<Duration> ParseDuration(std::string_view text);
// The shortest text that ParseDuration reads back: `1500ms`, `10s`, `90s` is `90s`.
std::string FormatDuration(Duration duration);

// RFC 3339, as `2026-01-31T12:00:00.25Z` or with an offset; `T` may be a blank.
// Digits after the microsecond are cut off. Refuses dates that do not exist.
std::optional<Time> ParseTimestamp(std::string_view text);
// RFC 3339 in UTC with as many digits (0, 3 or 6) as the value needs; outside the
// years 0 to 9999, which RFC 3339 cannot write, the number of microseconds.
std::string FormatTimestamp(Time time);

}  // namespace runnel

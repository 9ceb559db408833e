// Times: text of timestamps (RFC 3339) and durations, to the nanosecond; offsets of zones.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "pipelines/base/zone.h"
#include "pipelines/value/value.h"

namespace runnel::expr {

// The longest text that a time has.
inline constexpr std::size_t kTimeTextMax = 40;

// `2026-01-31T12:00:00.25Z`; the end of what was written. REQUIRES: kTimestamp, and
// room for kTimeTextMax.
char* WriteTimestamp(const Value& value, char* to);
// `90s`, `-1.5s`. REQUIRES: kDuration, and the same room.
char* WriteDuration(const Value& value, char* to);

// An error where the text is none.
Value ParseRfc3339(std::string_view text);
// `1h30m`, `-1.5s`, `250ms`: as Go has it, and CEL by that.
Value ParseDurationText(std::string_view text);

struct Function;

// Whether the last argument of the function is a zone.
bool TakesZone(const Function& function);
// The seconds from UTC, `seconds` after 1970, of a zone that `zones` has, or of `UTC` or an
// offset such as `+02:00`; nothing for other text.
std::optional<std::int64_t> OffsetOf(std::string_view zone, const ZoneTable* zones,
                                     std::int64_t seconds);

}  // namespace runnel::expr

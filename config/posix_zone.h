// PosixZone: the rule of a time zone as it stands at the end of a file of the zone database,
// such as `CET-1CEST,M3.5.0,M10.5.0/3` (POSIX, "TZ"; RFC 8536, 3.3.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace runnel {

// The changes from the beginning of `first` to the end of `last`, as seconds since 1970 and
// the offset from then on, in order. Empty for a rule without daylight saving time; nullopt
// where the text is no rule.
std::optional<std::vector<std::pair<std::int64_t, std::int64_t>>> PosixZoneChanges(
    std::string_view rule, int first, int last);

}  // namespace runnel

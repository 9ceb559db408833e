// Zone: the offsets of a time zone from UTC, as they are written into a plan.
//
// A plan holds all rules that it needs, because a worker opens no files and an update of
// the zone database must not change a replay. Times outside the list have the offset of
// its nearest end.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runnel {

class Zone final {
 public:
  // `UTC`, an offset such as `+02:00`, or `NAME OFFSET TIME:OFFSET …`: the offset that
  // held first and those that came with a time; seconds, times growing. nullopt where it
  // is none of these: for a name alone too.
  static std::optional<Zone> Parse(std::string_view text);

  // Microseconds, all of these.
  std::int64_t OffsetAt(std::int64_t utc) const;
  std::int64_t ToLocal(std::int64_t utc) const { return utc + OffsetAt(utc); }

  // A stretch of time with one offset: from `begin` until `end`, the first and the last of them
  // without these (INT64_MIN, INT64_MAX).
  struct Period {
    std::int64_t begin = INT64_MIN;
    std::int64_t end = INT64_MAX;
    std::int64_t offset = 0;
    std::int64_t offset_before = 0;  // of the period that ends where it begins
  };
  Period PeriodAt(std::int64_t utc) const;

 private:
  struct Change {
    std::int64_t utc;
    std::int64_t offset;
  };
  std::int64_t first_ = 0;
  std::vector<Change> changes_;
};

// Zones by their names, as a plan has them.
using ZoneTable = std::map<std::string, Zone, std::less<>>;

}  // namespace runnel

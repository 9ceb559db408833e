// Grid: the boundaries between windows that lie behind one another: every so long from
// 1970-01-01T00:00Z plus an offset on, or of the civil time of a zone.
//
// In a zone a boundary is a local time: a day there has 23 to 25 hours.
#pragma once

#include <cstdint>
#include <optional>

#include "pipelines/base/zone.h"

namespace runnel {

struct Grid {
  std::int64_t every = 0;   // microseconds
  std::int64_t offset = 0;  // 0 to every
  std::optional<Zone> zone;

  // The last boundary that is not after `time`.
  std::int64_t StartOf(std::int64_t time) const {
    if (!zone.has_value()) return Floor(time);
    const std::int64_t start = zone->ToUtc(Floor(zone->ToLocal(time)));
    // Where the clock is put back one local time comes twice, and the second is inside.
    return start > time ? Shift(start, -1) : start;
  }
  // The boundary `steps` further on.
  std::int64_t Shift(std::int64_t boundary, std::int64_t steps) const {
    if (!zone.has_value()) return boundary + steps * every;
    // Half a step more: a boundary in a gap is not on the grid of local times.
    const std::int64_t local = Floor(zone->ToLocal(boundary) + every / 2);
    return zone->ToUtc(local + steps * every);
  }
  std::int64_t Next(std::int64_t boundary) const { return Shift(boundary, 1); }

 private:
  std::int64_t Floor(std::int64_t time) const {
    const std::int64_t into = (time - offset) % every;
    return time - (into < 0 ? into + every : into);
  }
};

}  // namespace runnel

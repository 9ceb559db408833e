// Grid: the boundaries between windows that lie behind one another: every so long from
// 1970-01-01T00:00Z plus an offset on, or of the civil time of a zone.
//
// In a zone a boundary is where the local clock comes to a time of the grid: a day there has 23 to
// 25 hours. Times that the clock jumps over in spring are come to when it jumps. Times that it
// shows twice in autumn are boundaries both times where the grid fits into what it is put back by
// (there are two hours from 02:00 to 03:00), else only the first time (there is one day).
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
    return zone.has_value() ? StartInZone(time) : Floor(time);
  }
  // The boundary `steps` further on.
  std::int64_t Shift(std::int64_t boundary, std::int64_t steps) const {
    return zone.has_value() ? ShiftInZone(boundary, steps) : boundary + steps * every;
  }
  std::int64_t Next(std::int64_t boundary) const { return Shift(boundary, 1); }

 private:
  std::int64_t Floor(std::int64_t time) const {
    const std::int64_t into = (time - offset) % every;
    return time - (into < 0 ? into + every : into);
  }
  std::int64_t Ceiling(std::int64_t time) const { return Floor(time + every - 1); }
  std::int64_t OwnFrom(const Zone::Period& period) const;
  std::int64_t StartInZone(std::int64_t time) const;
  std::int64_t NextInZone(std::int64_t boundary) const;
  std::int64_t ShiftInZone(std::int64_t boundary, std::int64_t steps) const;
};

}  // namespace runnel

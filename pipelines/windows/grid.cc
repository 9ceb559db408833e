#include "pipelines/windows/grid.h"

#include <algorithm>

namespace runnel {

// From which local time on the times of the grid are boundaries of the period: behind a clock that
// was put back they may have been come to before.
std::int64_t Grid::OwnFrom(const Zone::Period& period) const {
  const std::int64_t back = period.offset_before - period.offset;
  const std::int64_t begin = period.begin + period.offset;
  return back > 0 && back % every != 0 ? begin + back : begin;
}

std::int64_t Grid::StartInZone(std::int64_t time) const {
  for (Zone::Period period = zone->PeriodAt(time);; period = zone->PeriodAt(period.begin - 1)) {
    // The last one that the period's own clock comes to until `time`, or until its end.
    const std::int64_t local = Floor(std::min(time, period.end - 1) + period.offset);
    if (period.begin == INT64_MIN) return local - period.offset;
    if (local >= OwnFrom(period)) return local - period.offset;
    // The jump that begins it comes to what it jumps over.
    const bool jumped =
        period.offset > period.offset_before && local >= period.begin + period.offset_before;
    if (jumped) return period.begin;
  }
}

std::int64_t Grid::NextInZone(std::int64_t boundary) const {
  Zone::Period period = zone->PeriodAt(boundary);
  std::int64_t local = Floor(boundary + period.offset) + every;
  if (period.begin != INT64_MIN) local = std::max(local, Ceiling(OwnFrom(period)));
  while (local - period.offset >= period.end) {
    const std::int64_t change = period.end;
    const Zone::Period next = zone->PeriodAt(change);
    const bool jumped = next.offset > period.offset && local < change + next.offset;
    if (jumped) return change;
    local = next.offset > period.offset ? local : Ceiling(OwnFrom(next));
    period = next;
  }
  return local - period.offset;
}

std::int64_t Grid::ShiftInZone(std::int64_t boundary, std::int64_t steps) const {
  // Within one period there is nothing to look for.
  const Zone::Period period = zone->PeriodAt(boundary);
  const std::int64_t shifted = boundary + steps * every;
  const std::int64_t local = std::min(boundary, shifted) + period.offset;
  const bool within = Floor(boundary + period.offset) == boundary + period.offset &&
                      shifted < period.end &&
                      (period.begin == INT64_MIN || local >= OwnFrom(period));
  if (within) return shifted;
  for (; steps > 0; --steps) boundary = NextInZone(boundary);
  for (; steps < 0; ++steps) boundary = StartInZone(boundary - 1);
  return boundary;
}

}  // namespace runnel

#include "daemon/posix/clock.h"

#include <ctime>

namespace runnel {

Time CoarseWallClock() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return TimeFromMicroseconds(std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000);
}

}  // namespace runnel

// The clocks that messages are stamped with.
#pragma once

#include "pipelines/base/time.h"

namespace runnel {

// The wall clock of the kernel's last tick, some milliseconds old: a fifth of the cost of
// the exact one, which a message would feel. Any thread.
Time CoarseWallClock();

}  // namespace runnel

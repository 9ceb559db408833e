// Tumbling: windows of one length, one behind the other, aligned to 1970-01-01T00:00Z.
#pragma once

#include <cstdint>

namespace runnel {

struct Tumbling {
  std::int64_t size = 0;  // microseconds

  // The start of the window that `time` falls into.
  std::int64_t StartOf(std::int64_t time) const {
    const std::int64_t into = time % size;
    return time - (into < 0 ? into + size : into);
  }
  std::int64_t EndOf(std::int64_t start) const { return start + size; }
};

}  // namespace runnel

// HashSet: distinct 64-bit hashes in a block of the StateRegion, up to a limit.
//
// Open addressing with linear probing, at most three quarters full, grows by doubling.
#pragma once

#include <cstdint>

#include "pipelines/base/bytes.h"
#include "pipelines/base/state.h"

namespace runnel {

struct HashSet {
  StateRegion::Ref slots;  // of 8 bytes; 0 is an empty one
  std::uint32_t capacity;  // a power of two, or 0
  std::uint32_t count;
  std::uint32_t full;  // not 0: there was one more than the limit

  // Most bytes of a set of so many.
  static std::size_t BytesMax(std::uint32_t limit);

  // The caller has touched the set. Sets `full` where there is no room.
  void Add(std::uint64_t hash, std::uint32_t limit, StateRegion& region);
  // Calls take(hash) for each, in the order of the slots.
  template <typename Take>
  void ForEach(const StateRegion& region, Take&& take) const {
    const auto* all = region.Get<std::uint64_t>(slots);
    for (std::uint32_t i = 0; i < capacity; ++i) {
      if (all[i] != 0) take(all[i]);
    }
  }
  void Free(StateRegion& region);
  void Save(const StateRegion& region, ByteWriter& writer) const;
  void Load(std::uint32_t limit, StateRegion& region, ByteReader& reader);

 private:
  bool Grow(StateRegion& region);
};

}  // namespace runnel

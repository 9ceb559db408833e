#include "pipelines/aggregates/hash_set.h"

#include <algorithm>
#include <vector>

namespace runnel {
namespace {

constexpr std::uint32_t kFirstCapacity = 16;

// False where it was there.
bool Put(std::uint64_t* slots, std::uint32_t capacity, std::uint64_t hash, std::uint64_t*& place) {
  auto at = static_cast<std::uint32_t>(hash) & (capacity - 1);
  while (slots[at] != 0 && slots[at] != hash) at = (at + 1) & (capacity - 1);
  place = &slots[at];
  return slots[at] == 0;
}

}  // namespace

std::size_t HashSet::BytesMax(std::uint32_t limit) {
  std::size_t capacity = kFirstCapacity;
  while (capacity * 3 / 4 < limit) capacity *= 2;
  return StateRegion::Rounded(capacity * sizeof(std::uint64_t));
}

void HashSet::Add(std::uint64_t hash, std::uint32_t limit, StateRegion& region) {
  hash = std::max<std::uint64_t>(hash, 1);
  std::uint64_t* place = nullptr;
  if (capacity > 0 && !Put(region.Get<std::uint64_t>(slots), capacity, hash, place)) return;
  if (count >= limit || ((count + 1) * 4 > capacity * 3 && !Grow(region))) {
    full = 1;
    return;
  }
  Put(region.Get<std::uint64_t>(slots), capacity, hash, place);
  region.Touch(place, sizeof *place);
  *place = hash;
  ++count;
}

bool HashSet::Grow(StateRegion& region) {
  const std::uint32_t wanted = capacity == 0 ? kFirstCapacity : 2 * capacity;
  const StateRegion::Ref fresh = region.Allocate(wanted * sizeof(std::uint64_t));
  if (fresh == StateRegion::kNone) return false;
  ForEach(region, [&](std::uint64_t hash) {
    std::uint64_t* place = nullptr;
    Put(region.Get<std::uint64_t>(fresh), wanted, hash, place);
    *place = hash;
  });
  if (capacity > 0) region.Free(slots, capacity * sizeof(std::uint64_t));
  slots = fresh;
  capacity = wanted;
  return true;
}

void HashSet::Free(StateRegion& region) {
  if (capacity > 0) region.Free(slots, capacity * sizeof(std::uint64_t));
  *this = HashSet{};
}

void HashSet::Save(const StateRegion& region, ByteWriter& writer) const {
  std::vector<std::uint64_t> all;
  ForEach(region, [&](std::uint64_t hash) { all.push_back(hash); });
  std::sort(all.begin(), all.end());
  writer.Varint(all.size());
  for (const std::uint64_t hash : all) writer.U64(hash);
  writer.U8(full != 0 ? 1 : 0);
}

void HashSet::Load(std::uint32_t limit, StateRegion& region, ByteReader& reader) {
  for (std::uint64_t i = reader.Varint(); i > 0 && reader.ok(); --i) {
    Add(reader.U64(), limit, region);
  }
  full = reader.U8();
}

}  // namespace runnel

#include "pipelines/aggregates/sketch.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace runnel {
namespace {

constexpr std::uint32_t kFirstBuckets = 16;        // of a new store
constexpr double kSmallest = 1e-300;               // magnitudes below count as zero
constexpr std::int64_t kBucketFarthest = 200'000;  // from zero, for checks: none is so far

// Counters of consecutive buckets; `capacity` of them follow, each `width` bytes.
struct Store {
  std::int32_t first;
  std::uint16_t capacity;
  std::uint16_t width;  // 2 or 4
};

std::size_t BytesOf(std::uint32_t capacity, std::uint32_t width) {
  return sizeof(Store) + std::size_t{capacity} * width;
}

std::uint64_t CounterAt(const Store& store, std::uint32_t i) {
  const auto* counters = reinterpret_cast<const std::byte*>(&store + 1);
  if (store.width == 2) {
    std::uint16_t counter;
    std::memcpy(&counter, counters + 2 * std::size_t{i}, sizeof counter);
    return counter;
  }
  std::uint32_t counter;
  std::memcpy(&counter, counters + 4 * std::size_t{i}, sizeof counter);
  return counter;
}

void SetCounter(Store& store, std::uint32_t i, std::uint64_t value) {
  auto* counters = reinterpret_cast<std::byte*>(&store + 1);
  if (store.width == 2) {
    const auto counter = static_cast<std::uint16_t>(std::min<std::uint64_t>(value, 0xffff));
    std::memcpy(counters + 2 * std::size_t{i}, &counter, sizeof counter);
  } else {
    const auto counter = static_cast<std::uint32_t>(std::min<std::uint64_t>(value, 0xffffffff));
    std::memcpy(counters + 4 * std::size_t{i}, &counter, sizeof counter);
  }
}

// A store of so many buckets of such a width from `first` on, with what `ref` holds.
// False where the region has no room; then nothing has changed.
bool Rebuild(StateRegion::Ref& ref, std::int32_t first, std::uint32_t capacity, std::uint16_t width,
             StateRegion& region) {
  // What the block has anyway.
  const std::size_t rounded = StateRegion::Rounded(BytesOf(capacity, width));
  capacity = static_cast<std::uint32_t>(
      std::min<std::size_t>((rounded - sizeof(Store)) / width, Sketch::kBucketsMax));
  const StateRegion::Ref fresh = region.Allocate(BytesOf(capacity, width));
  if (fresh == StateRegion::kNone) return false;
  auto* store = region.Get<Store>(fresh);
  *store = Store{first, static_cast<std::uint16_t>(capacity), width};
  if (ref != StateRegion::kNone) {
    const Store& old = *region.Get<Store>(ref);
    for (std::uint32_t i = 0; i < old.capacity; ++i) {
      const std::uint64_t counter = CounterAt(old, i);
      if (counter == 0) continue;
      const std::int64_t place = std::int64_t{old.first} + i - first;
      const auto at = static_cast<std::uint32_t>(
          std::clamp<std::int64_t>(place, 0, std::int64_t{capacity} - 1));
      SetCounter(*store, at, CounterAt(*store, at) + counter);
    }
    region.Free(ref, BytesOf(old.capacity, old.width));
  }
  ref = fresh;
  return true;
}

// Makes room for `bucket`, collapsing the lowest where there are too many.
bool Reach(StateRegion::Ref& ref, std::int32_t bucket, StateRegion& region) {
  if (ref == StateRegion::kNone) {
    return Rebuild(ref, bucket - static_cast<std::int32_t>(kFirstBuckets / 2), kFirstBuckets, 2,
                   region);
  }
  const Store& store = *region.Get<Store>(ref);
  const std::int32_t last = store.first + store.capacity - 1;
  if (bucket >= store.first && bucket <= last) return true;
  // Room at the end that grows, a quarter more than needed.
  const std::int32_t low = std::min(store.first, bucket);
  const std::int32_t high = std::max(last, bucket);
  const std::int64_t span = std::int64_t{high} - low + 1;
  const std::int64_t wanted = std::min<std::int64_t>(span + span / 4, Sketch::kBucketsMax);
  std::int32_t first = bucket < store.first ? static_cast<std::int32_t>(high - wanted + 1) : low;
  if (span > Sketch::kBucketsMax) {
    first = high - static_cast<std::int32_t>(Sketch::kBucketsMax) + 1;
    if (first == store.first) return true;
  }
  return Rebuild(ref, first, static_cast<std::uint32_t>(wanted), store.width, region);
}

void AddToStore(StateRegion::Ref& ref, std::int32_t bucket, std::uint64_t count,
                StateRegion& region) {
  if (!Reach(ref, bucket, region) && ref == StateRegion::kNone) return;
  Store* store = region.Get<Store>(ref);
  const std::int64_t place = std::int64_t{bucket} - store->first;
  const auto at = static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(place, 0, std::int64_t{store->capacity} - 1));
  const std::uint64_t counter = CounterAt(*store, at) + count;
  if (store->width == 2 && counter > 0xffff) {
    if (Rebuild(ref, store->first, store->capacity, 4, region)) store = region.Get<Store>(ref);
  }
  region.Touch(reinterpret_cast<std::byte*>(store + 1) + std::size_t{at} * store->width,
               store->width);
  SetCounter(*store, at, counter);
}

// One more value where there is a narrow counter for it already, as there nearly always
// is; false, and nothing done, where there is not.
inline bool CountOne(StateRegion::Ref ref, std::int32_t bucket, StateRegion& region) {
  if (ref == StateRegion::kNone) return false;
  Store& store = *region.Get<Store>(ref);
  const auto place = static_cast<std::uint32_t>(bucket - store.first);
  if (place >= store.capacity || store.width != 2) return false;
  std::uint16_t* const counter = reinterpret_cast<std::uint16_t*>(&store + 1) + place;
  if (*counter == 0xffff) return false;
  region.Touch(counter, sizeof *counter);
  ++*counter;
  return true;
}

// The buckets that values of one sign are in.
struct Reached {
  std::int32_t low = INT32_MAX;
  std::int32_t high = INT32_MIN;

  void Add(std::int32_t bucket) {
    low = std::min(low, bucket);
    high = std::max(high, bucket);
  }
  bool IsEmpty() const { return low > high; }
};

// Narrow counters, one for each of the buckets that are asked for; or none.
struct Counters {
  std::uint16_t* first = nullptr;
  std::int32_t bucket = 0;  // of the first

  std::uint16_t& Of(std::int32_t of) const { return first[of - bucket]; }
};

// A new store for all of these buckets. It gets a block as large as that of the exact list
// where that is enough: what one key gives back the next one takes. No counters where not all
// buckets have one: then AddToStore does what can be done.
Counters MakeStore(StateRegion::Ref& ref, const Reached& reached, StateRegion& region) {
  constexpr std::uint32_t kAtLeast = (Sketch::kExactMax * sizeof(double) - sizeof(Store)) / 2;
  if (reached.IsEmpty()) return {};
  const std::int64_t span = std::int64_t{reached.high} - reached.low + 1;
  const std::int64_t capacity =
      std::clamp<std::int64_t>(span + span / 4, kAtLeast, Sketch::kBucketsMax);
  // The lowest collapse where there are too many; else room is left at both ends.
  const std::int64_t first =
      reached.high + 1 - capacity + std::max<std::int64_t>(0, capacity - span) / 2;
  if (!Rebuild(ref, static_cast<std::int32_t>(first), static_cast<std::uint32_t>(capacity), 2,
               region) ||
      first > reached.low) {
    return {};
  }
  return {reinterpret_cast<std::uint16_t*>(region.Get<Store>(ref) + 1),
          static_cast<std::int32_t>(first)};
}

// Values move from the exact list to the buckets.
void ToBuckets(SketchState& state, StateRegion& region) {
  if (state.exact == StateRegion::kNone) return;
  const double* const values = region.Get<double>(state.exact);
  std::int32_t buckets[Sketch::kExactMax] = {};
  Reached positive;
  Reached negative;
  for (std::uint64_t i = 0; i < state.count; ++i) {
    const double magnitude = std::fabs(values[i]);
    if (magnitude < kSmallest) continue;
    buckets[i] = BucketOf(magnitude);
    (values[i] > 0 ? positive : negative).Add(buckets[i]);
  }
  const Counters above = MakeStore(state.positive, positive, region);
  const Counters below = MakeStore(state.negative, negative, region);
  for (std::uint64_t i = 0; i < state.count; ++i) {
    const bool is_above = values[i] > 0;
    if (std::fabs(values[i]) < kSmallest) {
      ++state.zeros;
    } else if (const Counters& counters = is_above ? above : below; counters.first != nullptr) {
      ++counters.Of(buckets[i]);
    } else {
      AddToStore(is_above ? state.positive : state.negative, buckets[i], 1, region);
    }
  }
  region.Free(state.exact, Sketch::kExactMax * sizeof(double));
  state.exact = StateRegion::kNone;
}

// Where a store is used: the places of its first and its last counter above zero.
struct UsedPart {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::uint32_t counters = 0;  // above zero
};

// Counters are zero or not as if at random: what asks each of them must not branch.
template <typename Counter>
UsedPart UsedOf(const Store& store, const Counter* counters) {
  UsedPart used;
  for (std::uint32_t i = 0; i < store.capacity; ++i) used.counters += counters[i] != 0 ? 1U : 0U;
  if (used.counters == 0) return used;
  while (counters[used.first] == 0) ++used.first;
  used.last = store.capacity - 1U;
  while (counters[used.last] == 0) --used.last;
  return used;
}

// How many of the buckets of a saved store have a counter above zero from which on all between
// the first and the last are saved, and not just those and how far they are apart.
bool IsDense(std::uint64_t counters, std::uint64_t buckets) { return 2 * counters > buckets; }

// How many counters are above zero, the first bucket, how far it is to the last one; then all
// counters, or each above zero behind the distance from the one before.
template <typename Counter>
void SaveCounters(const Store& store, ByteWriter& writer) {
  const auto* const counters = reinterpret_cast<const Counter*>(&store + 1);
  const UsedPart used = UsedOf(store, counters);
  writer.Varint(used.counters);
  if (used.counters == 0) return;
  writer.Signed(store.first + static_cast<std::int64_t>(used.first));
  writer.Varint(used.last - used.first);
  constexpr std::size_t kMost = 5;  // bytes of a number
  if (IsDense(used.counters, used.last - used.first + 1)) {
    char* at = writer.Room(kMost * (used.last - used.first + 1));
    for (std::uint32_t i = used.first; i <= used.last; ++i) {
      at = ByteWriter::PutVarint(counters[i], at);
    }
    return writer.EndAt(at);
  }
  char* at = writer.Room(2 * kMost * used.counters);
  std::uint32_t before = used.first;
  for (std::uint32_t i = used.first; i <= used.last; ++i) {
    if (counters[i] == 0) continue;
    at = ByteWriter::PutVarint(i - before, at);
    at = ByteWriter::PutVarint(counters[i], at);
    before = i;
  }
  writer.EndAt(at);
}

void SaveStore(StateRegion::Ref ref, const StateRegion& region, ByteWriter& writer) {
  if (ref == StateRegion::kNone) return writer.Varint(0);
  const Store& store = *region.Get<Store>(ref);
  if (store.width == 2) {
    SaveCounters<std::uint16_t>(store, writer);
  } else {
    SaveCounters<std::uint32_t>(store, writer);
  }
}

// Whether all of `bytes` are varints of one byte.
bool AreSmall(std::string_view bytes) {
  unsigned char all = 0;
  for (const char byte : bytes) all |= static_cast<unsigned char>(byte);
  return all < 0x80;
}

// The sum of the counters.
std::uint64_t LoadStore(StateRegion::Ref& ref, StateRegion& region, ByteReader& reader) {
  const std::uint64_t used = reader.Varint();
  if (used == 0) return 0;
  const std::int64_t first = reader.Signed();
  const std::uint64_t distance = reader.Varint();
  if (first < -kBucketFarthest || first > kBucketFarthest || used > Sketch::kBucketsMax ||
      distance >= Sketch::kBucketsMax) {
    return 0;
  }
  // All at once; where the region has no room AddToStore does what can be done.
  const bool made = Rebuild(ref, static_cast<std::int32_t>(first),
                            static_cast<std::uint32_t>(distance) + 1, 2, region);
  auto* const narrow =
      made ? reinterpret_cast<std::uint16_t*>(region.Get<Store>(ref) + 1) : nullptr;
  std::size_t room = made ? region.Get<Store>(ref)->capacity : 0;
  const bool dense = IsDense(used, distance + 1);
  std::uint64_t total = 0;
  const std::string_view bytes = reader.rest().substr(0, distance + 1);
  if (dense && room > distance && bytes.size() > distance && AreSmall(bytes)) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const auto counter = static_cast<unsigned char>(bytes[i]);
      narrow[i] = counter;
      total += counter;
    }
    reader.Raw(bytes.size());
    return total;
  }
  std::uint64_t place = 0;
  for (std::uint64_t i = 0; i < (dense ? distance + 1 : used) && reader.ok(); ++i) {
    place = dense ? i : place + reader.Varint();
    const std::uint64_t counter = reader.Varint();
    if (place > distance || counter > UINT32_MAX) break;
    if (place < room && counter <= 0xffff) {
      narrow[place] = static_cast<std::uint16_t>(counter);
    } else if (counter != 0) {
      AddToStore(ref, static_cast<std::int32_t>(first + static_cast<std::int64_t>(place)), counter,
                 region);
      room = 0;  // it may have moved
    }
    total += counter;
  }
  return total;
}

// The lowest bucket with not more than `above` values in those above it: high quantiles, which
// are asked for most, are near. The lowest with a value where there are not as many.
template <typename Counter>
int BucketFromAbove(const Store& store, const Counter* counters, std::uint64_t above) {
  std::uint32_t found = 0;
  std::uint64_t seen = 0;
  for (std::uint32_t i = store.capacity; i-- > 0 && seen <= above;) {
    if (counters[i] != 0) found = i;
    seen += counters[i];
  }
  return store.first + static_cast<std::int32_t>(found);
}
int BucketFromAbove(const Store& store, std::uint64_t above) {
  const void* const counters = &store + 1;
  return store.width == 2
             ? BucketFromAbove(store, static_cast<const std::uint16_t*>(counters), above)
             : BucketFromAbove(store, static_cast<const std::uint32_t*>(counters), above);
}

// Adds narrow counters to narrow ones that are there already; false, and nothing done, where
// they are not, or one would be too large.
bool AddNarrow(Store& into, const Store& other, const UsedPart& used, StateRegion& region) {
  const std::int64_t place = std::int64_t{other.first} + used.first - into.first;
  const std::uint32_t count = used.last - used.first + 1;
  if (into.width != 2 || place < 0 || place + count > into.capacity) return false;
  auto* const sums = reinterpret_cast<std::uint16_t*>(&into + 1) + place;
  const auto* const counters = reinterpret_cast<const std::uint16_t*>(&other + 1) + used.first;
  unsigned all = 0;
  for (std::uint32_t i = 0; i < count; ++i) all |= unsigned{sums[i]} + counters[i];
  if (all > 0xffff) return false;
  region.Touch(sums, count * sizeof *sums);
  for (std::uint32_t i = 0; i < count; ++i) {
    sums[i] = static_cast<std::uint16_t>(sums[i] + counters[i]);
  }
  return true;
}

void MergeStore(StateRegion::Ref& into, StateRegion& region, StateRegion::Ref ref,
                const StateRegion& from) {
  if (ref == StateRegion::kNone) return;
  if (const Store& other = *from.Get<Store>(ref); other.width == 2) {
    const UsedPart used = UsedOf(other, reinterpret_cast<const std::uint16_t*>(&other + 1));
    if (used.counters == 0) return;
    const auto bucket = [&](std::uint32_t place) {
      return other.first + static_cast<std::int32_t>(place);
    };
    if (Reach(into, bucket(used.first), region) && Reach(into, bucket(used.last), region) &&
        AddNarrow(*region.Get<Store>(into), *from.Get<Store>(ref), used, region)) {
      return;
    }
  }
  for (std::uint32_t i = 0; i < from.Get<Store>(ref)->capacity; ++i) {
    const Store& store = *from.Get<Store>(ref);
    const std::uint64_t count = CounterAt(store, i);
    if (count != 0) AddToStore(into, store.first + static_cast<std::int32_t>(i), count, region);
  }
}

}  // namespace

std::size_t Sketch::ExtraMax() {
  return 2 * StateRegion::Rounded(BytesOf(kBucketsMax, 4)) + kExactMax * sizeof(double);
}

void Sketch::Add(SketchState& state, double value, StateRegion& region) {
  if (state.count < kExactMax) {
    if (state.exact == StateRegion::kNone && state.count == 0) {
      state.exact = region.Allocate(kExactMax * sizeof(double));
    }
    if (state.exact != StateRegion::kNone) {
      double* place = region.Get<double>(state.exact) + state.count;
      region.Touch(place, sizeof(double));
      *place = value;
      ++state.count;
      return;
    }
  }
  ToBuckets(state, region);
  const double magnitude = std::fabs(value);
  if (magnitude < kSmallest) {
    ++state.zeros;
  } else {
    StateRegion::Ref& ref = value > 0 ? state.positive : state.negative;
    const std::int32_t bucket = BucketOf(magnitude);
    if (!CountOne(ref, bucket, region)) AddToStore(ref, bucket, 1, region);
  }
  ++state.count;
}

void Sketch::AddMany(std::byte* const* blocks, std::size_t offset, const double* values,
                     std::size_t count, StateRegion& region) {
  constexpr std::size_t kAtOnce = 8;
  for (std::size_t i = 0; i < count; i += kAtOnce) {
    const std::size_t some = std::min(kAtOnce, count - i);
    double magnitudes[kAtOnce] = {};
    std::copy_n(values + i, some, magnitudes);
    std::int32_t buckets[kAtOnce];
    for (std::size_t j = 0; j < kAtOnce; ++j) buckets[j] = BucketOf(magnitudes[j]);
    for (std::size_t j = 0; j < some; ++j) {
      auto& state = *reinterpret_cast<SketchState*>(blocks[i + j] + offset);
      if (magnitudes[j] >= kSmallest && CountOne(state.positive, buckets[j], region)) {
        ++state.count;
      } else {
        Add(state, magnitudes[j], region);
      }
    }
  }
}

void Sketch::Merge(SketchState& state, StateRegion& region, const SketchState& other,
                   const StateRegion& from) {
  if (other.exact != StateRegion::kNone) {
    for (std::uint64_t i = 0; i < other.count; ++i) {
      Add(state, from.Get<double>(other.exact)[i], region);
    }
    return;
  }
  if (other.count == 0) return;
  ToBuckets(state, region);
  MergeStore(state.positive, region, other.positive, from);
  MergeStore(state.negative, region, other.negative, from);
  state.zeros += other.zeros;
  state.count += other.count;
}

double Sketch::Quantile(const SketchState& state, double q, const StateRegion& region) {
  const double exact_rank = std::ceil(q * static_cast<double>(state.count));
  const auto rank = static_cast<std::uint64_t>(
      std::clamp(exact_rank, 1.0, static_cast<double>(state.count)));  // counts from 1
  if (state.exact != StateRegion::kNone) {
    double values[kExactMax];
    std::copy_n(region.Get<double>(state.exact), state.count, values);
    std::nth_element(values, values + rank - 1, values + state.count);
    return values[rank - 1];
  }
  std::uint64_t seen = 0;
  if (state.negative != StateRegion::kNone) {
    const Store& store = *region.Get<Store>(state.negative);
    for (std::uint32_t i = store.capacity; i-- > 0;) {
      seen += CounterAt(store, i);
      if (seen >= rank) return -MiddleOf(store.first + static_cast<std::int32_t>(i));
    }
  }
  seen += state.zeros;
  if (seen >= rank || state.positive == StateRegion::kNone) return 0.0;
  return MiddleOf(BucketFromAbove(*region.Get<Store>(state.positive), state.count - rank));
}

void Sketch::Free(SketchState& state, StateRegion& region) {
  if (state.exact != StateRegion::kNone) region.Free(state.exact, kExactMax * sizeof(double));
  for (const StateRegion::Ref ref : {state.positive, state.negative}) {
    if (ref == StateRegion::kNone) continue;
    const Store& store = *region.Get<Store>(ref);
    region.Free(ref, BytesOf(store.capacity, store.width));
  }
  state = SketchState{};
}

void Sketch::Save(const SketchState& state, const StateRegion& region, ByteWriter& writer) {
  writer.Varint(state.count);
  writer.U8(state.exact != StateRegion::kNone ? 1 : 0);
  if (state.exact != StateRegion::kNone) {
    for (std::uint64_t i = 0; i < state.count; ++i) writer.F64(region.Get<double>(state.exact)[i]);
    return;
  }
  writer.Varint(state.zeros);
  SaveStore(state.positive, region, writer);
  SaveStore(state.negative, region, writer);
}

void Sketch::Load(SketchState& state, StateRegion& region, ByteReader& reader) {
  Init(state);
  const std::uint64_t count = reader.Varint();
  if (reader.U8() == 1) {
    for (std::uint64_t i = 0; i < count && i < kExactMax && reader.ok(); ++i) {
      Add(state, reader.F64(), region);
    }
    return;
  }
  state.zeros = static_cast<std::uint32_t>(reader.Varint());
  state.count = state.zeros;
  state.count += LoadStore(state.positive, region, reader);
  state.count += LoadStore(state.negative, region, reader);
}

}  // namespace runnel

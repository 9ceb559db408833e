// Sketch: a mergeable summary of numbers that answers quantiles.
//
// Exact for up to kExactMax values; beyond that a DDSketch (Masson, Rim, Lee: VLDB
// 2019) whose answer is within kRelativeError of a value at that rank. Buckets (see
// sketch_buckets.h) are in one contiguous array of counters per sign that grows with the
// range of the values. At kBucketsMax buckets of a sign the ones nearest
// zero collapse into one: the error then grows for the smallest magnitudes only.
//
// The state is 24 bytes in the window's block and one or two blocks of the region.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pipelines/aggregates/sketch_buckets.h"
#include "pipelines/base/bytes.h"
#include "pipelines/base/state.h"

namespace runnel {

struct SketchState {
  StateRegion::Ref exact;     // doubles, until there are too many
  StateRegion::Ref positive;  // buckets
  StateRegion::Ref negative;
  std::uint32_t zeros;  // and magnitudes too small for a bucket
  std::uint64_t count;
};

class Sketch final {
 public:
  static constexpr double kRelativeError = 0.01;
  static constexpr std::uint32_t kExactMax = 16;
  static constexpr std::uint32_t kBucketsMax = 2048;

  // Most bytes that hang off a state.
  static std::size_t ExtraMax();

  static void Init(SketchState& state) { state = SketchState{}; }
  // REQUIRES: `value` is finite. Where the region has no room for a bucket the value is
  // counted in the nearest one there is.
  static void Add(SketchState& state, double value, StateRegion& region);
  // The same of many at once: the i-th value for the state at `offset` in the i-th block.
  static void AddMany(std::byte* const* blocks, std::size_t offset, const double* values,
                      std::size_t count, StateRegion& region);
  static void Merge(SketchState& state, StateRegion& region, const SketchState& other,
                    const StateRegion& from);
  // The smallest value that at least a part `q` (0 to 1) of the values does not exceed.
  // REQUIRES: count > 0.
  static double Quantile(const SketchState& state, double q, const StateRegion& region);
  static void Free(SketchState& state, StateRegion& region);
  static void Save(const SketchState& state, const StateRegion& region, ByteWriter& writer);
  static void Load(SketchState& state, StateRegion& region, ByteReader& reader);
};

}  // namespace runnel

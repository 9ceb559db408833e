// ScalarState: one number, bool or text in 16 bytes of state; text hangs off it.
#pragma once

#include <cstdint>

#include "pipelines/base/bytes.h"
#include "pipelines/base/state.h"
#include "pipelines/value/value.h"

namespace runnel {

struct ScalarState {
  static constexpr std::size_t kTextMax = 256;  // bytes

  std::int64_t bits;      // of the number or bool; of text its size
  StateRegion::Ref text;  // kNone for an empty text
  Type type;              // kMissing: none yet
  std::uint8_t reserved[3];

  bool IsEmpty() const { return type == Type::kMissing; }
  // A literal reason why it cannot be kept, or nullptr.
  static const char* Refuses(const Value& value);
  // Text that the region has no room for becomes empty. The caller has touched the state.
  void Set(const Value& value, StateRegion& region);
  void Copy(const ScalarState& other, const StateRegion& from, StateRegion& region) {
    Set(other.Get(from), region);
  }
  // Null where there is none; text is borrowed.
  Value Get(const StateRegion& region) const;
  void Free(StateRegion& region);
  // Gives back what hangs off it, where the state itself is going too.
  void Release(StateRegion& region) const;
  void Save(const StateRegion& region, ByteWriter& writer) const;
  // REQUIRES: the state is empty.
  void Load(StateRegion& region, ByteReader& reader);
};
static_assert(sizeof(ScalarState) == 16);

// Equal for values that are equal: 1 and 1.0. REQUIRES: ScalarState takes it.
std::uint64_t HashScalar(const Value& value);
// A total order of scalars, for results that must not depend on the order of merging:
// bools, numbers, text; NaN first among numbers.
bool ScalarLess(const Value& a, const Value& b);

}  // namespace runnel

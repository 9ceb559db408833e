// NumberState: one number of any type in 16 bytes of state; none at first.
#pragma once

#include <bit>
#include <cstdint>

#include "pipelines/value/value.h"

namespace runnel {

struct NumberState {
  std::int64_t bits;  // of the int, uint or double
  Type type;          // kMissing: none yet
  std::uint8_t reserved[7];

  bool IsEmpty() const { return type == Type::kMissing; }
  // REQUIRES: value.IsNumber().
  void Set(const Value& value) {
    type = value.type();
    bits = type == Type::kDouble ? std::bit_cast<std::int64_t>(value.AsDouble()) : value.AsInt();
  }
  // REQUIRES: type == kDouble.
  double AsDouble() const { return std::bit_cast<double>(bits); }
  // Null where there is none.
  Value Get() const;
};

}  // namespace runnel

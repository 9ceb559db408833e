// Digest: a 64-bit hash of a value; equal values of one type have equal digests.
#pragma once

#include <cstdint>

#include "pipelines/value/value.h"

namespace runnel {

std::uint64_t Digest(const Value& value, std::uint64_t seed = 1);

}  // namespace runnel

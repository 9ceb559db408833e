// The buckets of a Sketch: which one a magnitude is in, and what magnitude stands for one.
//
// Buckets follow the logarithm, taken by a cubic polynomial of the mantissa: DDSketch's
// "cubically interpolated mapping". With basic operations alone, so that the same values
// give the same results on every machine.
#pragma once

#include <bit>
#include <cstdint>

namespace runnel {

namespace sketch_buckets {

// In the polynomial P(s) = ((A s + B) s + C) s of the mantissa 1 + s; its slope is
// smallest at 0, which the multiplier makes up for.
constexpr double kA = 6.0 / 35;
constexpr double kB = -3.0 / 5;
constexpr double kC = 10.0 / 7;
constexpr double kLogGamma =
    0.020000666706669543;  // ln((1 + kRelativeError) / (1 - kRelativeError))
constexpr double kMultiplier = 0.7 / kLogGamma;

}  // namespace sketch_buckets

// REQUIRES: `magnitude` is positive, finite and no denormal.
inline int BucketOf(double magnitude) {
  const auto bits = std::bit_cast<std::uint64_t>(magnitude);
  // The exponent as the last bits of a number from 2^52 on: with instructions that there are
  // for several at once.
  using namespace sketch_buckets;
  constexpr double kTwo52 = 1ULL << 52;
  const double exponent =
      std::bit_cast<double>((bits >> 52) | std::bit_cast<std::uint64_t>(kTwo52)) - (kTwo52 + 1023);
  const double s = std::bit_cast<double>((bits & 0xfffffffffffffULL) | 0x3ff0000000000000ULL) - 1.0;
  const double place = kMultiplier * (((kA * s + kB) * s + kC) * s + exponent);
  // At most 36,000 from zero: shifted so that leaving out the fraction rounds down.
  constexpr int kShift = 1 << 16;
  return static_cast<int>(place + kShift) - kShift;
}

// The magnitude in the middle of a bucket: within the sketch's relative error of all others
// in it.
double MiddleOf(int bucket);

}  // namespace runnel

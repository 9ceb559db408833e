#include "pipelines/aggregates/sketch_buckets.h"

#include <algorithm>
#include <limits>

namespace runnel {
namespace {

using namespace sketch_buckets;

// A magnitude: mantissa * 2 ^ exponent.
struct Magnitude {
  double mantissa;  // 1 to 2
  int exponent;
};

// Where bucket `index` begins.
Magnitude LowerBound(int index) {
  constexpr int kShift = 1 << 16;  // so that leaving out the fraction rounds down
  const double position = index / kMultiplier;
  const int exponent = static_cast<int>(position + kShift) - kShift;
  const double part = position - exponent;
  // The inverse of P: within 6.1e-5 by a polynomial that is exact at both ends (least largest
  // error), and from there within the last bits by two steps of Newton's.
  const double bend = ((0.1379 * part - 0.1203) * part - 0.0636) * part - 0.3025;
  double s = part + part * (1 - part) * bend;
  for (int i = 0; i < 2; ++i) {
    s -= (((kA * s + kB) * s + kC) * s - part) / ((3 * kA * s + 2 * kB) * s + kC);
  }
  return {1.0 + s, exponent};
}

}  // namespace

double MiddleOf(int bucket) {
  const Magnitude low = LowerBound(bucket);
  const Magnitude next = LowerBound(bucket + 1);
  const double high = next.exponent > low.exponent ? 2 * next.mantissa : next.mantissa;
  // The harmonic mean.
  const double middle = 2 * low.mantissa * high / (low.mantissa + high);
  const auto power = std::bit_cast<double>(static_cast<std::uint64_t>(low.exponent + 1023) << 52);
  return std::min(middle * power, std::numeric_limits<double>::max());
}

}  // namespace runnel

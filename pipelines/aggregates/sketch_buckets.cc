#include "pipelines/aggregates/sketch_buckets.h"

#include <cmath>

namespace runnel {
namespace {

using namespace sketch_buckets;

// The magnitude where bucket `index` begins.
double LowerBound(double index) {
  const double position = index / kMultiplier;
  const double exponent = std::floor(position);
  const double part = position - exponent;
  double s = part * 0.7;
  double before = s;
  for (int i = 0; i < 40; ++i) {
    const double error = ((kA * s + kB) * s + kC) * s - part;
    const double next = s - error / ((3 * kA * s + 2 * kB) * s + kC);
    // It stands still, or goes to and fro in the last bit.
    if (next == s) break;
    if (next == before && i > 0) {
      if (i % 2 == 1) s = next;
      break;
    }
    before = s;
    s = next;
  }
  return std::ldexp(1.0 + s, static_cast<int>(exponent));
}

}  // namespace

double MiddleOf(int bucket) {
  const double low = LowerBound(bucket);
  const double high = LowerBound(bucket + 1);
  return 2 * high / (1 + high / low);  // the products of the usual form would overflow
}

}  // namespace runnel

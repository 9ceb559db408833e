// Moments: count, mean and central moments of numbers, one value at a time and merged.
//
// Sources: Welford, Technometrics 4, 1962; Chan, Golub and LeVeque, 1979; for the third
// and fourth moment Pebay, SAND2008-6212, 2008. All is counted from the first value, so
// that a mean of 1e9 beside a deviation of 1 costs no digits.
#pragma once

#include <cstdint>

namespace runnel {

struct Moments {
  std::uint64_t count;
  double origin;  // the first value
  double mean;    // from there
  double second;  // sum of squared distances from the mean

  void Add(double value) {
    if (count == 0) origin = value;
    const double x = value - origin;
    const double before = x - mean;
    mean += before / static_cast<double>(++count);
    second += before * (x - mean);
  }
  void Merge(const Moments& from) {
    if (from.count == 0) return;
    if (count == 0) {
      *this = from;
      return;
    }
    const auto n = static_cast<double>(count);
    const auto more = static_cast<double>(from.count);
    const double distance = from.origin - origin + from.mean - mean;
    mean += distance * more / (n + more);
    second += from.second + distance * distance * n * more / (n + more);
    count += from.count;
  }
};

struct FourMoments {
  std::uint64_t count;
  double origin;
  double mean;
  double second;  // sums of powers of the distance from the mean
  double third;
  double fourth;

  void Add(double x) { Merge({1, x, 0, 0, 0, 0}); }
  void Merge(const FourMoments& from) {
    if (from.count == 0) return;
    if (count == 0) {
      *this = from;
      return;
    }
    const auto a = static_cast<double>(count);
    const auto b = static_cast<double>(from.count);
    const double n = a + b;
    const double d = from.origin - origin + from.mean - mean;
    const double d2 = d * d;
    fourth += from.fourth + d2 * d2 * a * b * (a * a - a * b + b * b) / (n * n * n) +
              6 * d2 * (a * a * from.second + b * b * second) / (n * n) +
              4 * d * (a * from.third - b * third) / n;
    third += from.third + d2 * d * a * b * (a - b) / (n * n) +
             3 * d * (a * from.second - b * second) / n;
    second += from.second + d2 * a * b / n;
    mean += d * b / n;
    count += from.count;
  }
};

}  // namespace runnel

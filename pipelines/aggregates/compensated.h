// CompensatedSum: a sum of doubles with an error of about one rounding.
//
// Source: Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher
// Summen", 1974.
#pragma once

#include <cmath>

#include "pipelines/base/bytes.h"

namespace runnel {

struct CompensatedSum {
  double sum;
  double correction;

  void Clear() { sum = correction = 0; }
  void Add(double value) {
    const double next = sum + value;
    if (std::fabs(sum) >= std::fabs(value)) {
      correction += (sum - next) + value;
    } else {
      correction += (value - next) + sum;
    }
    sum = next;
  }
  // Infinities and NaN go through as they are.
  double Get() const { return std::isfinite(sum) ? sum + correction : sum; }
  void Save(ByteWriter& writer) const {
    writer.F64(sum);
    writer.F64(correction);
  }
  void Load(ByteReader& reader) {
    sum = reader.F64();
    correction = reader.F64();
  }
};

}  // namespace runnel

// var, stddev and their _pop forms, skewness, kurtosis. O(1), algebraic; see moments.h.
#include "pipelines/aggregates/moments.h"

#include <cmath>

#include "pipelines/aggregates/aggregate.h"

namespace runnel {
namespace {

enum class Of { kSample, kPopulation };
enum class Root { kNo, kYes };

template <Of kOf, Root kRoot>
class Spread final : public PlainAggregate<Spread<kOf, kRoot>, Moments> {
 public:
  void Take(Moments& moments, const Value* values, Time) const {
    moments.Add(values[0].ToDouble());
  }
  void Join(Moments& moments, const Moments& other) const { moments.Merge(other); }
  Value Get(const Moments& moments, const Interval&, Arena&) const {
    const std::uint64_t less = kOf == Of::kSample ? 1 : 0;
    if (moments.count <= less) return Value::Null();
    const double var = moments.second / static_cast<double>(moments.count - less);
    return Value::Double(kRoot == Root::kYes ? std::sqrt(var) : var);
  }
};

template <typename Derived>
class Shape : public PlainAggregate<Derived, FourMoments> {
 public:
  void Take(FourMoments& moments, const Value* values, Time) const {
    moments.Add(values[0].ToDouble());
  }
  void Join(FourMoments& moments, const FourMoments& other) const { moments.Merge(other); }
};

class Skewness final : public Shape<Skewness> {
 public:
  Value Get(const FourMoments& m, const Interval&, Arena&) const {
    if (m.count == 0 || !(m.second > 0)) return Value::Null();
    const auto n = static_cast<double>(m.count);
    return Value::Double(std::sqrt(n) * m.third / std::pow(m.second, 1.5));
  }
};

class Kurtosis final : public Shape<Kurtosis> {
 public:
  Value Get(const FourMoments& m, const Interval&, Arena&) const {
    if (m.count == 0 || !(m.second > 0)) return Value::Null();
    const auto n = static_cast<double>(m.count);
    return Value::Double(n * m.fourth / (m.second * m.second) - 3);
  }
};

AggregateSpec Spec(const char* name, const char* description, const char* result) {
  AggregateSpec spec;
  spec.name = name;
  spec.description = description;
  spec.algebra = Algebra::kAlgebraic;
  spec.cost = "O(1), 32 bytes; Welford, merged after Chan";
  spec.result = Type::kDouble;
  spec.example_records = R"([{"v": 2}, {"v": 4}, {"v": 4}, {"v": 6}])";
  spec.example_result = result;
  return spec;
}

}  // namespace

AggregateSpec aggregates::var() {
  AggregateSpec spec = Spec("var", "The sample variance (n - 1). Null for fewer than two values.",
                            "2.6666666666666665");
  spec.signature = "var(value)";
  spec.example = "var(v)";
  spec.make = MakeAggregate<Spread<Of::kSample, Root::kNo>>;
  return spec;
}

AggregateSpec aggregates::var_pop() {
  AggregateSpec spec =
      Spec("var_pop", "The variance of a population (n). Null without values.", "2.0");
  spec.signature = "var_pop(value)";
  spec.example = "var_pop(v)";
  spec.make = MakeAggregate<Spread<Of::kPopulation, Root::kNo>>;
  return spec;
}

AggregateSpec aggregates::stddev() {
  AggregateSpec spec =
      Spec("stddev", "The sample standard deviation (n - 1). Null for fewer than two values.",
           "1.632993161855452");
  spec.signature = "stddev(value)";
  spec.example = "stddev(v)";
  spec.make = MakeAggregate<Spread<Of::kSample, Root::kYes>>;
  return spec;
}

AggregateSpec aggregates::stddev_pop() {
  AggregateSpec spec =
      Spec("stddev_pop", "The standard deviation of a population (n). Null without values.",
           "1.4142135623730951");
  spec.signature = "stddev_pop(value)";
  spec.example = "stddev_pop(v)";
  spec.make = MakeAggregate<Spread<Of::kPopulation, Root::kYes>>;
  return spec;
}

AggregateSpec aggregates::skewness() {
  AggregateSpec spec = Spec(
      "skewness", "How lopsided the values are (population, g1). Null where they are all equal.",
      "1.1547005383792517");
  spec.signature = "skewness(value)";
  spec.example = "skewness(v)";
  spec.example_records = R"([{"v": 1}, {"v": 1}, {"v": 1}, {"v": 5}])";
  spec.cost = "O(1), 48 bytes; merged after Pebay";
  spec.make = MakeAggregate<Skewness>;
  return spec;
}

AggregateSpec aggregates::kurtosis() {
  AggregateSpec spec = Spec(
      "kurtosis",
      "How heavy the tails are: the excess over a normal distribution (population, g2). Null where "
      "all values are equal.",
      "-1.0");
  spec.signature = "kurtosis(value)";
  spec.example = "kurtosis(v)";
  spec.cost = "O(1), 48 bytes; merged after Pebay";
  spec.make = MakeAggregate<Kurtosis>;
  return spec;
}

}  // namespace runnel

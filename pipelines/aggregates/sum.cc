// sum: of numbers. Ints stay int as long as they fit, else double, compensated.
// O(1), algebraic: merged parts agree to a rounding.
#include "pipelines/aggregates/aggregate.h"
#include "pipelines/aggregates/compensated.h"

namespace runnel {
namespace {

struct State {
  CompensatedSum real;  // everything, as doubles
  std::int64_t whole;   // the exact sum, while `exact`
  std::uint32_t values;
  std::uint32_t inexact;  // not 0: a double was added, or the ints did not fit
};

class Sum final : public PlainAggregate<Sum, State> {
 public:
  void Take(State& sum, const Value* values, Time) const {
    const Value& value = values[0];
    sum.real.Add(value.ToDouble());
    sum.values = 1;
    if (value.type() != Type::kInt ||
        __builtin_add_overflow(sum.whole, value.AsInt(), &sum.whole)) {
      sum.inexact = 1;
    }
  }
  void Join(State& sum, const State& from) const {
    sum.real.Add(from.real.sum);
    sum.real.Add(from.real.correction);
    sum.values |= from.values;
    const bool overflow = __builtin_add_overflow(sum.whole, from.whole, &sum.whole);
    sum.inexact |= from.inexact | (overflow ? 1u : 0u);
  }
  Value Get(const State& sum, const Interval&, Arena&) const {
    if (sum.values == 0) return Value::Null();
    return sum.inexact != 0 ? Value::Double(sum.real.Get()) : Value::Int(sum.whole);
  }
};

}  // namespace

AggregateSpec aggregates::sum() {
  AggregateSpec spec;
  spec.name = "sum";
  spec.signature = "sum(value)";
  spec.description =
      "The sum; an int as long as all values are ints and it fits. Null without values.";
  spec.algebra = Algebra::kAlgebraic;
  spec.cost = "O(1), 32 bytes, compensated (Neumaier): one rounding";
  spec.make = MakeAggregate<Sum>;
  spec.example = "sum(v)";
  spec.example_records = R"([{"v": 1}, {"v": 2.5}])";
  spec.example_result = "3.5";
  return spec;
}

}  // namespace runnel

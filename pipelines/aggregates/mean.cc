// mean: the arithmetic mean. O(1), algebraic; the sum is compensated.
#include "pipelines/aggregates/aggregate.h"
#include "pipelines/aggregates/compensated.h"

namespace runnel {
namespace {

struct State {
  CompensatedSum sum;
  std::uint64_t count;
};

class Mean final : public PlainAggregate<Mean, State> {
 public:
  void Take(State& mean, const Value* values, Time) const {
    TakeNumber(mean, values[0].ToDouble());
  }
  void TakeNumber(State& mean, double number) const {
    mean.sum.Add(number);
    ++mean.count;
  }
  void Join(State& mean, const State& from) const {
    mean.sum.Add(from.sum.sum);
    mean.sum.Add(from.sum.correction);
    mean.count += from.count;
  }
  Value Get(const State& mean, const Interval&, Arena&) const {
    if (mean.count == 0) return Value::Null();
    return Value::Double(mean.sum.Get() / static_cast<double>(mean.count));
  }
};

}  // namespace

AggregateSpec aggregates::mean() {
  AggregateSpec spec;
  spec.name = "mean";
  spec.signature = "mean(value)";
  spec.description = "The arithmetic mean. Null without values.";
  spec.algebra = Algebra::kAlgebraic;
  spec.cost = "O(1), 24 bytes, compensated (Neumaier): two roundings";
  spec.result = Type::kDouble;
  spec.make = MakeAggregate<Mean>;
  spec.example = "mean(v)";
  spec.example_records = R"([{"v": 20}, {"v": 21}, {"v": null}])";
  spec.example_result = "20.5";
  return spec;
}

}  // namespace runnel

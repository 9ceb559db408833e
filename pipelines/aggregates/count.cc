// count: records, or values that are there; count_if: records for which a condition holds.
// O(1), exact, distributive.
#include "pipelines/aggregates/aggregate.h"

namespace runnel {
namespace {

struct State {
  std::uint64_t count;
};

template <typename Derived>
class Counting : public PlainAggregate<Derived, State> {
 public:
  void Join(State& state, const State& other) const { state.count += other.count; }
  Value Get(const State& state, const Interval&, Arena&) const {
    return Value::Int(static_cast<std::int64_t>(state.count));
  }
};

class Count final : public Counting<Count> {
 public:
  const char* Refuses(const Value*) const override { return nullptr; }
  void Take(State& state, const Value*, Time) const { ++state.count; }
};

class CountIf final : public Counting<CountIf> {
 public:
  bool TakesNumbers() const override { return false; }
  const char* Refuses(const Value* values) const override {
    return values[0].type() == Type::kBool ? nullptr : "not_a_bool";
  }
  void Take(State& state, const Value* values, Time) const {
    state.count += values[0].AsBool() ? 1u : 0u;
  }
};

}  // namespace

AggregateSpec aggregates::count() {
  AggregateSpec spec;
  spec.name = "count";
  spec.signature = "count() or count(value)";
  spec.description = "The number of records; with a value, of records that have it.";
  spec.cost = "O(1), 8 bytes, exact";
  spec.values_min = 0;
  spec.takes = Type::kMissing;
  spec.result = Type::kInt;
  spec.make = MakeAggregate<Count>;
  spec.example = "count(v)";
  spec.example_records = R"([{"v": 20}, {"v": null}, {"v": 22}])";
  spec.example_result = "2";
  return spec;
}

AggregateSpec aggregates::count_if() {
  AggregateSpec spec;
  spec.name = "count_if";
  spec.signature = "count_if(condition)";
  spec.description = "The number of records for which a condition is true.";
  spec.cost = "O(1), 8 bytes, exact";
  spec.takes = Type::kBool;
  spec.result = Type::kInt;
  spec.make = MakeAggregate<CountIf>;
  spec.example = "count_if(v > 20)";
  spec.example_records = R"([{"v": 20}, {"v": 21}, {"v": 22}])";
  spec.example_result = "2";
  return spec;
}

}  // namespace runnel

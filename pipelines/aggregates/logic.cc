// any, all: whether a condition is true for one record, or for every one. O(1), exact,
// distributive.
#include "pipelines/aggregates/aggregate.h"

namespace runnel {
namespace {

struct State {
  std::uint64_t seen[2];  // records for which it was false, and true
};

template <typename Derived>
class Logic : public PlainAggregate<Derived, State> {
 public:
  bool TakesNumbers() const final { return false; }
  const char* Refuses(const Value* values) const final {
    return values[0].type() == Type::kBool ? nullptr : "not_a_bool";
  }
  void Take(State& state, const Value* values, Time) const {
    ++state.seen[values[0].AsBool() ? 1 : 0];
  }
  void Join(State& state, const State& other) const {
    state.seen[0] += other.seen[0];
    state.seen[1] += other.seen[1];
  }
};

class Any final : public Logic<Any> {
 public:
  Value Get(const State& state, const Interval&, Arena&) const {
    return Value::Bool(state.seen[1] > 0);
  }
};

class All final : public Logic<All> {
 public:
  Value Get(const State& state, const Interval&, Arena&) const {
    return Value::Bool(state.seen[0] == 0);
  }
};

AggregateSpec Spec(const char* name) {
  AggregateSpec spec;
  spec.name = name;
  spec.cost = "O(1), 16 bytes, exact";
  spec.takes = Type::kBool;
  spec.result = Type::kBool;
  spec.example_records = R"([{"v": 20}, {"v": 21}])";
  return spec;
}

}  // namespace

AggregateSpec aggregates::any() {
  AggregateSpec spec = Spec("any");
  spec.signature = "any(condition)";
  spec.example = "any(v > 20)";
  spec.description = "Whether a condition is true for one record at least; false without records.";
  spec.make = MakeAggregate<Any>;
  spec.example_result = "true";
  return spec;
}

AggregateSpec aggregates::all() {
  AggregateSpec spec = Spec("all");
  spec.signature = "all(condition)";
  spec.example = "all(v > 20)";
  spec.description = "Whether a condition is true for every record; true without records.";
  spec.make = MakeAggregate<All>;
  spec.example_result = "false";
  return spec;
}

}  // namespace runnel

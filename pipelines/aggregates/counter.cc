// delta, derivative, increase, rate: how a value changes over the window.
//
// Of meters that only grow, `increase` and `rate` see a fall as a reset to zero, as
// Prometheus does. Ordered: parts merge in the order of time, the step between them
// counts; a value that comes behind a later one is left out. O(1), exact.
#include "pipelines/aggregates/aggregate.h"
#include "pipelines/aggregates/compensated.h"

namespace runnel {
namespace {

struct State {
  std::uint64_t count;
  std::int64_t first_time;
  std::int64_t last_time;
  double first;
  double last;
  CompensatedSum grown;
};

// What a counter has grown by, from one reading to the next.
double Step(double before, double after) { return after >= before ? after - before : after; }

template <typename Derived>
class Counter : public PlainAggregate<Derived, State> {
 public:
  void Take(State& state, const Value* values, Time time) const {
    const std::int64_t at = Microseconds(time);
    const double value = values[0].ToDouble();
    if (state.count == 0) {
      state.first_time = at;
      state.first = value;
    } else if (at < state.last_time) {
      return;
    } else {
      state.grown.Add(Step(state.last, value));
    }
    ++state.count;
    state.last_time = at;
    state.last = value;
  }
  void Join(State& state, const State& other) const {
    if (other.count == 0) return;
    if (state.count == 0) {
      state = other;
      return;
    }
    const State& before = other.first_time < state.first_time ? other : state;
    const State& after = &before == &state ? other : state;
    State joined = before;
    joined.grown.Add(Step(before.last, after.first));
    joined.grown.Add(after.grown.sum);
    joined.grown.Add(after.grown.correction);
    joined.count += after.count;
    joined.last_time = after.last_time;
    joined.last = after.last;
    state = joined;
  }
};

double Seconds(const State& state) {
  return static_cast<double>(state.last_time - state.first_time) / 1e6;
}

class Delta final : public Counter<Delta> {
 public:
  Value Get(const State& state, const Interval&, Arena&) const {
    return state.count == 0 ? Value::Null() : Value::Double(state.last - state.first);
  }
};

class Increase final : public Counter<Increase> {
 public:
  Value Get(const State& state, const Interval&, Arena&) const {
    return state.count == 0 ? Value::Null() : Value::Double(state.grown.Get());
  }
};

class Derivative final : public Counter<Derivative> {
 public:
  Value Get(const State& state, const Interval&, Arena&) const {
    if (state.last_time <= state.first_time) return Value::Null();
    return Value::Double((state.last - state.first) / Seconds(state));
  }
};

class Rate final : public Counter<Rate> {
 public:
  Value Get(const State& state, const Interval&, Arena&) const {
    if (state.last_time <= state.first_time) return Value::Null();
    return Value::Double(state.grown.Get() / Seconds(state));
  }
};

AggregateSpec Spec(const char* name, const char* description, const char* result) {
  AggregateSpec spec;
  spec.name = name;
  spec.description = description;
  spec.algebra = Algebra::kOrdered;
  spec.cost = "O(1), 56 bytes, compensated";
  spec.result = Type::kDouble;
  spec.example_records = R"([{"v": 100}, {"v": 110}, {"v": 4}])";
  spec.example_result = result;
  return spec;
}

}  // namespace

AggregateSpec aggregates::delta() {
  AggregateSpec spec =
      Spec("delta", "The last value minus the first. Null without values.", "-96.0");
  spec.signature = "delta(value)";
  spec.example = "delta(v)";
  spec.make = MakeAggregate<Delta>;
  return spec;
}

AggregateSpec aggregates::derivative() {
  AggregateSpec spec =
      Spec("derivative",
           "The last value minus the first, per second between them. Null for fewer than "
           "two times.",
           "-48.0");
  spec.signature = "derivative(value)";
  spec.example = "derivative(v)";
  spec.make = MakeAggregate<Derivative>;
  return spec;
}

AggregateSpec aggregates::increase() {
  AggregateSpec spec =
      Spec("increase",
           "What a counter has grown by; a fall is a reset to zero. Null without values.", "14.0");
  spec.signature = "increase(value)";
  spec.example = "increase(v)";
  spec.make = MakeAggregate<Increase>;
  return spec;
}

AggregateSpec aggregates::rate() {
  AggregateSpec spec =
      Spec("rate",
           "What a counter has grown by per second between its first and last value; a fall is "
           "a reset to zero. Null for fewer than two times.",
           "7.0");
  spec.signature = "rate(value)";
  spec.example = "rate(v)";
  spec.make = MakeAggregate<Rate>;
  return spec;
}

}  // namespace runnel

// min, max: the smallest and the largest value; range: between them. O(1), exact,
// distributive. NaN is passed over.
#include <cmath>

#include "pipelines/aggregates/aggregate.h"
#include "pipelines/aggregates/number_state.h"

namespace runnel {
namespace {

// Whether `value` is on the far side of what is kept; not both are doubles.
template <Order kSide>
[[gnu::noinline]] bool IsOtherBeyond(const NumberState& state, const Value& value) {
  if (value.type() == Type::kDouble && std::isnan(value.AsDouble())) return false;
  return state.IsEmpty() || Compare(value, state.Get()) == kSide;
}

// The same of any.
template <Order kSide>
bool IsBeyond(const NumberState& state, const Value& value) {
  if (value.type() == Type::kDouble && state.type == Type::kDouble) {
    return kSide == Order::kLess ? value.AsDouble() < state.AsDouble()
                                 : value.AsDouble() > state.AsDouble();  // never for NaN
  }
  return IsOtherBeyond<kSide>(state, value);
}

template <Order kSide>
class Extreme final : public PlainAggregate<Extreme<kSide>, NumberState> {
 public:
  void Take(NumberState& state, const Value* values, Time) const {
    if (IsBeyond<kSide>(state, values[0])) state.Set(values[0]);
  }
  void TakeNumber(NumberState& state, double number) const {
    if (state.type == Type::kDouble) {
      // By masks: a branch would be mispredicted too often.
      const double kept = state.AsDouble();
      const bool beyond = kSide == Order::kLess ? number < kept : number > kept;
      const std::int64_t mask = -std::int64_t{beyond};
      state.bits ^= mask & (state.bits ^ std::bit_cast<std::int64_t>(number));
    } else if (const Value value = Value::Double(number); state.IsEmpty()) {
      state.Set(value);
    } else {
      Take(state, &value, Time());
    }
  }
  void Join(NumberState& state, const NumberState& other) const {
    if (!other.IsEmpty() && IsBeyond<kSide>(state, other.Get())) state = other;
  }
  Value Get(const NumberState& state, const Interval&, Arena&) const { return state.Get(); }
};

struct Ends {
  NumberState least;
  NumberState most;
};

class Range final : public PlainAggregate<Range, Ends> {
 public:
  void Take(Ends& ends, const Value* values, Time) const {
    if (IsBeyond<Order::kLess>(ends.least, values[0])) ends.least.Set(values[0]);
    if (IsBeyond<Order::kGreater>(ends.most, values[0])) ends.most.Set(values[0]);
  }
  void Join(Ends& ends, const Ends& other) const {
    if (other.least.IsEmpty()) return;
    if (IsBeyond<Order::kLess>(ends.least, other.least.Get())) ends.least = other.least;
    if (IsBeyond<Order::kGreater>(ends.most, other.most.Get())) ends.most = other.most;
  }
  Value Get(const Ends& ends, const Interval&, Arena&) const {
    if (ends.least.IsEmpty()) return Value::Null();
    std::int64_t whole = 0;
    if (ends.least.type == Type::kInt && ends.most.type == Type::kInt &&
        !__builtin_sub_overflow(ends.most.bits, ends.least.bits, &whole)) {
      return Value::Int(whole);
    }
    return Value::Double(ends.most.Get().ToDouble() - ends.least.Get().ToDouble());
  }
};

AggregateSpec Spec(const char* name) {
  AggregateSpec spec;
  spec.name = name;
  spec.cost = "O(1), 16 bytes, exact";
  spec.example_records = R"([{"v": 20}, {"v": 22.5}, {"v": 21}])";
  return spec;
}

}  // namespace

AggregateSpec aggregates::min() {
  AggregateSpec spec = Spec("min");
  spec.signature = "min(value)";
  spec.example = "min(v)";
  spec.description = "The smallest value. Null without values.";
  spec.make = MakeAggregate<Extreme<Order::kLess>>;
  spec.example_result = "20";
  return spec;
}

AggregateSpec aggregates::max() {
  AggregateSpec spec = Spec("max");
  spec.signature = "max(value)";
  spec.example = "max(v)";
  spec.description = "The largest value. Null without values.";
  spec.make = MakeAggregate<Extreme<Order::kGreater>>;
  spec.example_result = "22.5";
  return spec;
}

AggregateSpec aggregates::range() {
  AggregateSpec spec = Spec("range");
  spec.signature = "range(value)";
  spec.example = "range(v)";
  spec.description = "The largest value minus the smallest. Null without values.";
  spec.cost = "O(1), 32 bytes, exact";
  spec.make = MakeAggregate<Range>;
  spec.example_result = "2.5";
  return spec;
}

}  // namespace runnel

// time_weighted_mean, duration_in_state: each value holds until the next one, the last
// until the end of the window. ewma: an exponentially weighted mean over time.
//
// Ordered: parts merge in the order of time; a value that comes behind a later one is
// left out. O(1).
#include <cmath>

#include "pipelines/aggregates/aggregate.h"
#include "pipelines/aggregates/compensated.h"

namespace runnel {
namespace {

struct Held {
  std::uint64_t count;
  std::int64_t first_time;
  std::int64_t last_time;
  double last;
  CompensatedSum area;  // value times seconds, up to the last value
};

double Seconds(std::int64_t from, std::int64_t to) { return static_cast<double>(to - from) / 1e6; }

template <typename Derived>
class Holding : public PlainAggregate<Derived, Held> {
 public:
  void Take(Held& held, const Value* values, Time time) const {
    const std::int64_t at = Microseconds(time);
    if (held.count == 0) {
      held.first_time = at;
    } else if (at < held.last_time) {
      return;
    } else {
      held.area.Add(held.last * Seconds(held.last_time, at));
    }
    ++held.count;
    held.last_time = at;
    held.last = Derived::Weight(values[0]);
  }
  void Join(Held& held, const Held& other) const {
    if (other.count == 0) return;
    if (held.count == 0) {
      held = other;
      return;
    }
    const Held& before = other.first_time < held.first_time ? other : held;
    const Held& after = &before == &held ? other : held;
    Held joined = before;
    joined.area.Add(before.last * Seconds(before.last_time, after.first_time));
    joined.area.Add(after.area.sum);
    joined.area.Add(after.area.correction);
    joined.count += after.count;
    joined.last_time = after.last_time;
    joined.last = after.last;
    held = joined;
  }

 protected:
  static double AreaUntil(const Held& held, std::int64_t end) {
    CompensatedSum area = held.area;
    if (end > held.last_time) area.Add(held.last * Seconds(held.last_time, end));
    return area.Get();
  }
};

class TimeWeightedMean final : public Holding<TimeWeightedMean> {
 public:
  static double Weight(const Value& value) { return value.ToDouble(); }
  Value Get(const Held& held, const Interval& window, Arena&) const {
    if (held.count == 0) return Value::Null();
    const std::int64_t end = std::max(Microseconds(window.end), held.last_time);
    if (end == held.first_time) return Value::Double(held.last);
    return Value::Double(AreaUntil(held, end) / Seconds(held.first_time, end));
  }
};

class DurationInState final : public Holding<DurationInState> {
 public:
  bool TakesNumbers() const override { return false; }
  const char* Refuses(const Value* values) const override {
    return values[0].type() == Type::kBool ? nullptr : "not_a_bool";
  }
  static double Weight(const Value& value) { return value.AsBool() ? 1 : 0; }
  Value Get(const Held& held, const Interval& window, Arena&) const {
    if (held.count == 0) return Value::Null();
    return Value::Double(AreaUntil(held, Microseconds(window.end)));
  }
};

// After n values: mean = kept + faded * first; merging puts another `first` in.
struct Faded {
  std::uint64_t count;
  std::int64_t first_time;
  std::int64_t last_time;
  double first;
  double mean;
  double faded;  // the weight that the first value has now
};

class Ewma final : public PlainAggregate<Ewma, Faded> {
 public:
  explicit Ewma(double half_life) : half_life_(half_life) {}
  const char* Refuses(const Value* values) const override {
    if (!values[0].IsNumber()) return "not_a_number";
    return std::isfinite(values[0].ToDouble()) ? nullptr : "not_finite";
  }
  void Take(Faded& state, const Value* values, Time time) const {
    const std::int64_t at = Microseconds(time);
    const double value = values[0].ToDouble();
    if (state.count == 0) {
      state = {1, at, at, value, value, 1};
      return;
    }
    if (at < state.last_time) return;
    const double keep = Keep(state.last_time, at);
    state.mean = state.mean * keep + value * (1 - keep);
    state.faded *= keep;
    state.last_time = at;
    ++state.count;
  }
  void Join(Faded& state, const Faded& other) const {
    if (other.count == 0) return;
    if (state.count == 0) {
      state = other;
      return;
    }
    const Faded& before = other.first_time < state.first_time ? other : state;
    const Faded& after = &before == &state ? other : state;
    const double keep = Keep(before.last_time, after.first_time);
    const double first = before.mean * keep + after.first * (1 - keep);
    Faded joined = before;
    joined.count += after.count;
    joined.last_time = after.last_time;
    joined.mean = after.mean + after.faded * (first - after.first);
    joined.faded = before.faded * keep * after.faded;
    state = joined;
  }
  Value Get(const Faded& state, const Interval&, Arena&) const {
    return state.count == 0 ? Value::Null() : Value::Double(state.mean);
  }

 private:
  // The weight that is left after a time; parts may overlap.
  double Keep(std::int64_t from, std::int64_t to) const {
    return to <= from ? 1 : std::exp2(-Seconds(from, to) / half_life_);
  }
  double half_life_;
};

}  // namespace

AggregateSpec aggregates::time_weighted_mean() {
  AggregateSpec spec;
  spec.name = "time_weighted_mean";
  spec.signature = "time_weighted_mean(value)";
  spec.description =
      "The mean over time from the first value on: each holds until the next one, the last until "
      "the end of the window. Null without values.";
  spec.algebra = Algebra::kOrdered;
  spec.cost = "O(1), 48 bytes, compensated";
  spec.result = Type::kDouble;
  spec.make = MakeAggregate<TimeWeightedMean>;
  spec.example = "time_weighted_mean(v)";
  spec.example_records = R"([{"v": 10}, {"v": 20}])";
  spec.example_result = "19.0";
  return spec;
}

AggregateSpec aggregates::duration_in_state() {
  AggregateSpec spec;
  spec.name = "duration_in_state";
  spec.signature = "duration_in_state(condition)";
  spec.description =
      "For how many seconds a condition was true: it holds until the next record, that of the last "
      "one until the end of the window. Null without records.";
  spec.algebra = Algebra::kOrdered;
  spec.cost = "O(1), 48 bytes, compensated";
  spec.takes = Type::kBool;
  spec.result = Type::kDouble;
  spec.make = MakeAggregate<DurationInState>;
  spec.example = "duration_in_state(v > 15)";
  spec.example_records = R"([{"v": 10}, {"v": 20}, {"v": 10}, {"v": 20}])";
  spec.example_result = "8.0";
  return spec;
}

AggregateSpec aggregates::ewma() {
  AggregateSpec spec;
  spec.name = "ewma";
  spec.signature = "ewma(value, half_life)";
  spec.description =
      "The exponentially weighted mean: after half_life a value counts half. Null without values.";
  spec.algebra = Algebra::kOrdered;
  spec.cost = "O(1), 48 bytes";
  spec.parameters_min = spec.parameters_max = 1;
  spec.result = Type::kDouble;
  spec.make = [](const AggregateCall& call,
                 std::string& problem) -> std::unique_ptr<const Aggregate> {
    if (call.parameters[0] > 0) return std::make_unique<Ewma>(call.parameters[0]);
    problem = "the half-life of `ewma` is a duration or a number of seconds above 0, such as 30s";
    return nullptr;
  };
  spec.example = "ewma(v, 1s)";
  spec.example_records = R"([{"v": 10}, {"v": 20}, {"v": 20}])";
  spec.example_result = "17.5";
  return spec;
}

}  // namespace runnel

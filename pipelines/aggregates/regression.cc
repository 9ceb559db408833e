// slope, intercept: the straight line with the least squares; correlation, covariance.
//
// O(1), algebraic: co-moments merged after Chan and Pebay. Counted from the
// first point, so that large means beside small deviations cost no digits.
#include <cmath>

#include "pipelines/aggregates/aggregate.h"

namespace runnel {
namespace {

struct State {
  std::uint64_t count;
  std::int64_t origin;  // of x, where x is time: that of the first value
  double origin_x;      // the first point; the means count from there
  double origin_y;
  double mean_x;
  double mean_y;
  double xx;  // sums of products of the distances from the means
  double xy;
  double yy;
};

void AddPoint(State& s, double value_x, double value_y) {
  if (s.count++ == 0) {
    s.origin_x = value_x;
    s.origin_y = value_y;
  }
  const double x = value_x - s.origin_x;
  const double y = value_y - s.origin_y;
  const auto n = static_cast<double>(s.count);
  const double dx = x - s.mean_x;
  const double dy = y - s.mean_y;
  s.mean_x += dx / n;
  s.mean_y += dy / n;
  s.xx += dx * (x - s.mean_x);
  s.yy += dy * (y - s.mean_y);
  s.xy += dx * (y - s.mean_y);
}

template <typename Derived>
class Line : public PlainAggregate<Derived, State> {
 public:
  // `over_time`: x is the time in seconds, and y the one value.
  explicit Line(bool over_time) : over_time_(over_time) {}
  const char* Refuses(const Value* values) const override {
    if (!IsFinite(values[0]) || (!over_time_ && !IsFinite(values[1]))) return "not_finite";
    return nullptr;
  }
  bool UsesTime() const final { return over_time_; }
  void Take(State& state, const Value* values, Time time) const {
    if (!over_time_) return AddPoint(state, values[1].ToDouble(), values[0].ToDouble());
    const std::int64_t at = Microseconds(time);
    if (state.count == 0) state.origin = at;
    AddPoint(state, static_cast<double>(at - state.origin) / 1e6, values[0].ToDouble());
  }
  void Join(State& state, const State& other) const {
    if (other.count == 0) return;
    if (state.count == 0) {
      state = other;
      return;
    }
    const auto n = static_cast<double>(state.count);
    const auto more = static_cast<double>(other.count);
    const double shift = static_cast<double>(other.origin - state.origin) / 1e6;
    const double dx = other.origin_x - state.origin_x + shift + other.mean_x - state.mean_x;
    const double dy = other.origin_y - state.origin_y + other.mean_y - state.mean_y;
    const double weight = n * more / (n + more);
    state.mean_x += dx * more / (n + more);
    state.mean_y += dy * more / (n + more);
    state.xx += other.xx + dx * dx * weight;
    state.yy += other.yy + dy * dy * weight;
    state.xy += other.xy + dx * dy * weight;
    state.count += other.count;
  }

 private:
  static bool IsFinite(const Value& value) {
    return value.IsNumber() && std::isfinite(value.ToDouble());
  }
  bool over_time_;
};

class Slope final : public Line<Slope> {
 public:
  using Line::Line;
  Value Get(const State& s, const Interval&, Arena&) const {
    return s.xx > 0 ? Value::Double(s.xy / s.xx) : Value::Null();
  }
};

class Intercept final : public Line<Intercept> {
 public:
  explicit Intercept(bool over_time) : Line(over_time), at_start_(over_time) {}
  Value Get(const State& s, const Interval& window, Arena&) const {
    if (!(s.xx > 0)) return Value::Null();
    const double x =
        at_start_ ? static_cast<double>(Microseconds(window.start) - s.origin) / 1e6 : 0;
    return Value::Double(s.origin_y + s.mean_y + s.xy / s.xx * (x - s.origin_x - s.mean_x));
  }

 private:
  bool at_start_;
};

class Correlation final : public Line<Correlation> {
 public:
  using Line::Line;
  Value Get(const State& s, const Interval&, Arena&) const {
    if (!(s.xx > 0) || !(s.yy > 0)) return Value::Null();
    return Value::Double(s.xy / (std::sqrt(s.xx) * std::sqrt(s.yy)));
  }
};

class Covariance final : public Line<Covariance> {
 public:
  using Line::Line;
  Value Get(const State& s, const Interval&, Arena&) const {
    if (s.count < 2) return Value::Null();
    return Value::Double(s.xy / static_cast<double>(s.count - 1));
  }
};

AggregateSpec Spec(const char* name, const char* description, const char* result) {
  AggregateSpec spec;
  spec.name = name;
  spec.description = description;
  spec.algebra = Algebra::kAlgebraic;
  spec.cost = "O(1), 72 bytes; merged after Chan";
  spec.values_min = spec.values_max = 2;
  spec.result = Type::kDouble;
  spec.example_records = R"([{"x": 1, "y": 3}, {"x": 2, "y": 5}, {"x": 3, "y": 7}])";
  spec.example_result = result;
  return spec;
}

template <typename A>
std::unique_ptr<const Aggregate> Make(const AggregateCall& call, std::string&) {
  return std::make_unique<A>(call.values == 1);
}

}  // namespace

AggregateSpec aggregates::slope() {
  AggregateSpec spec =
      Spec("slope",
           "How steep the line of least squares is: y over x, or a value over time, per second. "
           "Null where x does not vary.",
           "2.0");
  spec.example = "slope(y, x)";
  spec.signature = "slope(y, x) or slope(value)";
  spec.values_min = 1;
  spec.make = Make<Slope>;
  return spec;
}

AggregateSpec aggregates::intercept() {
  AggregateSpec spec =
      Spec("intercept",
           "Where the line of least squares is at x = 0; over time, at the start of the "
           "window. Null where x does not vary.",
           "1.0");
  spec.example = "intercept(y, x)";
  spec.signature = "intercept(y, x) or intercept(value)";
  spec.values_min = 1;
  spec.make = Make<Intercept>;
  return spec;
}

AggregateSpec aggregates::correlation() {
  AggregateSpec spec =
      Spec("correlation",
           "Pearson's correlation of two values, -1 to 1. Null where one does not vary.", "1.0");
  spec.signature = "correlation(y, x)";
  spec.example = "correlation(y, x)";
  spec.make = Make<Correlation>;
  return spec;
}

AggregateSpec aggregates::covariance() {
  AggregateSpec spec =
      Spec("covariance",
           "The sample covariance (n - 1) of two values. Null for fewer than two records.", "2.0");
  spec.signature = "covariance(y, x)";
  spec.example = "covariance(y, x)";
  spec.make = Make<Covariance>;
  return spec;
}

}  // namespace runnel

// sum: of numbers. Ints are added exactly, whatever their order; doubles compensated.
// O(1), algebraic: merged parts agree to a rounding, and exactly without doubles.
#include <cmath>

#include "pipelines/aggregates/aggregate.h"
#include "pipelines/aggregates/compensated.h"

namespace runnel {
namespace {

enum Seen : std::uint64_t { kInts = 1, kDoubles = 2 };
constexpr int kSeenBits = 2;

// The sum of the ints has 126 bits, which no stream is long enough to fill: it may leave the
// range of an int and come back.
struct State {
  CompensatedSum real;  // of the doubles
  std::uint64_t low;    // of the ints
  std::uint64_t high;   // above them, behind the bits that say what there was
};

class Sum final : public PlainAggregate<Sum, State> {
 public:
  void Take(State& sum, const Value* values, Time) const {
    const Value& value = values[0];
    if (value.type() == Type::kInt) {
      AddWhole(sum, static_cast<std::uint64_t>(value.AsInt()), value.AsInt() < 0 ? -1 : 0);
      sum.high |= kInts;
    } else {
      sum.real.Add(value.ToDouble());
      sum.high |= kDoubles;
    }
  }
  void Join(State& sum, const State& from) const {
    sum.real.Add(from.real.sum);
    sum.real.Add(from.real.correction);
    AddWhole(sum, from.low, High(from));
    sum.high |= from.high & (kInts | kDoubles);
  }
  Value Get(const State& sum, const Interval&, Arena&) const {
    if ((sum.high & (kInts | kDoubles)) == 0) return Value::Null();
    const auto whole = static_cast<std::int64_t>(sum.low);
    const bool fits = High(sum) == (whole < 0 ? -1 : 0);
    if ((sum.high & kDoubles) == 0 && fits) return Value::Int(whole);
    // By magnitude: parts of both signs would push what the doubles are out of the sum.
    const bool negative = High(sum) < 0;
    const double sign = negative ? -1 : 1;
    const std::uint64_t low = negative ? ~sum.low + 1 : sum.low;
    const std::int64_t high = negative ? ~High(sum) + (low == 0 ? 1 : 0) : High(sum);
    CompensatedSum all = sum.real;
    all.Add(sign * std::ldexp(static_cast<double>(high), 64));
    all.Add(sign * std::ldexp(static_cast<double>(low >> 32), 32));
    all.Add(sign * static_cast<double>(low & 0xffff'ffff));
    return Value::Double(all.Get());
  }

 private:
  static std::int64_t High(const State& sum) {
    return static_cast<std::int64_t>(sum.high) >> kSeenBits;
  }
  static void AddWhole(State& sum, std::uint64_t low, std::int64_t high) {
    sum.low += low;
    const std::uint64_t carry = sum.low < low ? 1 : 0;
    sum.high += (static_cast<std::uint64_t>(high) + carry) << kSeenBits;
  }
};

}  // namespace

AggregateSpec aggregates::sum() {
  AggregateSpec spec;
  spec.name = "sum";
  spec.signature = "sum(value)";
  spec.description =
      "The sum; an int where all values are ints and it fits, in any order. Null without values.";
  spec.algebra = Algebra::kAlgebraic;
  spec.cost = "O(1), 32 bytes; ints exact, doubles compensated (Neumaier): one rounding";
  spec.make = MakeAggregate<Sum>;
  spec.example = "sum(v)";
  spec.example_records = R"([{"v": 1}, {"v": 2.5}])";
  spec.example_result = "3.5";
  return spec;
}

}  // namespace runnel

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

class Sum final : public Aggregate {
 public:
  std::size_t size() const override { return sizeof(State); }
  void Init(void* state) const override { *static_cast<State*>(state) = State{}; }
  void Add(void* state, const Value& value, Time, StateRegion&) const override {
    auto& sum = *static_cast<State*>(state);
    sum.real.Add(value.ToDouble());
    sum.values = 1;
    if (value.type() != Type::kInt ||
        __builtin_add_overflow(sum.whole, value.AsInt(), &sum.whole)) {
      sum.inexact = 1;
    }
  }
  void Merge(void* state, StateRegion&, const void* other, const StateRegion&) const override {
    auto& sum = *static_cast<State*>(state);
    const auto& from = *static_cast<const State*>(other);
    sum.real.Add(from.real.sum);
    sum.real.Add(from.real.correction);
    sum.values |= from.values;
    const bool overflow = __builtin_add_overflow(sum.whole, from.whole, &sum.whole);
    sum.inexact |= from.inexact | (overflow ? 1u : 0u);
  }
  Value Result(const void* state, const StateRegion&) const override {
    const auto& sum = *static_cast<const State*>(state);
    if (sum.values == 0) return Value::Null();
    return sum.inexact != 0 ? Value::Double(sum.real.Get()) : Value::Int(sum.whole);
  }
  void Save(const void* state, const StateRegion&, ByteWriter& writer) const override {
    const auto& sum = *static_cast<const State*>(state);
    sum.real.Save(writer);
    writer.Signed(sum.whole);
    writer.U32(sum.values);
    writer.U32(sum.inexact);
  }
  void Load(void* state, StateRegion&, ByteReader& reader) const override {
    auto& sum = *static_cast<State*>(state);
    sum.real.Load(reader);
    sum.whole = reader.Signed();
    sum.values = reader.U32();
    sum.inexact = reader.U32();
  }
};

}  // namespace

AggregateSpec aggregates::sum() {
  return {"sum",
          "sum(value)",
          "The sum; compensated, an int as long as all values are ints.",
          1,
          1,
          0,
          [](const std::vector<double>&, std::string&) -> std::unique_ptr<const Aggregate> {
            return std::make_unique<Sum>();
          }};
}

}  // namespace runnel

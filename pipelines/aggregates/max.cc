// max: the largest value. O(1), exact, distributive. NaN is passed over.
#include <cmath>

#include "pipelines/aggregates/aggregate.h"
#include "pipelines/aggregates/number_state.h"

namespace runnel {
namespace {

class Max final : public Aggregate {
 public:
  std::size_t size() const override { return sizeof(NumberState); }
  void Init(void* state) const override { static_cast<NumberState*>(state)->Clear(); }
  void Add(void* state, const Value& value, Time, StateRegion&) const override {
    Take(*static_cast<NumberState*>(state), value);
  }
  void Merge(void* state, StateRegion&, const void* other, const StateRegion&) const override {
    const auto& from = *static_cast<const NumberState*>(other);
    if (from.type != Type::kMissing) Take(*static_cast<NumberState*>(state), from.Get());
  }
  Value Result(const void* state, const StateRegion&) const override {
    return static_cast<const NumberState*>(state)->Get();
  }
  void Save(const void* state, const StateRegion&, ByteWriter& writer) const override {
    static_cast<const NumberState*>(state)->Save(writer);
  }
  void Load(void* state, StateRegion&, ByteReader& reader) const override {
    static_cast<NumberState*>(state)->Load(reader);
  }

 private:
  static void Take(NumberState& state, const Value& value) {
    if (value.type() == Type::kDouble && state.type == Type::kDouble) {
      if (value.AsDouble() > state.AsDouble()) state.Set(value);  // never for NaN
      return;
    }
    if (value.type() == Type::kDouble && std::isnan(value.AsDouble())) return;
    if (state.type == Type::kMissing || Compare(value, state.Get()) == Order::kGreater) {
      state.Set(value);
    }
  }
};

}  // namespace

AggregateSpec aggregates::max() {
  return {"max",
          "max(value)",
          "The largest value. Exact.",
          1,
          1,
          0,
          [](const std::vector<double>&, std::string&) -> std::unique_ptr<const Aggregate> {
            return std::make_unique<Max>();
          }};
}

}  // namespace runnel

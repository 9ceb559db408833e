// mean: the arithmetic mean. O(1), algebraic; the sum is compensated.
#include "pipelines/aggregates/aggregate.h"
#include "pipelines/aggregates/compensated.h"

namespace runnel {
namespace {

struct State {
  CompensatedSum sum;
  std::uint64_t count;
};

class Mean final : public Aggregate {
 public:
  std::size_t size() const override { return sizeof(State); }
  void Init(void* state) const override { *static_cast<State*>(state) = State{}; }
  void Add(void* state, const Value& value, Time, StateRegion&) const override {
    auto& mean = *static_cast<State*>(state);
    mean.sum.Add(value.ToDouble());
    ++mean.count;
  }
  void Merge(void* state, StateRegion&, const void* other, const StateRegion&) const override {
    auto& mean = *static_cast<State*>(state);
    const auto& from = *static_cast<const State*>(other);
    mean.sum.Add(from.sum.sum);
    mean.sum.Add(from.sum.correction);
    mean.count += from.count;
  }
  Value Result(const void* state, const StateRegion&) const override {
    const auto& mean = *static_cast<const State*>(state);
    if (mean.count == 0) return Value::Null();
    return Value::Double(mean.sum.Get() / static_cast<double>(mean.count));
  }
  void Save(const void* state, const StateRegion&, ByteWriter& writer) const override {
    static_cast<const State*>(state)->sum.Save(writer);
    writer.Varint(static_cast<const State*>(state)->count);
  }
  void Load(void* state, StateRegion&, ByteReader& reader) const override {
    static_cast<State*>(state)->sum.Load(reader);
    static_cast<State*>(state)->count = reader.Varint();
  }
};

}  // namespace

AggregateSpec aggregates::mean() {
  return {"mean",
          "mean(value)",
          "The arithmetic mean, from a compensated sum.",
          1,
          1,
          0,
          [](const std::vector<double>&, std::string&) -> std::unique_ptr<const Aggregate> {
            return std::make_unique<Mean>();
          }};
}

}  // namespace runnel

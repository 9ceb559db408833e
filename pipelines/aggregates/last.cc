// last: the value with the latest event time; of equal times the one that came last.
//
// Ordered: partial states merge in the order of time. O(1), exact.
#include "pipelines/aggregates/aggregate.h"
#include "pipelines/aggregates/number_state.h"

namespace runnel {
namespace {

struct State {
  NumberState number;
  std::int64_t time;
};

class Last final : public Aggregate {
 public:
  std::size_t size() const override { return sizeof(State); }
  void Init(void* state) const override {
    static_cast<State*>(state)->number.Clear();
    static_cast<State*>(state)->time = 0;
  }
  void Add(void* state, const Value& value, Time time, StateRegion&) const override {
    Take(*static_cast<State*>(state), value, Microseconds(time));
  }
  void Merge(void* state, StateRegion&, const void* other, const StateRegion&) const override {
    const auto& from = *static_cast<const State*>(other);
    if (from.number.type != Type::kMissing) {
      Take(*static_cast<State*>(state), from.number.Get(), from.time);
    }
  }
  Value Result(const void* state, const StateRegion&) const override {
    return static_cast<const State*>(state)->number.Get();
  }
  void Save(const void* state, const StateRegion&, ByteWriter& writer) const override {
    static_cast<const State*>(state)->number.Save(writer);
    writer.Signed(static_cast<const State*>(state)->time);
  }
  void Load(void* state, StateRegion&, ByteReader& reader) const override {
    static_cast<State*>(state)->number.Load(reader);
    static_cast<State*>(state)->time = reader.Signed();
  }

 private:
  static void Take(State& state, const Value& value, std::int64_t time) {
    if (state.number.type != Type::kMissing && !(time >= state.time)) return;
    state.number.Set(value);
    state.time = time;
  }
};

}  // namespace

AggregateSpec aggregates::last() {
  return {"last",
          "last(value)",
          "The number with the latest time. Exact.",
          1,
          1,
          0,
          [](const std::vector<double>&, std::string&) -> std::unique_ptr<const Aggregate> {
            return std::make_unique<Last>();
          }};
}

}  // namespace runnel

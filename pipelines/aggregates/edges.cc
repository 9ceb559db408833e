// first, last: the value with the earliest and with the latest time; of equal times the
// one that came first, and last. min_by, max_by: the value where another one is smallest
// and largest; of equal ones the earliest.
//
// Ordered: partial states merge in the order of time. O(1), exact.
#include <cmath>

#include "pipelines/aggregates/aggregate.h"
#include "pipelines/aggregates/scalar_state.h"

namespace runnel {
namespace {

struct State {
  ScalarState value;
  std::int64_t time;
  double by;  // min_by, max_by
};

// A value that is kept while `Better` says so.
template <typename Better>
class Chosen final : public Aggregate {
 public:
  std::size_t size() const override { return sizeof(State); }
  std::size_t extra_max() const override { return StateRegion::Rounded(ScalarState::kTextMax); }
  const char* Refuses(const Value* values) const override {
    if (Better::kBy && !values[1].IsNumber()) return "not_a_number";
    if (Better::kBy && std::isnan(values[1].ToDouble())) return "not_a_number";
    return ScalarState::Refuses(values[0]);
  }
  void Init(void* state) const override { *static_cast<State*>(state) = State{}; }
  void Add(void* state, const Value* values, Time time, StateRegion& region) const override {
    Take(*static_cast<State*>(state), values[0], Microseconds(time),
         Better::kBy ? values[1].ToDouble() : 0.0, region);
  }
  void Merge(void* state, StateRegion& region, const void* other,
             const StateRegion& from) const override {
    const auto& more = *static_cast<const State*>(other);
    if (more.value.IsEmpty()) return;
    Take(*static_cast<State*>(state), more.value.Get(from), more.time, more.by, region);
  }
  Value Result(const void* state, const StateRegion& region, const Interval&,
               Arena&) const override {
    return static_cast<const State*>(state)->value.Get(region);
  }
  void Free(void* state, StateRegion& region) const override {
    static_cast<State*>(state)->value.Free(region);
  }
  void Save(const void* state, const StateRegion& region, ByteWriter& writer) const override {
    const auto& s = *static_cast<const State*>(state);
    s.value.Save(region, writer);
    writer.Signed(s.time);
    writer.F64(s.by);
  }
  void Load(void* state, StateRegion& region, ByteReader& reader) const override {
    auto& s = *static_cast<State*>(state);
    s.value.Load(region, reader);
    s.time = reader.Signed();
    s.by = reader.F64();
  }

 private:
  static void Take(State& state, const Value& value, std::int64_t time, double by,
                   StateRegion& region) {
    if (!state.value.IsEmpty() && !Better::Is(time, by, state)) return;
    state.value.Set(value, region);
    state.time = time;
    state.by = by;
  }
};

struct Earlier {
  static constexpr bool kBy = false;
  static bool Is(std::int64_t time, double, const State& state) { return time < state.time; }
};
struct Later {
  static constexpr bool kBy = false;
  static bool Is(std::int64_t time, double, const State& state) { return time >= state.time; }
};
struct Smaller {
  static constexpr bool kBy = true;
  static bool Is(std::int64_t time, double by, const State& state) {
    return by < state.by || (by == state.by && time < state.time);
  }
};
struct Larger {
  static constexpr bool kBy = true;
  static bool Is(std::int64_t time, double by, const State& state) {
    return by > state.by || (by == state.by && time < state.time);
  }
};

AggregateSpec Spec(const char* name, const char* description, const char* result) {
  AggregateSpec spec;
  spec.name = name;
  spec.description = description;
  spec.algebra = Algebra::kOrdered;
  spec.cost = "O(1), 32 bytes and a text of up to 256 bytes, exact";
  spec.takes = Type::kMissing;
  spec.example_records = R"([{"v": 20}, {"v": 22.5}, {"v": 21}])";
  spec.example_result = result;
  return spec;
}

AggregateSpec SpecBy(const char* name, const char* description, const char* result) {
  AggregateSpec spec = Spec(name, description, result);
  spec.values_min = spec.values_max = 2;
  spec.example_records = R"([{"id": "a", "v": 20}, {"id": "b", "v": 22.5}, {"id": "c", "v": 21}])";
  return spec;
}

}  // namespace

AggregateSpec aggregates::first() {
  AggregateSpec spec =
      Spec("first",
           "The value with the earliest time; of equal times the one that came first. Null "
           "without values.",
           "20");
  spec.signature = "first(value)";
  spec.example = "first(v)";
  spec.make = MakeAggregate<Chosen<Earlier>>;
  return spec;
}

AggregateSpec aggregates::last() {
  AggregateSpec spec =
      Spec("last",
           "The value with the latest time; of equal times the one that came last. Null "
           "without values.",
           "21");
  spec.signature = "last(value)";
  spec.example = "last(v)";
  spec.make = MakeAggregate<Chosen<Later>>;
  return spec;
}

AggregateSpec aggregates::min_by() {
  AggregateSpec spec =
      SpecBy("min_by",
             "The value of the record where `by` is smallest; of equal ones the earliest. Null "
             "without values.",
             R"("a")");
  spec.signature = "min_by(value, by)";
  spec.example = "min_by(id, v)";
  spec.make = MakeAggregate<Chosen<Smaller>>;
  return spec;
}

AggregateSpec aggregates::max_by() {
  AggregateSpec spec =
      SpecBy("max_by",
             "The value of the record where `by` is largest; of equal ones the earliest. Null "
             "without values.",
             R"("b")");
  spec.signature = "max_by(value, by)";
  spec.example = "max_by(id, v)";
  spec.make = MakeAggregate<Chosen<Larger>>;
  return spec;
}

}  // namespace runnel

// collect: the values in a list, up to a limit, in the order in which they came.
//
// Ordered: parts are put one behind the other. O(1), exact.
#include <algorithm>

#include "pipelines/aggregates/aggregate.h"
#include "pipelines/aggregates/scalar_state.h"

namespace runnel {
namespace {

constexpr std::uint32_t kLimit = 100;

struct State {
  StateRegion::Ref values;
  std::uint32_t used;
  std::uint32_t capacity;
  std::uint32_t reserved;
};

class Collect final : public Aggregate {
 public:
  explicit Collect(std::uint32_t limit) : limit_(limit) {}
  std::size_t size() const override { return sizeof(State); }
  std::size_t extra_max() const override {
    return StateRegion::Rounded(limit_ * sizeof(ScalarState)) +
           limit_ * StateRegion::Rounded(ScalarState::kTextMax);
  }
  const char* Refuses(const Value* values) const override {
    return ScalarState::Refuses(values[0]);
  }
  void Init(void* state) const override { *static_cast<State*>(state) = State{}; }
  void Add(void* state, const Value* values, Time, StateRegion& region) const override {
    Append(*static_cast<State*>(state), values[0], region);
  }
  void Merge(void* state, StateRegion& region, const void* other,
             const StateRegion& from) const override {
    const auto& more = *static_cast<const State*>(other);
    for (std::uint32_t i = 0; i < more.used; ++i) {
      Append(*static_cast<State*>(state), from.Get<ScalarState>(more.values)[i].Get(from), region);
    }
  }
  Value Result(const void* state, const StateRegion& region, const Interval&,
               Arena& arena) const override {
    const auto& s = *static_cast<const State*>(state);
    auto* items = arena.AllocateArray<Value>(s.used);
    if (items == nullptr) return Value::Error("out_of_memory");
    for (std::uint32_t i = 0; i < s.used; ++i) {
      items[i] = region.Get<ScalarState>(s.values)[i].Get(region);
    }
    return Value::List({items, s.used});
  }
  void Free(void* state, StateRegion& region) const override {
    auto& s = *static_cast<State*>(state);
    for (std::uint32_t i = 0; i < s.used; ++i) region.Get<ScalarState>(s.values)[i].Release(region);
    if (s.capacity > 0) region.Free(s.values, s.capacity * sizeof(ScalarState));
    s = State{};
  }
  void Save(const void* state, const StateRegion& region, ByteWriter& writer) const override {
    const auto& s = *static_cast<const State*>(state);
    writer.Varint(s.used);
    for (std::uint32_t i = 0; i < s.used; ++i) {
      region.Get<ScalarState>(s.values)[i].Save(region, writer);
    }
  }
  void Load(void* state, StateRegion& region, ByteReader& reader) const override {
    for (std::uint64_t i = reader.Varint(); i > 0 && reader.ok(); --i) {
      ScalarState value{};
      value.Load(region, reader);
      Append(*static_cast<State*>(state), value.Get(region), region);
      value.Free(region);
    }
  }

 private:
  void Append(State& s, const Value& value, StateRegion& region) const {
    if (s.used == limit_ || (s.used == s.capacity && !Grow(s, region))) return;
    ScalarState* place = region.Get<ScalarState>(s.values) + s.used;
    region.Touch(place, sizeof *place);
    *place = ScalarState{};
    place->Set(value, region);
    ++s.used;
  }
  bool Grow(State& s, StateRegion& region) const {
    const std::uint32_t wanted = std::min(limit_, s.capacity == 0 ? 4 : 2 * s.capacity);
    const StateRegion::Ref fresh = region.Allocate(wanted * sizeof(ScalarState));
    if (fresh == StateRegion::kNone) return false;
    std::copy_n(region.Get<ScalarState>(s.values), s.used, region.Get<ScalarState>(fresh));
    if (s.capacity > 0) region.Free(s.values, s.capacity * sizeof(ScalarState));
    s.values = fresh;
    s.capacity = wanted;
    return true;
  }

  std::uint32_t limit_;
};

}  // namespace

AggregateSpec aggregates::collect() {
  AggregateSpec spec;
  spec.name = "collect";
  spec.signature = "collect(value) or collect(value, limit)";
  spec.description =
      "The first values in a list, in the order in which they came; at most `limit` of them (100 "
      "without it, at most 200).";
  spec.algebra = Algebra::kOrdered;
  spec.cost = "O(1), 16 bytes and 16 for each value, and texts of up to 256 bytes";
  spec.parameters_max = 1;
  spec.takes = Type::kMissing;
  spec.result = Type::kList;
  spec.make = [](const AggregateCall& call,
                 std::string& problem) -> std::unique_ptr<const Aggregate> {
    const double limit = call.parameters.empty() ? kLimit : call.parameters[0];
    if (limit >= 1 && limit <= 200) {
      return std::make_unique<Collect>(static_cast<std::uint32_t>(limit));
    }
    problem = "the limit of `collect` is a number from 1 to 200";
    return nullptr;
  };
  spec.example = "collect(v, 2)";
  spec.example_records = R"([{"v": 3}, {"v": 1}, {"v": 2}])";
  spec.example_result = "[3, 1]";
  return spec;
}

}  // namespace runnel

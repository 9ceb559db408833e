// mode: the most frequent value; top_k: the k most frequent, with how often each came.
//
// Space-saving (Metwally, Agrawal, El Abbadi, ICDT 2005) with 64 counters, or 8 k where
// that is more: exact up to so many different values; beyond, a count is too high by at
// most n / counters. O(counters) per value, mergeable in any order within that error.
#include <algorithm>
#include <vector>

#include "pipelines/aggregates/aggregate.h"
#include "pipelines/aggregates/scalar_state.h"

namespace runnel {
namespace {

struct Counter {
  ScalarState value;
  std::uint64_t hash;
  std::uint64_t count;
};

struct State {
  StateRegion::Ref counters;
  std::uint32_t used;
  std::uint32_t capacity;
  std::uint32_t reserved;
};

class Frequent : public Aggregate {
 public:
  explicit Frequent(std::uint32_t counters) : limit_(counters) {}
  std::size_t size() const final { return sizeof(State); }
  std::size_t extra_max() const final {
    return StateRegion::Rounded(limit_ * sizeof(Counter)) +
           limit_ * StateRegion::Rounded(ScalarState::kTextMax);
  }
  const char* Refuses(const Value* values) const final { return ScalarState::Refuses(values[0]); }
  void Init(void* state) const final { *static_cast<State*>(state) = State{}; }
  void Add(void* state, const Value* values, Time, StateRegion& region) const final {
    Count(*static_cast<State*>(state), values[0], 1, region);
  }
  void Merge(void* state, StateRegion& region, const void* other,
             const StateRegion& from) const final {
    const auto& more = *static_cast<const State*>(other);
    for (const Counter* counter : Sorted(more, from)) {
      Count(*static_cast<State*>(state), counter->value.Get(from), counter->count, region);
    }
  }
  void Free(void* state, StateRegion& region) const final {
    auto& s = *static_cast<State*>(state);
    for (std::uint32_t i = 0; i < s.used; ++i) Of(s, region)[i].value.Release(region);
    if (s.capacity > 0) region.Free(s.counters, s.capacity * sizeof(Counter));
    s = State{};
  }
  void Save(const void* state, const StateRegion& region, ByteWriter& writer) const final {
    const auto& s = *static_cast<const State*>(state);
    writer.Varint(s.used);
    for (std::uint32_t i = 0; i < s.used; ++i) {
      const Counter& counter = region.Get<Counter>(s.counters)[i];
      counter.value.Save(region, writer);
      writer.Varint(counter.count);
    }
  }
  void Load(void* state, StateRegion& region, ByteReader& reader) const final {
    for (std::uint64_t i = reader.Varint(); i > 0 && reader.ok(); --i) {
      ScalarState value{};
      value.Load(region, reader);
      Count(*static_cast<State*>(state), value.Get(region), reader.Varint(), region);
      value.Free(region);
    }
  }

 protected:
  // The most frequent first; equal ones in the order of their values.
  static std::vector<const Counter*> Sorted(const State& s, const StateRegion& region) {
    std::vector<const Counter*> sorted;
    for (std::uint32_t i = 0; i < s.used; ++i) {
      sorted.push_back(region.Get<Counter>(s.counters) + i);
    }
    std::sort(sorted.begin(), sorted.end(), [&](const Counter* a, const Counter* b) {
      if (a->count != b->count) return a->count > b->count;
      return ScalarLess(a->value.Get(region), b->value.Get(region));
    });
    return sorted;
  }

 private:
  static Counter* Of(State& s, StateRegion& region) { return region.Get<Counter>(s.counters); }

  void Count(State& s, const Value& value, std::uint64_t count, StateRegion& region) const {
    const std::uint64_t hash = HashScalar(value);
    Counter* counters = Of(s, region);
    Counter* least = nullptr;
    for (std::uint32_t i = 0; i < s.used; ++i) {
      if (counters[i].hash == hash) {
        region.Touch(&counters[i], sizeof(Counter));
        counters[i].count += count;
        return;
      }
      if (least == nullptr || counters[i].count < least->count) least = &counters[i];
    }
    if (s.used < limit_ && (s.used < s.capacity || Grow(s, region))) {
      least = Of(s, region) + s.used++;
      region.Touch(least, sizeof(Counter));
      *least = Counter{};
    } else if (least == nullptr) {
      return;
    } else {
      region.Touch(least, sizeof(Counter));
    }
    least->value.Set(value, region);
    least->hash = hash;
    least->count += count;
  }

  bool Grow(State& s, StateRegion& region) const {
    const std::uint32_t wanted = std::min(limit_, s.capacity == 0 ? 4 : 2 * s.capacity);
    const StateRegion::Ref fresh = region.Allocate(wanted * sizeof(Counter));
    if (fresh == StateRegion::kNone) return false;
    std::copy_n(Of(s, region), s.used, region.Get<Counter>(fresh));
    if (s.capacity > 0) region.Free(s.counters, s.capacity * sizeof(Counter));
    s.counters = fresh;
    s.capacity = wanted;
    return true;
  }

  std::uint32_t limit_;
};

class Mode final : public Frequent {
 public:
  Mode() : Frequent(64) {}
  Value Result(const void* state, const StateRegion& region, const Interval&,
               Arena&) const override {
    const std::vector<const Counter*> sorted = Sorted(*static_cast<const State*>(state), region);
    return sorted.empty() ? Value::Null() : sorted[0]->value.Get(region);
  }
};

class TopK final : public Frequent {
 public:
  explicit TopK(std::uint32_t k) : Frequent(std::max(64u, 8 * k)), k_(k) {}
  Value Result(const void* state, const StateRegion& region, const Interval&,
               Arena& arena) const override {
    const std::vector<const Counter*> sorted = Sorted(*static_cast<const State*>(state), region);
    const std::size_t count = std::min<std::size_t>(k_, sorted.size());
    auto* items = arena.AllocateArray<Value>(count);
    auto* entries = arena.AllocateArray<MapEntry>(2 * count);
    if (items == nullptr || entries == nullptr) return Value::Error("out_of_memory");
    for (std::size_t i = 0; i < count; ++i) {
      MapEntry* entry = entries + 2 * i;
      entry[0] = {Value::String("value"), sorted[i]->value.Get(region)};
      entry[1] = {Value::String("count"), Value::Int(static_cast<std::int64_t>(sorted[i]->count))};
      items[i] = Value::Map({entry, 2});
    }
    return Value::List({items, count});
  }

 private:
  std::uint32_t k_;
};

AggregateSpec Spec(const char* name) {
  AggregateSpec spec;
  spec.name = name;
  spec.algebra = Algebra::kSketch;
  spec.cost =
      "O(counters), 16 bytes and 32 for each of 64 counters, or 8 k where that is more; exact up "
      "to "
      "so many different values, then counts are too high by at most n / counters (space-saving)";
  spec.takes = Type::kMissing;
  spec.example_records = R"([{"v": "b"}, {"v": "a"}, {"v": "b"}, {"v": "c"}])";
  return spec;
}

}  // namespace

AggregateSpec aggregates::mode() {
  AggregateSpec spec = Spec("mode");
  spec.signature = "mode(value)";
  spec.description =
      "The most frequent value; of equally frequent ones the smallest. Null without values.";
  spec.make = MakeAggregate<Mode>;
  spec.example = "mode(v)";
  spec.example_result = R"("b")";
  return spec;
}

AggregateSpec aggregates::top_k() {
  AggregateSpec spec = Spec("top_k");
  spec.signature = "top_k(value, k)";
  spec.description =
      "The k most frequent values (k at most 20) as a list of `{value, count}`; equally frequent "
      "ones in their order.";
  spec.parameters_min = spec.parameters_max = 1;
  spec.result = Type::kList;
  spec.make = [](const AggregateCall& call,
                 std::string& problem) -> std::unique_ptr<const Aggregate> {
    if (call.parameters[0] >= 1 && call.parameters[0] <= 20) {
      return std::make_unique<TopK>(static_cast<std::uint32_t>(call.parameters[0]));
    }
    problem = "the second argument of `top_k` is a number from 1 to 20";
    return nullptr;
  };
  spec.example = "top_k(v, 2)";
  spec.example_result = R"([{"value": "b", "count": 2}, {"value": "a", "count": 1}])";
  return spec;
}

}  // namespace runnel

// count: records, or values that are there. O(1), exact, distributive.
#include "pipelines/aggregates/aggregate.h"

namespace runnel {
namespace {

struct State {
  std::uint64_t count;
};

class Count final : public Aggregate {
 public:
  std::size_t size() const override { return sizeof(State); }
  const char* Refuses(const Value&) const override { return nullptr; }
  void Init(void* state) const override { static_cast<State*>(state)->count = 0; }
  void Add(void* state, const Value&, Time, StateRegion&) const override {
    ++static_cast<State*>(state)->count;
  }
  void Merge(void* state, StateRegion&, const void* other, const StateRegion&) const override {
    static_cast<State*>(state)->count += static_cast<const State*>(other)->count;
  }
  Value Result(const void* state, const StateRegion&) const override {
    return Value::Int(static_cast<std::int64_t>(static_cast<const State*>(state)->count));
  }
  void Save(const void* state, const StateRegion&, ByteWriter& writer) const override {
    writer.Varint(static_cast<const State*>(state)->count);
  }
  void Load(void* state, StateRegion&, ByteReader& reader) const override {
    static_cast<State*>(state)->count = reader.Varint();
  }
};

}  // namespace

AggregateSpec aggregates::count() {
  return {"count",
          "count() or count(value)",
          "The number of records; with a value, of records that have it. Exact.",
          0,
          1,
          0,
          [](const std::vector<double>&, std::string&) -> std::unique_ptr<const Aggregate> {
            return std::make_unique<Count>();
          }};
}

}  // namespace runnel

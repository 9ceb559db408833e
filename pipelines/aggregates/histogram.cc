// histogram: how many values lie between given bounds. O(log bounds), exact, distributive.
#include <algorithm>
#include <cmath>
#include <vector>

#include "pipelines/aggregates/aggregate.h"

namespace runnel {
namespace {

constexpr std::size_t kBoundsMax = 64;

class Histogram final : public Aggregate {
 public:
  explicit Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)) {}
  std::size_t size() const override { return (bounds_.size() + 1) * sizeof(std::uint64_t); }
  const char* Refuses(const Value* values) const override {
    if (!values[0].IsNumber()) return "not_a_number";
    return std::isnan(values[0].ToDouble()) ? "not_a_number" : nullptr;
  }
  void Init(void* state) const override { std::fill_n(Counts(state), bounds_.size() + 1, 0u); }
  void Add(void* state, const Value* values, Time, StateRegion&) const override {
    const auto above = std::upper_bound(bounds_.begin(), bounds_.end(), values[0].ToDouble());
    ++Counts(state)[above - bounds_.begin()];
  }
  void Merge(void* state, StateRegion&, const void* other, const StateRegion&) const override {
    const auto* more = static_cast<const std::uint64_t*>(other);
    for (std::size_t i = 0; i <= bounds_.size(); ++i) Counts(state)[i] += more[i];
  }
  Value Result(const void* state, const StateRegion&, const Interval&,
               Arena& arena) const override {
    const auto* counts = static_cast<const std::uint64_t*>(state);
    auto* items = arena.AllocateArray<Value>(bounds_.size() + 1);
    if (items == nullptr) return Value::Error("out_of_memory");
    for (std::size_t i = 0; i <= bounds_.size(); ++i) {
      items[i] = Value::Int(static_cast<std::int64_t>(counts[i]));
    }
    return Value::List({items, bounds_.size() + 1});
  }
  void Save(const void* state, const StateRegion&, ByteWriter& writer) const override {
    const auto* counts = static_cast<const std::uint64_t*>(state);
    for (std::size_t i = 0; i <= bounds_.size(); ++i) writer.Varint(counts[i]);
  }
  void Load(void* state, StateRegion&, ByteReader& reader) const override {
    for (std::size_t i = 0; i <= bounds_.size(); ++i) Counts(state)[i] = reader.Varint();
  }

 private:
  static std::uint64_t* Counts(void* state) { return static_cast<std::uint64_t*>(state); }
  std::vector<double> bounds_;
};

}  // namespace

AggregateSpec aggregates::histogram() {
  AggregateSpec spec;
  spec.name = "histogram";
  spec.signature = "histogram(value, bound, ...)";
  spec.description =
      "How many values lie below the first bound, from each bound (included) to the next, and from "
      "the last bound on: a list of one number more than there are bounds (1 to 64, growing).";
  spec.cost = "O(log bounds), 8 bytes for each count, exact";
  spec.parameters_min = 1;
  spec.parameters_max = static_cast<int>(kBoundsMax);
  spec.result = Type::kList;
  spec.make = [](const AggregateCall& call,
                 std::string& problem) -> std::unique_ptr<const Aggregate> {
    const std::vector<double>& bounds = call.parameters;
    if (std::is_sorted(bounds.begin(), bounds.end(), std::less_equal<>())) {
      return std::make_unique<Histogram>(bounds);
    }
    problem = "the bounds of `histogram` must grow, as in histogram(temp, 0, 10, 20)";
    return nullptr;
  };
  spec.example = "histogram(v, 10, 20)";
  spec.example_records = R"([{"v": 5}, {"v": 10}, {"v": 19.9}, {"v": 20}])";
  spec.example_result = "[1, 2, 1]";
  return spec;
}

}  // namespace runnel

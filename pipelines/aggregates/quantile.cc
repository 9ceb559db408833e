// quantile: quantile(value, 0.95) is the smallest value that 95 % of the values do not
// exceed; median is that of 0.5. Exact up to 16 values, then within 1 % of the value
// (DDSketch); O(1) per value, mergeable. See sketch.h for the bound on memory.
#include <cmath>

#include "pipelines/aggregates/aggregate.h"
#include "pipelines/aggregates/sketch.h"

namespace runnel {
namespace {

class Quantile final : public Aggregate {
 public:
  explicit Quantile(double q) : q_(q) {}
  std::size_t size() const override { return sizeof(SketchState); }
  std::size_t extra_max() const override { return Sketch::ExtraMax(); }
  const char* Refuses(const Value* values) const override {
    if (!values[0].IsNumber()) return "not_a_number";
    return std::isfinite(values[0].ToDouble()) ? nullptr : "not_finite";
  }
  void Init(void* state) const override { Sketch::Init(*static_cast<SketchState*>(state)); }
  void Add(void* state, const Value* values, Time, StateRegion& region) const override {
    Sketch::Add(*static_cast<SketchState*>(state), values[0].ToDouble(), region);
  }
  void AddMany(const AggregateRows& rows, StateRegion& region) const override {
    if (rows.numbers != nullptr) {
      return Sketch::AddMany(rows.states, rows.offset, rows.numbers, rows.count, region);
    }
    for (std::size_t i = 0; i < rows.count; ++i) {
      Sketch::Add(*reinterpret_cast<SketchState*>(rows.states[i] + rows.offset),
                  rows.values[i * rows.stride].ToDouble(), region);
    }
  }
  void Merge(void* state, StateRegion& region, const void* other,
             const StateRegion& from) const override {
    Sketch::Merge(*static_cast<SketchState*>(state), region,
                  *static_cast<const SketchState*>(other), from);
  }
  Value Result(const void* state, const StateRegion& region, const Interval&,
               Arena&) const override {
    const auto& sketch = *static_cast<const SketchState*>(state);
    if (sketch.count == 0) return Value::Null();
    return Value::Double(Sketch::Quantile(sketch, q_, region));
  }
  void Free(void* state, StateRegion& region) const override {
    Sketch::Free(*static_cast<SketchState*>(state), region);
  }
  void Save(const void* state, const StateRegion& region, ByteWriter& writer) const override {
    Sketch::Save(*static_cast<const SketchState*>(state), region, writer);
  }
  void Load(void* state, StateRegion& region, ByteReader& reader) const override {
    Sketch::Load(*static_cast<SketchState*>(state), region, reader);
  }

 private:
  double q_;
};

AggregateSpec Spec(const char* name) {
  AggregateSpec spec;
  spec.name = name;
  spec.algebra = Algebra::kSketch;
  spec.cost =
      "O(1), 24 bytes and up to 16 KiB of buckets; exact up to 16 values, then within 1 % of the "
      "value (DDSketch); of values of one sign that span more than 17 powers of ten, the smallest "
      "are less exact";
  spec.result = Type::kDouble;
  spec.example_records = R"([{"v": 30}, {"v": 10}, {"v": 20}])";
  spec.example_result = "20.0";
  return spec;
}

}  // namespace

AggregateSpec aggregates::quantile() {
  AggregateSpec spec = Spec("quantile");
  spec.signature = "quantile(value, q)";
  spec.description =
      "The smallest value that a part q (0 to 1) of the values does not exceed. Null without "
      "values.";
  spec.parameters_min = spec.parameters_max = 1;
  spec.make = [](const AggregateCall& call,
                 std::string& problem) -> std::unique_ptr<const Aggregate> {
    if (call.parameters[0] >= 0 && call.parameters[0] <= 1) {
      return std::make_unique<Quantile>(call.parameters[0]);
    }
    problem = "the second argument of `quantile` is a number from 0 to 1, such as 0.95";
    return nullptr;
  };
  spec.example = "quantile(v, 0.5)";
  return spec;
}

AggregateSpec aggregates::median() {
  AggregateSpec spec = Spec("median");
  spec.signature = "median(value)";
  spec.description = "quantile(value, 0.5). Null without values.";
  spec.make = [](const AggregateCall&, std::string&) -> std::unique_ptr<const Aggregate> {
    return std::make_unique<Quantile>(0.5);
  };
  spec.example = "median(v)";
  return spec;
}

}  // namespace runnel

// quantile: quantile(value, 0.95) is the smallest value that 95 % of the values do not
// exceed. Exact up to 16 values, then within 1 % of the value (DDSketch); O(1) per
// value, mergeable. See sketch.h for the bound on memory.
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
  const char* Refuses(const Value& value) const override {
    if (!value.IsNumber()) return "not_a_number";
    return std::isfinite(value.ToDouble()) ? nullptr : "not_finite";
  }
  void Init(void* state) const override { Sketch::Init(*static_cast<SketchState*>(state)); }
  void Add(void* state, const Value& value, Time, StateRegion& region) const override {
    Sketch::Add(*static_cast<SketchState*>(state), value.ToDouble(), region);
  }
  void Merge(void* state, StateRegion& region, const void* other,
             const StateRegion& from) const override {
    Sketch::Merge(*static_cast<SketchState*>(state), region,
                  *static_cast<const SketchState*>(other), from);
  }
  Value Result(const void* state, const StateRegion& region) const override {
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

}  // namespace

AggregateSpec aggregates::quantile() {
  return {"quantile",
          "quantile(value, q)",
          "The value at rank q, 0 to 1. Exact up to 16 values, then within 1 % (DDSketch).",
          1,
          1,
          1,
          [](const std::vector<double>& parameters,
             std::string& problem) -> std::unique_ptr<const Aggregate> {
            if (parameters[0] >= 0 && parameters[0] <= 1) {
              return std::make_unique<Quantile>(parameters[0]);
            }
            problem = "the second argument of `quantile` is a number from 0 to 1, such as 0.95";
            return nullptr;
          }};
}

}  // namespace runnel

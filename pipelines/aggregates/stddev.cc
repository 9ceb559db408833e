// stddev: the sample standard deviation (n - 1); null for fewer than two values.
//
// O(1), algebraic. Source: Welford, Technometrics 4, 1962; merging after Chan, Golub
// and LeVeque, 1979. Good where the mean is large beside the deviation.
#include <cmath>

#include "pipelines/aggregates/aggregate.h"

namespace runnel {
namespace {

struct State {
  std::uint64_t count;
  double mean;
  double squares;  // sum of squared distances from the mean
};

class Stddev final : public Aggregate {
 public:
  std::size_t size() const override { return sizeof(State); }
  void Init(void* state) const override { *static_cast<State*>(state) = State{}; }
  void Add(void* state, const Value& value, Time, StateRegion&) const override {
    auto& s = *static_cast<State*>(state);
    const double x = value.ToDouble();
    const double before = x - s.mean;
    s.mean += before / static_cast<double>(++s.count);
    s.squares += before * (x - s.mean);
  }
  void Merge(void* state, StateRegion&, const void* other, const StateRegion&) const override {
    auto& s = *static_cast<State*>(state);
    const auto& from = *static_cast<const State*>(other);
    if (from.count == 0) return;
    const auto count = static_cast<double>(s.count);
    const auto more = static_cast<double>(from.count);
    const double distance = from.mean - s.mean;
    s.mean += distance * more / (count + more);
    s.squares += from.squares + distance * distance * count * more / (count + more);
    s.count += from.count;
  }
  Value Result(const void* state, const StateRegion&) const override {
    const auto& s = *static_cast<const State*>(state);
    if (s.count < 2) return Value::Null();
    return Value::Double(std::sqrt(s.squares / static_cast<double>(s.count - 1)));
  }
  void Save(const void* state, const StateRegion&, ByteWriter& writer) const override {
    const auto& s = *static_cast<const State*>(state);
    writer.Varint(s.count);
    writer.F64(s.mean);
    writer.F64(s.squares);
  }
  void Load(void* state, StateRegion&, ByteReader& reader) const override {
    auto& s = *static_cast<State*>(state);
    s.count = reader.Varint();
    s.mean = reader.F64();
    s.squares = reader.F64();
  }
};

}  // namespace

AggregateSpec aggregates::stddev() {
  return {"stddev",
          "stddev(value)",
          "The sample standard deviation (Welford, Chan).",
          1,
          1,
          0,
          [](const std::vector<double>&, std::string&) -> std::unique_ptr<const Aggregate> {
            return std::make_unique<Stddev>();
          }};
}

}  // namespace runnel

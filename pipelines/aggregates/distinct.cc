// distinct: how many different values there are, exactly, up to a limit. approx_distinct:
// without limit, exact up to 512, then estimated.
//
// The estimate is HyperLogLog with 2^14 registers (Flajolet et al. 2007; Heule et al. 2013
// for the 64-bit hash and the exact beginning) and the estimator of Ertl, "New cardinality
// estimation algorithms for HyperLogLog sketches", 2017, which needs no tables of bias: a
// standard error of 0.81 %. O(1) per value, mergeable in any order.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "pipelines/aggregates/aggregate.h"
#include "pipelines/aggregates/hash_set.h"
#include "pipelines/aggregates/scalar_state.h"

namespace runnel {
namespace {

constexpr std::uint32_t kDistinctLimit = 1'000;

class Distinct final : public Aggregate {
 public:
  explicit Distinct(std::uint32_t limit) : limit_(limit) {}
  std::size_t size() const override { return sizeof(HashSet); }
  std::size_t extra_max() const override { return HashSet::BytesMax(limit_); }
  const char* Refuses(const Value* values) const override {
    return ScalarState::Refuses(values[0]);
  }
  void Init(void* state) const override { *static_cast<HashSet*>(state) = HashSet{}; }
  void Add(void* state, const Value* values, Time, StateRegion& region) const override {
    static_cast<HashSet*>(state)->Add(HashScalar(values[0]), limit_, region);
  }
  void Merge(void* state, StateRegion& region, const void* other,
             const StateRegion& from) const override {
    auto& set = *static_cast<HashSet*>(state);
    const auto& more = *static_cast<const HashSet*>(other);
    more.ForEach(from, [&](std::uint64_t hash) { set.Add(hash, limit_, region); });
    set.full |= more.full;
  }
  Value Result(const void* state, const StateRegion&, const Interval&, Arena&) const override {
    const auto& set = *static_cast<const HashSet*>(state);
    return set.full != 0 ? Value::Null() : Value::Int(set.count);
  }
  void Free(void* state, StateRegion& region) const override {
    static_cast<HashSet*>(state)->Free(region);
  }
  void Save(const void* state, const StateRegion& region, ByteWriter& writer) const override {
    static_cast<const HashSet*>(state)->Save(region, writer);
  }
  void Load(void* state, StateRegion& region, ByteReader& reader) const override {
    static_cast<HashSet*>(state)->Load(limit_, region, reader);
  }

 private:
  std::uint32_t limit_;
};

constexpr int kPrecision = 14;
constexpr std::size_t kRegisters = std::size_t{1} << kPrecision;
constexpr int kRanks = 64 - kPrecision + 1;  // the largest value of a register
constexpr std::uint32_t kExactMax = 512;

struct Approximate {
  HashSet exact;               // until there are too many
  StateRegion::Ref registers;  // kRegisters bytes, then
  std::uint32_t reserved;
};

double Sigma(double x) {
  if (x == 1) return INFINITY;
  double y = 1;
  double z = x;
  for (double before = -1; z != before;) {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  }
  return z;
}

double Tau(double x) {
  if (x == 0 || x == 1) return 0;
  double y = 1;
  double z = 1 - x;
  for (double before = -1; z != before;) {
    x = std::sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  }
  return z / 3;
}

double Estimate(const std::uint8_t* registers) {
  std::uint32_t counts[kRanks + 1] = {};
  for (std::size_t i = 0; i < kRegisters; ++i) ++counts[std::min<int>(registers[i], kRanks)];
  const auto m = static_cast<double>(kRegisters);
  double z = m * Tau(1 - counts[kRanks] / m);
  for (int rank = kRanks - 1; rank >= 1; --rank) z = 0.5 * (z + counts[rank]);
  z += m * Sigma(counts[0] / m);
  return m * m / (2 * std::log(2.0)) / z;
}

class ApproxDistinct final : public Aggregate {
 public:
  std::size_t size() const override { return sizeof(Approximate); }
  std::size_t extra_max() const override {
    return HashSet::BytesMax(kExactMax) + StateRegion::Rounded(kRegisters);
  }
  const char* Refuses(const Value* values) const override {
    return ScalarState::Refuses(values[0]);
  }
  void Init(void* state) const override { *static_cast<Approximate*>(state) = Approximate{}; }
  void Add(void* state, const Value* values, Time, StateRegion& region) const override {
    Take(*static_cast<Approximate*>(state), HashScalar(values[0]), region);
  }
  void Merge(void* state, StateRegion& region, const void* other,
             const StateRegion& from) const override {
    auto& sketch = *static_cast<Approximate*>(state);
    const auto& more = *static_cast<const Approximate*>(other);
    more.exact.ForEach(from, [&](std::uint64_t hash) { Take(sketch, hash, region); });
    if (more.registers == StateRegion::kNone || !Spread(sketch, region)) return;
    auto* registers = region.Get<std::uint8_t>(sketch.registers);
    const auto* added = from.Get<std::uint8_t>(more.registers);
    region.Touch(registers, kRegisters);
    for (std::size_t i = 0; i < kRegisters; ++i) registers[i] = std::max(registers[i], added[i]);
  }
  Value Result(const void* state, const StateRegion& region, const Interval&,
               Arena&) const override {
    const auto& sketch = *static_cast<const Approximate*>(state);
    if (sketch.registers == StateRegion::kNone) return Value::Int(sketch.exact.count);
    return Value::Int(std::llround(Estimate(region.Get<std::uint8_t>(sketch.registers))));
  }
  void Free(void* state, StateRegion& region) const override {
    auto& sketch = *static_cast<Approximate*>(state);
    sketch.exact.Free(region);
    if (sketch.registers != StateRegion::kNone) region.Free(sketch.registers, kRegisters);
    sketch = Approximate{};
  }
  void Save(const void* state, const StateRegion& region, ByteWriter& writer) const override {
    const auto& sketch = *static_cast<const Approximate*>(state);
    sketch.exact.Save(region, writer);
    const bool dense = sketch.registers != StateRegion::kNone;
    writer.U8(dense ? 1 : 0);
    if (dense) writer.Raw({region.Get<char>(sketch.registers), kRegisters});
  }
  void Load(void* state, StateRegion& region, ByteReader& reader) const override {
    auto& sketch = *static_cast<Approximate*>(state);
    sketch.exact.Load(kExactMax, region, reader);
    if (reader.U8() == 0) return;
    const std::string_view registers = reader.Raw(kRegisters);
    if (registers.empty() || !Spread(sketch, region)) return;
    std::memcpy(region.Get<char>(sketch.registers), registers.data(), kRegisters);
  }

 private:
  static void Take(Approximate& sketch, std::uint64_t hash, StateRegion& region) {
    if (sketch.registers == StateRegion::kNone) {
      sketch.exact.Add(hash, kExactMax, region);
      if (sketch.exact.full == 0) return;
      if (!Spread(sketch, region)) return;
    }
    Set(sketch, hash, region);
  }
  static void Set(Approximate& sketch, std::uint64_t hash, StateRegion& region) {
    auto* place = region.Get<std::uint8_t>(sketch.registers) + (hash >> (64 - kPrecision));
    const std::uint64_t rest = hash << kPrecision;
    const int rank = rest == 0 ? kRanks : std::min(std::countl_zero(rest) + 1, kRanks);
    if (*place >= rank) return;
    region.Touch(place, 1);
    *place = static_cast<std::uint8_t>(rank);
  }
  // From exact to registers. False where the region has no room.
  static bool Spread(Approximate& sketch, StateRegion& region) {
    if (sketch.registers != StateRegion::kNone) return true;
    sketch.registers = region.Allocate(kRegisters);
    if (sketch.registers == StateRegion::kNone) return false;
    sketch.exact.ForEach(region, [&](std::uint64_t hash) { Set(sketch, hash, region); });
    sketch.exact.Free(region);
    return true;
  }
};

}  // namespace

AggregateSpec aggregates::distinct() {
  AggregateSpec spec;
  spec.name = "distinct";
  spec.signature = "distinct(value) or distinct(value, limit)";
  spec.description =
      "How many different values there are, exactly; null where there are more than the limit "
      "(1000 without it, at most 100000).";
  spec.cost = "O(1), 16 bytes and up to 22 bytes for each of `limit` values; 64-bit hashes";
  spec.parameters_max = 1;
  spec.takes = Type::kMissing;
  spec.result = Type::kInt;
  spec.make = [](const AggregateCall& call,
                 std::string& problem) -> std::unique_ptr<const Aggregate> {
    const double limit = call.parameters.empty() ? kDistinctLimit : call.parameters[0];
    if (limit >= 1 && limit <= 100'000) {
      return std::make_unique<Distinct>(static_cast<std::uint32_t>(limit));
    }
    problem = "the limit of `distinct` is a number from 1 to 100000";
    return nullptr;
  };
  spec.example = "distinct(v)";
  spec.example_records = R"([{"v": "a"}, {"v": "b"}, {"v": "a"}])";
  spec.example_result = "2";
  return spec;
}

AggregateSpec aggregates::approx_distinct() {
  AggregateSpec spec;
  spec.name = "approx_distinct";
  spec.signature = "approx_distinct(value)";
  spec.description = "How many different values there are, about.";
  spec.algebra = Algebra::kSketch;
  spec.cost =
      "O(1), 24 bytes and up to 16 KiB; exact up to 512 values, then with a standard error of "
      "0.81 % (HyperLogLog)";
  spec.takes = Type::kMissing;
  spec.result = Type::kInt;
  spec.make = MakeAggregate<ApproxDistinct>;
  spec.example = "approx_distinct(v)";
  spec.example_records = R"([{"v": "a"}, {"v": "b"}, {"v": "a"}])";
  spec.example_result = "2";
  return spec;
}

}  // namespace runnel

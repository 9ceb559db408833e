// Aggregate: many values to one, incrementally.
//
// A commutative monoid wherever the mathematics allows it: Init, Add, Merge, Result.
// The state of one aggregate in one window is a fixed block of plain bytes; what
// grows (a sketch) hangs off it in blocks of the StateRegion. The caller has touched
// the block before Init, Add and Merge; aggregates touch what they hang off it.
//
// A new aggregate is one file and a line in aggregates.def.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "pipelines/base/arena.h"
#include "pipelines/base/bytes.h"
#include "pipelines/base/state.h"
#include "pipelines/base/time.h"
#include "pipelines/value/value.h"

namespace runnel {

// The time that a result is about; `end` is exclusive.
struct Interval {
  Time start{};
  Time end{};
};

// Many records at once, each for a state of its own.
struct AggregateRows {
  std::byte* const* states;  // of each the block that the aggregate's state lies in
  std::size_t offset;        // where in the block
  const Value* values;       // of the first record
  std::size_t stride;        // from the values of one record to those of the next
  const Time* times;
  std::size_t count;
  // Where each has one value, and that is a finite double: those, one behind the other.
  const double* numbers;
};

class Aggregate {
 public:
  virtual ~Aggregate() = default;

  // Bytes of the fixed block, a multiple of 8.
  virtual std::size_t size() const = 0;
  // Most bytes that hang off one state.
  virtual std::size_t extra_max() const { return 0; }
  // Whether it takes every finite double as each of its values: then nobody asks Refuses()
  // about them. Windows ask about everything else.
  virtual bool TakesNumbers() const { return true; }
  // Whether the times of the values matter. What is kOrdered is not asked: they do.
  virtual bool UsesTime() const { return false; }
  // A literal reason why the record's `values` cannot be added, or nullptr. Asked for all
  // aggregates of a window before any is changed. A record that has a missing or null value
  // among them is never asked about and never added.
  virtual const char* Refuses(const Value* values) const;

  virtual void Init(void* state) const = 0;
  // `values`: as many as the call has, at least one.
  virtual void Add(void* state, const Value* values, Time time, StateRegion& region) const = 0;
  // Add for each of `rows`, in their order.
  virtual void AddMany(const AggregateRows& rows, StateRegion& region) const {
    for (std::size_t i = 0; i < rows.count; ++i) {
      Add(rows.states[i] + rows.offset, rows.values + i * rows.stride, rows.times[i], region);
    }
  }
  // Adds what `other` has seen. `from` is the region of `other`.
  virtual void Merge(void* state, StateRegion& region, const void* other,
                     const StateRegion& from) const = 0;
  // Text is borrowed from the region, lists and maps from `arena`.
  virtual Value Result(const void* state, const StateRegion& region, const Interval& window,
                       Arena& arena) const = 0;
  // Gives back what hangs off the state.
  virtual void Free(void* /*state*/, StateRegion& /*region*/) const {}
  virtual void Save(const void* state, const StateRegion& region, ByteWriter& writer) const = 0;
  virtual void Load(void* state, StateRegion& region, ByteReader& reader) const = 0;
};

// An aggregate whose whole state is one plain struct. `State{}` is that of no values; it
// has no padding, so that equal states have equal bytes. `Derived` has
//   void Take(State&, const Value* values, Time) const;
//   void TakeNumber(State&, double) const;  // may be there: Take of one finite double
//   void Join(State&, const State& other) const;
//   Value Get(const State&, const Interval& window, Arena&) const;
template <typename Derived, typename State>
class PlainAggregate : public Aggregate {
  static_assert(std::is_trivially_copyable_v<State> && sizeof(State) % 8 == 0);

 public:
  std::size_t size() const final { return sizeof(State); }
  void Init(void* state) const final { *static_cast<State*>(state) = State{}; }
  void Add(void* state, const Value* values, Time time, StateRegion&) const final {
    derived().Take(*static_cast<State*>(state), values, time);
  }
  void AddMany(const AggregateRows& all, StateRegion&) const final {
    const AggregateRows rows = all;  // which no state that is written can be a part of
    constexpr bool kTakesNumbers = requires(const Derived& aggregate, State& state) {
      aggregate.TakeNumber(state, 0.0);
    };
    if constexpr (kTakesNumbers) {
      if (rows.numbers != nullptr) {
        for (std::size_t i = 0; i < rows.count; ++i) {
          auto& state = *reinterpret_cast<State*>(rows.states[i] + rows.offset);
          derived().TakeNumber(state, rows.numbers[i]);
        }
        return;
      }
    }
    for (std::size_t i = 0; i < rows.count; ++i) {
      derived().Take(*reinterpret_cast<State*>(rows.states[i] + rows.offset),
                     rows.values + i * rows.stride, rows.times[i]);
    }
  }
  void Merge(void* state, StateRegion&, const void* other, const StateRegion&) const final {
    derived().Join(*static_cast<State*>(state), *static_cast<const State*>(other));
  }
  Value Result(const void* state, const StateRegion&, const Interval& window,
               Arena& arena) const final {
    return derived().Get(*static_cast<const State*>(state), window, arena);
  }
  void Save(const void* state, const StateRegion&, ByteWriter& writer) const final {
    writer.Raw({static_cast<const char*>(state), sizeof(State)});
  }
  void Load(void* state, StateRegion&, ByteReader& reader) const final {
    const std::string_view bytes = reader.Raw(sizeof(State));
    if (!bytes.empty()) std::memcpy(state, bytes.data(), sizeof(State));
  }

 private:
  const Derived& derived() const { return static_cast<const Derived&>(*this); }
};

// What a partial result can be merged with, after Gray et al., Data Cube, 1997.
enum class Algebra : std::uint8_t {
  kDistributive,  // exact in any order
  kAlgebraic,     // in any order, to a rounding
  kSketch,        // in any order, within the stated error
  kOrdered,       // merged in the order of time
};
std::string_view AlgebraName(Algebra algebra);

// What an aggregate is made from: `quantile(temp, 0.95)` has one value and one parameter.
struct AggregateCall {
  int values = 0;
  std::vector<double> parameters;  // a duration is a number of seconds
};

// Its texts are literals.
struct AggregateSpec {
  std::string_view name;
  std::string_view signature;    // `quantile(value, q)`
  std::string_view description;  // what it is, and what it gives for no values
  Algebra algebra = Algebra::kDistributive;
  std::string_view cost;  // time of a value, bytes of a state
  // Arguments that are values of the record; the others are numbers in the text.
  int values_min = 1;
  int values_max = 1;
  int parameters_min = 0;
  int parameters_max = 0;
  // What the values may be, for the check of types: kBool, kDouble (any number), or
  // kMissing (any scalar).
  Type takes = Type::kDouble;
  Type result = Type::kMissing;  // kMissing: depends on the values
  // nullptr where a parameter is out of range; `problem` says what.
  std::unique_ptr<const Aggregate> (*make)(const AggregateCall& call, std::string& problem);
  // For the manual and its test: a call, JSON records one second apart in a window of ten
  // seconds, and the result as JSON.
  std::string_view example;
  std::string_view example_records;
  std::string_view example_result;
};

// `make` of an aggregate without parameters.
template <typename A>
std::unique_ptr<const Aggregate> MakeAggregate(const AggregateCall&, std::string&) {
  return std::make_unique<A>();
}

namespace aggregates {
#define AGGREGATE(name) AggregateSpec name();
#include "pipelines/aggregates/aggregates.def"
#undef AGGREGATE
}  // namespace aggregates

}  // namespace runnel

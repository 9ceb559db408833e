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
#include <memory>
#include <string>
#include <vector>

#include "pipelines/base/bytes.h"
#include "pipelines/base/state.h"
#include "pipelines/base/time.h"
#include "pipelines/value/value.h"

namespace runnel {

class Aggregate {
 public:
  virtual ~Aggregate() = default;

  // Bytes of the fixed block, a multiple of 8.
  virtual std::size_t size() const = 0;
  // Most bytes that hang off one state.
  virtual std::size_t extra_max() const { return 0; }
  // A literal reason why `value` cannot be added, or nullptr. Asked for all aggregates
  // of a window before any is changed. Missing and null values are never asked about, nor
  // are finite doubles, which every aggregate takes.
  virtual const char* Refuses(const Value& value) const;

  virtual void Init(void* state) const = 0;
  virtual void Add(void* state, const Value& value, Time time, StateRegion& region) const = 0;
  // Adds what `other` has seen. `from` is the region of `other`.
  virtual void Merge(void* state, StateRegion& region, const void* other,
                     const StateRegion& from) const = 0;
  // Text is borrowed from the region.
  virtual Value Result(const void* state, const StateRegion& region) const = 0;
  // Gives back what hangs off the state.
  virtual void Free(void* /*state*/, StateRegion& /*region*/) const {}
  virtual void Save(const void* state, const StateRegion& region, ByteWriter& writer) const = 0;
  virtual void Load(void* state, StateRegion& region, ByteReader& reader) const = 0;
};

struct AggregateSpec {
  std::string name;
  std::string signature;    // `quantile(value, q)`
  std::string description;  // complexity and error bound included
  // Arguments that are values of the record; the others are numbers in the text.
  int values_min = 1;
  int values_max = 1;
  int parameters = 0;
  // nullptr where a parameter is out of range; `problem` says what.
  std::unique_ptr<const Aggregate> (*make)(const std::vector<double>& parameters,
                                           std::string& problem);
};

namespace aggregates {
#define AGGREGATE(name) AggregateSpec name();
#include "pipelines/aggregates/aggregates.def"
#undef AGGREGATE
}  // namespace aggregates

}  // namespace runnel

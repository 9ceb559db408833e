// Partitioning: where a pipeline is cut into stages, and what each is spread by.
//
// A step with a key needs all records of a key in one task. A stage is spread by some
// names; a step may stay in it when they are all part of its key, for then records that
// are equal in the key are equal in these. Otherwise the pipeline is cut in front of it
// and an exchange brings the records to the task that owns the key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace runnel {

// What matters of a step.
struct StepKey {
  std::optional<std::vector<std::string>> key;  // as Operator::Key()
  std::vector<std::string> changes;             // fields that get other values
};

// Tasks that do the same steps on records of their own.
struct StageLayout {
  std::size_t first = 0;  // step
  std::uint32_t tasks = 1;
  // What the records are spread by: of the first stage captures of the topic (empty: the
  // whole topic), of a later one the key of its first step (empty: one task has all).
  std::vector<std::string> spread_by;
};

// At least one stage. `captures` are the names in the topic of the source.
std::vector<StageLayout> Partition(const std::vector<StepKey>& steps,
                                   const std::vector<std::string>& captures,
                                   std::uint32_t partitions);

}  // namespace runnel

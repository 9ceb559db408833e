// BatchPlan: a pipeline as it runs over files: what is compiled, and which way it goes.
//
// The same text gives the same plan in the coordinator and in its workers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/batch/intake.h"
#include "pipelines/codecs/csv_plan.h"
#include "pipelines/plan/compiled_plan.h"
#include "pipelines/plan/registry.h"
#include "pipelines/windows/window_plan.h"

namespace runnel {

enum class Lateness : std::uint8_t { kNever, kAsStream };

// What a run is told of its pipeline; goes to the workers as bytes.
struct BatchSpec {
  std::string name;
  Node pipeline;  // source and sink as they are, or missing; decode and encode as they are used
  TopicOrigin origin;
  Lateness lateness = Lateness::kNever;
  std::uint64_t record_max = 1 << 20;  // bytes of a row, and of a result
  // The columns of `encode: csv` are those that the first rows had, not some that somebody chose.
  bool columns_are_seen = false;

  std::string Encode() const;
  static Result<BatchSpec> Decode(std::string_view bytes);
};

enum class BatchWay : std::uint8_t {
  kRows,        // each row for itself; the order of the rows stays
  kGroups,      // chunks are grouped, what they leave is merged in the order of the file
  kPartitions,  // rows go to the partition of their key, in the order of the file
  kInOrder,     // all rows through all steps, one behind the other
};

// Partitions of an input, never more or fewer: what a run gives may not depend on anything
// but its input.
constexpr std::uint32_t kBatchPartitions = 64;
// The longest encoded key of a group: a row with a longer one is rejected (`key_too_large`). Two of
// them as sort keys, where a byte may take two, fit in a message to a worker.
constexpr std::size_t kBatchKeyMax = 8 * 1024;
// And the longest such sort key, with what is in front of the key of a group.
constexpr std::size_t kSortKeyMax = 2 * kBatchKeyMax + 64;

struct BatchPlan {
  const CompiledPlan& plan() const { return *compiled; }
  // What the stages behind the partitions have in front of each result; see SortedFormat.
  bool sorts_results() const { return way == BatchWay::kPartitions || way == BatchWay::kInOrder; }
  // Fields of a result that are known before there is one, in the order of columns; empty:
  // only the rows tell.
  std::vector<std::string> ResultFields() const;
  // The fields with lists that steps take apart, in their order, as far as they are rows still.
  std::vector<std::string> ListsTakenApart() const;
  std::string Explain() const;

  std::unique_ptr<const CompiledPlan> compiled;
  std::optional<CsvPlan> csv;  // of `decode`
  TopicOrigin origin;
  Lateness lateness = Lateness::kNever;
  std::uint64_t record_max = 0;
  BatchWay way = BatchWay::kRows;
  std::string why;
  std::size_t window_step = 0;         // of the first window
  const WindowPlan* window = nullptr;  // the first one; nullptr: there is none
  std::vector<std::string> columns;    // that `encode: csv` writes; empty: another format
  CsvDialect dialect;                  // of `encode: csv`
  bool refuses_other_fields = false;   // than those of `columns`: a result has to be whole
};

// nullptr after an error.
std::unique_ptr<const BatchPlan> CompileBatch(const BatchSpec& spec, const Registry& registry,
                                              Diagnostics& diagnostics);

}  // namespace runnel

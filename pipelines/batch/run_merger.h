// RunMerger: runs merged into one, or into the results.
//
// Entries of one group are merged in the order of their runs, which is that of the input.
// Works on slices of runs: what lies outside the bounds belongs to another slice.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/batch/chunk_mapper.h"

namespace runnel {

struct MergeInput {
  std::vector<std::string_view> runs;  // blocks of each, in the order of the runs
  std::string_view from;               // keys from here on; empty: all
  std::string_view until;              // and below this; empty: to the end
};

enum class MergeGoal : std::uint8_t {
  kRun,      // one run of merged groups
  kResults,  // the results of groups, as they are written
  kLines,    // values are results already
};

class RunMerger final {
 public:
  // All outlive the merger; `region` is its own.
  static Result<std::unique_ptr<RunMerger>> Create(const BatchPlan& plan, StateRegion& region,
                                                   BatchSink& sink);

  // False where the runs are not what a mapper made.
  bool Merge(const MergeInput& input, MergeGoal goal);
  const BatchCounts& counts() const { return counts_; }

 private:
  struct Cursor {
    RunReader reader;
    RunEntry entry;
  };

  RunMerger(const BatchPlan& plan, StateRegion& region, BatchSink& sink);
  bool IsBehind(std::size_t a, std::size_t b) const;
  void SinkFront();
  bool Advance(std::size_t cursor);
  bool MergeGroup(MergeGoal goal);
  bool LoadStates(std::string_view bytes, std::byte* states);
  bool EmitResult(std::string_view key);
  bool FillResult(std::string_view key);
  void Reject(const char* reason, std::string_view step);
  void Flush();

  const BatchPlan* plan_;
  StateRegion* region_;
  BatchSink* sink_;
  StateRegion steps_region_;
  std::optional<StepChain> steps_;  // behind the window
  std::optional<ResultWriter> results_;
  std::optional<Record> result_;
  Arena arena_;
  RunWriter run_;
  std::byte* merged_ = nullptr;  // states
  std::byte* more_ = nullptr;
  std::vector<Cursor> cursors_;
  std::vector<std::size_t> heap_;  // of cursors with an entry; the first is on top
  std::string_view until_;
  std::string key_;
  std::string output_;
  ByteWriter states_;
  BatchCounts counts_;
  bool ok_ = true;
};

}  // namespace runnel

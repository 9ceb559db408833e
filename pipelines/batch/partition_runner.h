// PartitionRunner: the rows of one partition, in the order of the file, to runs.
//
// Groups where rows were spread by group; else the stage behind the exchange, or the whole
// pipeline where there is one partition alone. What it leaves is sorted.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/batch/chunk_mapper.h"
#include "pipelines/batch/sorted_format.h"
#include "pipelines/batch/spread.h"
#include "pipelines/plan/pipeline.h"
#include "pipelines/plan/plan_run.h"

namespace runnel {

// What one chunk has left for a partition.
struct Segment {
  std::uint64_t chunk = 0;
  std::string_view header;  // kInOrder: of the file that the rows are of
  std::string_view bytes;   // with 64 readable bytes behind them
};

class PartitionRunner final : private OutputSink {
 public:
  // All outlive the runner; `region` is its own. `progress` gets the number of the row that
  // is being worked on; of groups that of the last one of a batch, unless MapMode is careful.
  static Result<std::unique_ptr<PartitionRunner>> Create(
      const BatchPlan& plan, StateRegion& region, std::size_t memory, BatchSink& sink,
      std::function<void(std::uint64_t)> progress);
  ~PartitionRunner() override;

  // Starts a partition anew.
  Status Begin(const MapMode& mode);
  // False where the bytes are not what a mapper made.
  bool Feed(const Segment& segment);
  void End();
  const BatchCounts& counts() const { return counts_; }

  std::function<void(std::string_view row)> on_row;  // for tests

 private:
  PartitionRunner(const BatchPlan& plan, StateRegion& region, std::size_t memory, BatchSink& sink,
                  std::function<void(std::uint64_t)> progress);
  bool FeedGroups(const Segment& segment);
  void AddRows();
  bool FeedStage(const Segment& segment);
  bool FeedAll(const Segment& segment);
  bool IsSkipped();
  void CountLines();
  BatchReject RejectOfRow(std::string_view reason, std::string_view step, std::string_view row);
  void Push(const Input& input);
  void Write(const Output& output) override;
  void KeepResult(const SortedLine& line);
  void FlushResults();
  void Settle(const Ledger& ledger);

  const BatchPlan* plan_;
  StateRegion* region_;
  std::size_t memory_;
  BatchSink* sink_;
  std::function<void(std::uint64_t)> progress_;
  MapMode mode_;
  RunWriter run_;
  BatchCounts counts_;
  std::uint64_t row_ = 0;         // of the partition
  std::uint64_t refused_ = 0;     // rows that are refused before they are messages
  std::uint64_t unsortable_ = 0;  // results
  // Groups.
  std::optional<SpreadLayout> layout_;
  std::unique_ptr<GroupFeed> feed_;
  std::unique_ptr<GroupTable> groups_;
  // A stage.
  std::unique_ptr<Pipeline> pipeline_;
  std::uint64_t chunk_ = 0;
  std::uint64_t offset_ = 0;   // of the row in its chunk
  std::uint64_t line_ = 0;     // the same, from 0; kInOrder: of what is counted
  std::string_view text_;      // kInOrder: of the chunk, while it is there
  std::uint64_t counted_ = 0;  // bytes of it
  std::uint64_t given_ = 0;    // results so far
  // All of the pipeline.
  std::unique_ptr<PlanRun> all_;
  std::unique_ptr<RowReader> reader_;
  std::unique_ptr<Record> record_;
  std::unique_ptr<Intake> intake_;
  Arena arena_;
  std::size_t header_size_ = 0;
  std::string message_;

  std::string key_;
  bool run_open_ = false;
  std::string kept_;  // results that wait to be sorted, see KeepResult
  struct Kept {
    std::size_t key;
    std::uint32_t key_size;
    std::uint32_t line_size;
  };
  std::vector<Kept> results_;
};

}  // namespace runnel

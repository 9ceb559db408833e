// ChunkMapper: a chunk of rows to what it leaves: results, a run of groups, or rows for
// partitions. A pure function of plan and bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/batch/batch_plan.h"
#include "pipelines/batch/csv_groups.h"
#include "pipelines/batch/group_feed.h"
#include "pipelines/batch/group_table.h"
#include "pipelines/batch/result_writer.h"
#include "pipelines/batch/row_reader.h"
#include "pipelines/batch/spread.h"
#include "pipelines/batch/step_chain.h"
#include "pipelines/codecs/exchange.h"

namespace runnel {

// Where the rows of a chunk went: rows = filtered + absorbed + passed + dropped + rejected.
struct BatchCounts {
  std::uint64_t rows = 0;
  std::uint64_t filtered = 0;
  std::uint64_t absorbed = 0;
  std::uint64_t passed = 0;  // to the output, or to the partitions
  std::uint64_t dropped = 0;
  std::uint64_t rejected = 0;
  std::uint64_t late = 0;
  std::uint64_t results = 0;  // of windows: = written + filtered + absorbed + rejected of these
  std::uint64_t results_written = 0;
  std::uint64_t results_filtered = 0;
  std::uint64_t results_absorbed = 0;
  std::uint64_t results_rejected = 0;

  static constexpr std::size_t kFields = 12;
  std::uint64_t* fields() { return &rows; }
  const std::uint64_t* fields() const { return &rows; }
  void Add(const BatchCounts& other) {
    for (std::size_t i = 0; i < kFields; ++i) fields()[i] += other.fields()[i];
  }
  // Rows that were in groups found no room.
  void DropAbsorbed(std::uint64_t count) {
    absorbed -= count;
    dropped += count;
  }
  bool IsSettled() const {
    return rows == filtered + absorbed + passed + dropped + rejected + late &&
           results == results_written + results_filtered + results_absorbed + results_rejected;
  }
};
static_assert(sizeof(BatchCounts) == BatchCounts::kFields * sizeof(std::uint64_t));

// A row that could not be used.
struct BatchReject {
  // Of a row that a partition has got: the chunk that it stood in, and there the line, from 0.
  struct Place {
    std::uint64_t chunk = 0;
    std::optional<std::uint64_t> line;
  };

  std::uint64_t offset = 0;  // in the chunk
  std::string_view reason;
  std::string_view step;  // `decode`, `steps[0].filter`, …
  std::string_view row;
  std::optional<Place> place = {};
};

// Takes what comes of a chunk; the views end with the call.
class BatchSink {
 public:
  virtual ~BatchSink() = default;
  virtual void TakeOutput(std::string_view bytes) = 0;    // rows as they are written
  virtual void TakeRunBlock(std::string_view block) = 0;  // of the run of this chunk
  virtual void EndRun() = 0;
  virtual void TakeSegment(std::uint32_t partition, std::string_view bytes) = 0;
  virtual void TakeReject(const BatchReject& reject) = 0;
};

struct ChunkInput {
  std::uint64_t number = 0;
  std::string_view header;
  std::string_view text;  // with 64 readable bytes behind it
};

// How a chunk is read.
struct MapMode {
  bool spread = false;              // groups: rows go to partitions
  bool careful = false;             // row by row, so that it is known which one kills
  bool probe = false;               // nothing is given but what Probe has
  std::vector<std::uint64_t> skip;  // offsets of rows that have killed
};

struct ProbeResult {
  // What is met behind so many fields, or bytes of their names, is left out.
  static constexpr std::size_t kFieldsMax = 1'000;
  static constexpr std::size_t kNameBytesMax = 1 << 20;

  std::uint64_t rows = 0;
  std::uint64_t groups = 0;
  std::vector<std::string> fields;  // of results, in the order in which they were met
  std::size_t name_bytes = 0;       // of these
};

class ChunkMapper final {
 public:
  // `plan`, `sink` and `region` outlive the mapper; `region` is its own. `progress` gets the
  // offset of the row that is being worked on.
  static Result<std::unique_ptr<ChunkMapper>> Create(const BatchPlan& plan, StateRegion& region,
                                                     BatchSink& sink,
                                                     std::function<void(std::uint64_t)> progress);
  ~ChunkMapper();

  // Null, or a literal reason why no row of the file can be read.
  const char* Map(const ChunkInput& input, const MapMode& mode);
  const BatchCounts& counts() const { return counts_; }
  const ProbeResult& probe() const { return probe_; }

  // For tests: called with each row before it is worked on.
  std::function<void(std::string_view row)> on_row;

 private:
  ChunkMapper(const BatchPlan& plan, StateRegion& region, BatchSink& sink,
              std::function<void(std::uint64_t)> progress);
  void TakeRows(std::uint64_t count);
  void TakeUsualRows();
  void EndRow();
  void TakeRow(const Row& row);
  void Reject(const char* reason, std::string_view step, const Row& row);
  void Settle(const Verdict& verdict, std::size_t step, const Row& row);
  void EncodeRow(const Row& row);
  void NoteField(std::string_view name);
  void NoteFields();
  void NoteFieldsOf(std::string_view name, const Value& value, std::size_t list);
  void PartitionRow(const Row& row);
  void AddToBatch(const Row& row);
  const char* ReadValues(Value* values);
  std::int64_t PaneOf(std::int64_t time);
  void RunBatch();
  void FlushGroups();
  void GiveLongSegment(std::uint32_t partition);
  void GiveSegment(std::uint32_t partition, std::string_view bytes);
  void Spread();
  void FlushSegments();

  const BatchPlan* plan_;
  BatchSink* sink_;
  std::function<void(std::uint64_t)> progress_;
  StateRegion* region_;
  StateRegion steps_region_;
  std::optional<StepChain> steps_;  // in front of the window, the partitions or the output
  Intake intake_;
  std::unique_ptr<RowReader> reader_;
  ResultWriter results_;
  std::unique_ptr<ExchangeEncoder> exchange_;
  std::unique_ptr<GroupTable> groups_;
  std::unique_ptr<RunWriter> run_;
  Record record_;
  Arena arena_;
  std::unique_ptr<GroupFeed> feed_;
  std::unique_ptr<CsvGroups> csv_groups_;  // for plans that it fits
  std::size_t next_ = 0;                   // where it is to go on
  ChunkInput input_;
  MapMode mode_;
  BatchCounts counts_;
  ProbeResult probe_;
  std::vector<std::string> lists_;  // that are taken apart
  std::uint64_t counted_ = 0;       // bytes of the chunk
  std::uint64_t lines_ = 0;         // in these
  std::int64_t pane_start_ = 0;
  std::int64_t pane_every_ = 0;  // 0: there is no remembered pane
  KeyBuffer key_;                // scratch
  std::string scratch_;          // scratch
  std::string output_;
  std::vector<std::string> segments_;  // of a stage, by partition
  std::optional<SpreadLayout> layout_;
  std::vector<SpreadWriter> spread_;  // of groups, by partition
};

}  // namespace runnel

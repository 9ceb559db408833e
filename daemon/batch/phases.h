// The phases of a run: chunks, then partitions where there are some, then merging.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "daemon/batch/chunker.h"
#include "daemon/batch/manifest.h"
#include "daemon/batch/output_file.h"
#include "daemon/batch/rejects.h"
#include "daemon/batch/spool.h"
#include "daemon/batch/work_pool.h"

namespace runnel {

// What the phases share.
struct BatchState {
  BatchState(Chunker from, Spool kept, OutputFile out, Rejects refused)
      : chunker(std::move(from)),
        spool(std::move(kept)),
        output(std::move(out)),
        rejects(std::move(refused)) {}

  const std::string& InputOf(std::uint64_t chunk) const {
    return chunker.inputs()[chunks[chunk].file].path;
  }
  Status TakeReject(std::uint64_t chunk, std::string_view bytes);

  Chunker chunker;
  Spool spool;
  OutputFile output;
  Rejects rejects;
  std::vector<Chunk> chunks;  // that have been read
  BatchCounts counts;
  std::vector<Extent> runs;  // in the order of the input
  std::array<std::vector<SegmentPlace>, kBatchPartitions> segments;
  std::optional<std::uint64_t> errors_max;
};

// Chunks to what they leave. `keep` is called with each that is done.
class MapPhase final : public WorkPhase {
 public:
  using Keep = std::function<Status(const ManifestEntry& entry)>;
  MapPhase(BatchState& state, bool spread, std::uint64_t first, Keep keep)
      : state_(&state), spread_(spread), first_(first), keep_(std::move(keep)) {}

  std::uint64_t first() const override { return first_; }
  Result<bool> Fill(std::uint64_t task, std::uint64_t part, char* slot, batch::Job& job) override;
  Status Take(std::uint64_t task, const batch::Frame& frame) override;
  Status Done(std::uint64_t task, const batch::Reply& reply) override;
  Error Refused(std::uint64_t task, const std::string& reason) override;

 private:
  BatchState* state_;
  bool spread_;
  std::uint64_t first_;
  Keep keep_;
  ManifestEntry entry_;  // of the chunk whose turn it is
  Extent run_;
};

// The first chunk, for what it tells of all.
class ProbePhase final : public WorkPhase {
 public:
  explicit ProbePhase(Chunker& chunker) : chunker_(&chunker) {}
  Result<bool> Fill(std::uint64_t task, std::uint64_t part, char* slot, batch::Job& job) override;
  Status Take(std::uint64_t task, const batch::Frame& frame) override;
  Status Done(std::uint64_t task, const batch::Reply& reply) override;
  Error Refused(std::uint64_t task, const std::string& reason) override;
  const ProbeResult& result() const { return result_; }

 private:
  Chunker* chunker_;
  ProbeResult result_;
};

// Rows of partitions to runs.
class PartitionPhase final : public WorkPhase {
 public:
  PartitionPhase(BatchState& state, std::uint32_t partitions, std::size_t slot_bytes)
      : state_(&state), partitions_(partitions), slot_bytes_(slot_bytes) {}
  Result<bool> Fill(std::uint64_t task, std::uint64_t part, char* slot, batch::Job& job) override;
  Status Take(std::uint64_t task, const batch::Frame& frame) override;
  Status Done(std::uint64_t task, const batch::Reply& reply) override;
  Error Refused(std::uint64_t task, const std::string& reason) override;
  // The rows that the partitions have seen.
  std::uint64_t rows() const { return rows_; }

 private:
  BatchState* state_;
  std::uint32_t partitions_;
  std::size_t slot_bytes_;
  std::array<std::vector<std::size_t>, kBatchPartitions> begins_;  // of each part
  Extent run_;
  std::uint64_t rows_ = 0;
};

// Runs to one run, or to the results: slices of the order of keys, one a task.
class MergePhase final : public WorkPhase {
 public:
  MergePhase(BatchState& state, std::vector<Extent> runs, MergeGoal goal, std::size_t slot_bytes);
  Result<bool> Fill(std::uint64_t task, std::uint64_t part, char* slot, batch::Job& job) override;
  Status Take(std::uint64_t task, const batch::Frame& frame) override;
  Status Done(std::uint64_t task, const batch::Reply& reply) override;
  Error Refused(std::uint64_t task, const std::string& reason) override;
  // kRun: what has come out.
  const Extent& run() const { return run_; }
  double part_done() const;

 private:
  struct Cursor {
    Extent rest;   // behind `block`
    Extent block;  // the next one; empty: there is none
    std::string first_key;
    std::string last_key;
    Extent taken;  // the last one that was taken, where its end is still to come
    std::string taken_last_key;
    Extent slice;  // what of this run is in the task
  };
  Status Load(Cursor& cursor);
  Result<bool> CollectSlice();

  BatchState* state_;
  MergeGoal goal_;
  std::size_t room_;
  std::vector<Cursor> cursors_;
  std::string front_;               // scratch: of a block
  std::vector<std::size_t> order_;  // heap of cursors with a block, by its first key
  std::string from_;
  std::string until_;
  bool ended_ = false;
  Extent run_;
  std::uint64_t bytes_ = 0;  // of all runs
  std::uint64_t read_ = 0;
};

}  // namespace runnel

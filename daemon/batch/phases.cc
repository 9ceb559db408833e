#include "daemon/batch/phases.h"

#include <algorithm>
#include <cstring>

#include "pipelines/batch/run.h"

namespace runnel {
namespace {

using namespace batch;

Error Nonsense() { return Error{ErrorKind::kGiveUp, "a worker has written what makes no sense"}; }

void AddTo(Extent& run, const Extent& block) {
  if (run.size == 0) run.offset = block.offset;
  run.size += block.size;
}

}  // namespace

Status BatchState::TakeReject(std::uint64_t chunk, std::string_view bytes) {
  RejectFrame reject;
  if (!DecodeReject(bytes, reject)) return Nonsense();
  if (reject.chunk != RejectFrame::kNone) chunk = reject.chunk;
  const bool known = chunk < chunks.size();
  const bool has_line = known && reject.line != RejectFrame::kNone;
  return rejects.Add(known ? InputOf(chunk) : "", has_line ? chunks[chunk].line + reject.line : 0,
                     reject.step, reject.reason, reject.row);
}

Result<bool> MapPhase::Fill(std::uint64_t, std::uint64_t, char* slot, Job& job) {
  Chunk chunk;
  const Result<bool> filled = state_->chunker.Fill(slot, chunk);
  if (!filled.ok() || !filled.value()) return filled;
  state_->chunks.push_back(chunk);
  job.kind = JobKind::kMap;
  job.header = chunk.header;
  job.begin = chunk.begin;
  job.size = chunk.size;
  job.spread = spread_;
  return true;
}

Status MapPhase::Take(std::uint64_t task, const Frame& frame) {
  if (frame.kind == FrameKind::kOutput) return state_->output.Write(frame.bytes);
  if (frame.kind == FrameKind::kReject) return state_->TakeReject(task, frame.bytes);
  if (frame.kind == FrameKind::kEndRun) {
    if (run_.size > 0) entry_.runs.push_back(run_);
    run_ = Extent();
    return {};
  }
  if (frame.kind == FrameKind::kField) return Nonsense();
  const Result<Extent> extent = state_->spool.Append(frame.bytes);
  if (!extent.ok()) return extent.error();
  if (frame.kind == FrameKind::kRunBlock) {
    AddTo(run_, extent.value());
    return {};
  }
  if (frame.number >= kBatchPartitions) return Nonsense();
  entry_.segments.push_back({frame.number, task, 0, extent.value()});
  return {};
}

Status MapPhase::Done(std::uint64_t task, const Reply& reply) {
  if (!reply.counts.IsSettled()) {
    return Error{ErrorKind::kGiveUp, "the rows of a chunk do not add up"};
  }
  BatchState& state = *state_;
  state.counts.Add(reply.counts);
  entry_.chunk = state.chunks[task];
  entry_.counts = reply.counts;
  entry_.output = state.output.size();
  entry_.spool = state.spool.size();
  entry_.rejects = state.rejects.size();
  state.runs.insert(state.runs.end(), entry_.runs.begin(), entry_.runs.end());
  for (const SegmentPlace& place : entry_.segments) {
    state.segments[place.partition].push_back(place);
  }
  const Status kept = keep_(entry_);
  entry_ = ManifestEntry();
  return kept;
}

Error MapPhase::Refused(std::uint64_t task, const std::string& reason) {
  return Error{ErrorKind::kFix, "`" + state_->InputOf(task) + "` cannot be read: " + reason};
}

Result<bool> ProbePhase::Fill(std::uint64_t task, std::uint64_t, char* slot, Job& job) {
  if (task > 0) return false;
  Chunk chunk;
  const Result<bool> filled = chunker_->Fill(slot, chunk);
  if (!filled.ok() || !filled.value()) return filled;
  job.kind = JobKind::kProbe;
  job.header = chunk.header;
  job.begin = chunk.begin;
  job.size = chunk.size;
  return true;
}

Status ProbePhase::Take(std::uint64_t, const Frame& frame) {
  const std::size_t room = ProbeResult::kNameBytesMax - result_.name_bytes;
  if (frame.kind != FrameKind::kField || frame.bytes.size() > room ||
      result_.fields.size() == ProbeResult::kFieldsMax) {
    return Nonsense();
  }
  result_.name_bytes += frame.bytes.size();
  result_.fields.emplace_back(frame.bytes);
  return {};
}

Status ProbePhase::Done(std::uint64_t, const Reply& reply) {
  result_.rows = reply.counts.rows;
  result_.groups = reply.groups;
  return {};
}

Error ProbePhase::Refused(std::uint64_t, const std::string& reason) {
  return Error{ErrorKind::kFix, "`" + chunker_->inputs()[0].path + "` cannot be read: " + reason};
}

Result<bool> PartitionPhase::Fill(std::uint64_t task, std::uint64_t part, char* slot, Job& job) {
  if (task >= partitions_) return false;
  const std::vector<SegmentPlace>& segments = state_->segments[task];
  std::vector<std::size_t>& begins = begins_[task];
  if (part == 0) begins = {0};
  std::size_t at = begins[part];
  std::size_t used = 0;
  for (; at < segments.size(); ++at) {
    const SegmentPlace& place = segments[at];
    const std::size_t bytes = sizeof(SegmentHead) + place.extent.size;
    if (bytes > slot_bytes_ - Decoder::kPadding - used) break;
    const SegmentHead head{place.chunk, place.header,
                           static_cast<std::uint32_t>(place.extent.size - place.header)};
    std::memcpy(slot + used, &head, sizeof head);
    if (Status read = state_->spool.Read(place.extent, slot + used + sizeof head); !read.ok()) {
      return read.error();
    }
    used += bytes;
  }
  if (at == begins[part] && at < segments.size()) {
    return Error{ErrorKind::kGiveUp, "a piece of a partition is larger than a slot"};
  }
  begins.resize(part + 1);
  begins.push_back(at);
  job.kind = JobKind::kPartition;
  job.size = used;
  job.first = part == 0;
  job.last = at == segments.size();
  return true;
}

Status PartitionPhase::Take(std::uint64_t, const Frame& frame) {
  if (frame.kind == FrameKind::kReject) return state_->TakeReject(UINT64_MAX, frame.bytes);
  if (frame.kind == FrameKind::kEndRun) {
    if (run_.size > 0) state_->runs.push_back(run_);
    run_ = Extent();
    return {};
  }
  if (frame.kind != FrameKind::kRunBlock) return Nonsense();
  const Result<Extent> extent = state_->spool.Append(frame.bytes);
  if (!extent.ok()) return extent.error();
  AddTo(run_, extent.value());
  return {};
}

Status PartitionPhase::Done(std::uint64_t, const Reply& reply) {
  rows_ += reply.counts.rows;
  BatchCounts counts = reply.counts;
  counts.rows = 0;
  state_->counts.Add(counts);
  return {};
}

Error PartitionPhase::Refused(std::uint64_t, const std::string& reason) {
  return Error{ErrorKind::kGiveUp, "a partition could not be worked on: " + reason};
}

MergePhase::MergePhase(BatchState& state, std::vector<Extent> runs, MergeGoal goal,
                       std::size_t slot_bytes)
    : state_(&state), goal_(goal), room_(slot_bytes - Decoder::kPadding), cursors_(runs.size()) {
  for (std::size_t i = 0; i < runs.size(); ++i) {
    cursors_[i].rest = runs[i];
    bytes_ += runs[i].size;
  }
}

double MergePhase::part_done() const {
  return bytes_ == 0 ? 1.0 : static_cast<double>(read_) / static_cast<double>(bytes_);
}

// Finds the next block of a run and the keys in it.
Status MergePhase::Load(Cursor& cursor) {
  constexpr std::uint64_t kFront = 256;  // bytes that mostly have the keys
  cursor.block = {cursor.rest.offset, 0};
  if (cursor.rest.size == 0) return {};
  RunBlock block;
  for (std::uint64_t bytes = kFront; block.size == 0; bytes *= 16) {
    front_.resize(std::min(cursor.rest.size, bytes));
    if (Status read = state_->spool.Read({cursor.rest.offset, front_.size()}, front_.data());
        !read.ok()) {
      return read;
    }
    block = ReadRunBlock(front_, cursor.rest.size);
    if (block.size == 0 && (front_.size() < bytes || bytes > room_)) return Nonsense();
  }
  cursor.first_key = block.first_key;
  cursor.last_key = block.last_key;
  cursor.block.size = block.size;
  cursor.rest.offset += block.size;
  cursor.rest.size -= block.size;
  read_ += block.size;
  return {};
}

// Blocks in the order of their first keys, as many as there is room for; false where there
// is nothing any more. What ends behind the bound is in the next slice too.
Result<bool> MergePhase::CollectSlice() {
  const auto behind = [this](std::size_t a, std::size_t b) {
    return cursors_[a].first_key > cursors_[b].first_key;
  };
  if (from_.empty() && order_.empty()) {
    for (std::size_t i = 0; i < cursors_.size(); ++i) {
      if (Status loaded = Load(cursors_[i]); !loaded.ok()) return loaded.error();
      if (cursors_[i].block.size > 0) order_.push_back(i);
    }
    std::make_heap(order_.begin(), order_.end(), behind);
  }
  std::size_t used = 0;
  for (Cursor& cursor : cursors_) {
    cursor.slice = cursor.taken;
    used += cursor.slice.size;
  }
  const std::size_t retained = used;
  while (!order_.empty()) {
    Cursor& cursor = cursors_[order_.front()];
    if (used > 0 && cursor.block.size > room_ - std::min(room_, used)) break;
    used += cursor.block.size;
    AddTo(cursor.slice, cursor.block);
    cursor.taken = cursor.block;
    cursor.taken_last_key = cursor.last_key;
    std::pop_heap(order_.begin(), order_.end(), behind);
    if (Status loaded = Load(cursor); !loaded.ok()) return loaded.error();
    if (cursor.block.size == 0) {
      order_.pop_back();
    } else {
      std::push_heap(order_.begin(), order_.end(), behind);
    }
  }
  until_ = order_.empty() ? "" : cursors_[order_.front()].first_key;
  for (Cursor& cursor : cursors_) {
    if (until_.empty() || cursor.taken_last_key < until_) cursor.taken = Extent();
  }
  if (used > room_ || (used == retained && !order_.empty())) {
    return Error{ErrorKind::kFix, "the states of one group are too large to be merged"};
  }
  return used > 0;
}

Result<bool> MergePhase::Fill(std::uint64_t, std::uint64_t, char* slot, Job& job) {
  if (ended_) return false;
  const Result<bool> collected = CollectSlice();
  if (!collected.ok() || !collected.value()) return collected;
  job.kind = JobKind::kMerge;
  job.goal = goal_;
  job.from = from_;
  job.until = until_;
  std::size_t used = 0;
  for (Cursor& cursor : cursors_) {
    if (cursor.slice.size == 0) continue;
    if (Status read = state_->spool.Read(cursor.slice, slot + used); !read.ok()) {
      return read.error();
    }
    used += cursor.slice.size;
    job.runs.push_back(cursor.slice.size);
  }
  ended_ = until_.empty();
  from_ = until_;
  return true;
}

Status MergePhase::Take(std::uint64_t, const Frame& frame) {
  switch (frame.kind) {
    case FrameKind::kOutput:
      return state_->output.Write(frame.bytes);
    case FrameKind::kReject:
      return state_->TakeReject(UINT64_MAX, frame.bytes);
    case FrameKind::kEndRun:
      return {};
    case FrameKind::kSegment:
    case FrameKind::kField:
      return Nonsense();
    case FrameKind::kRunBlock:
      break;
  }
  const Result<Extent> extent = state_->spool.Append(frame.bytes);
  if (!extent.ok()) return extent.error();
  AddTo(run_, extent.value());
  return {};
}

Status MergePhase::Done(std::uint64_t, const Reply& reply) {
  if (goal_ != MergeGoal::kResults) return {};
  state_->counts.Add(reply.counts);
  return {};
}

Error MergePhase::Refused(std::uint64_t, const std::string& reason) {
  return Error{ErrorKind::kGiveUp, "the parts could not be merged: " + reason};
}

}  // namespace runnel

#include "pipelines/batch/run_merger.h"

#include <algorithm>

#include "pipelines/batch/sort_key.h"
#include "pipelines/codecs/text_values.h"

namespace runnel {
namespace {

constexpr std::size_t kArenaBytes = 512 * 1024;
constexpr std::size_t kStepsRegion = 64 * 1024;
constexpr std::size_t kOutputBytes = 64 * 1024;

}  // namespace

RunMerger::RunMerger(const BatchPlan& plan, StateRegion& region, BatchSink& sink)
    : plan_(&plan),
      region_(&region),
      sink_(&sink),
      steps_region_(StateRegion::InMemory(kStepsRegion)),
      arena_(kArenaBytes),
      run_([&sink](std::string_view block) { sink.TakeRunBlock(block); }) {}

Result<std::unique_ptr<RunMerger>> RunMerger::Create(const BatchPlan& plan, StateRegion& region,
                                                     BatchSink& sink) {
  std::unique_ptr<RunMerger> merger(new RunMerger(plan, region, sink));
  if (plan.way != BatchWay::kGroups) return merger;
  Result<StepChain> steps = StepChain::Start(plan.plan(), plan.window_step + 1,
                                             plan.plan().steps.size(), merger->steps_region_);
  if (!steps.ok()) return steps.error();
  merger->steps_.emplace(std::move(steps).value());
  merger->results_.emplace(plan);
  merger->result_.emplace(*plan.plan().tables[plan.plan().steps[plan.window_step].produced_table]);
  return merger;
}

// Of two cursors the one with the smaller key, or of the earlier run, comes first.
bool RunMerger::IsBehind(std::size_t a, std::size_t b) const {
  const int order = cursors_[a].entry.key.compare(cursors_[b].entry.key);
  return order != 0 ? order > 0 : a > b;
}

// Puts the first cursor of the heap where it belongs. Mostly it stays: runs seldom overlap.
void RunMerger::SinkFront() {
  if (heap_.empty()) return;
  const std::size_t cursor = heap_.front();
  std::size_t place = 0;
  for (std::size_t child = 1; child < heap_.size(); child = 2 * place + 1) {
    if (child + 1 < heap_.size() && IsBehind(heap_[child], heap_[child + 1])) ++child;
    if (!IsBehind(cursor, heap_[child])) break;
    heap_[place] = heap_[child];
    place = child;
  }
  heap_[place] = cursor;
}

// Moves a cursor on; false where it has nothing more below the bound.
bool RunMerger::Advance(std::size_t cursor) {
  Cursor& at = cursors_[cursor];
  if (!at.reader.Next(at.entry)) {
    ok_ = ok_ && at.reader.ok();
    return false;
  }
  return until_.empty() || at.entry.key < until_;
}

bool RunMerger::Merge(const MergeInput& input, MergeGoal goal) {
  counts_ = BatchCounts();
  cursors_.clear();
  heap_.clear();
  ok_ = true;
  until_ = input.until;
  const auto behind = [this](std::size_t a, std::size_t b) { return IsBehind(a, b); };
  if (goal != MergeGoal::kLines) {
    region_->Clear();
    const std::size_t size = plan_->window->block_size - plan_->window->head_size;
    merged_ = region_->Get<std::byte>(region_->Allocate(size));
    more_ = region_->Get<std::byte>(region_->Allocate(size));
  }
  for (const std::string_view run : input.runs) {
    cursors_.push_back({RunReader(run), {}});
    const std::size_t cursor = cursors_.size() - 1;
    bool has = Advance(cursor);
    while (has && cursors_[cursor].entry.key < input.from) has = Advance(cursor);
    if (has) heap_.push_back(cursor);
  }
  std::make_heap(heap_.begin(), heap_.end(), behind);
  while (!heap_.empty() && ok_) {
    if (!MergeGroup(goal)) return false;
  }
  run_.Finish();
  if (goal == MergeGoal::kRun) sink_->EndRun();
  Flush();
  return ok_;
}

// The entries with the smallest key.
bool RunMerger::MergeGroup(MergeGoal goal) {
  bool first = true;
  // The views stay: blocks do not move.
  const std::string_view key = cursors_[heap_.front()].entry.key;
  std::string_view alone;
  while (!heap_.empty() && cursors_[heap_.front()].entry.key == key) {
    const std::size_t cursor = heap_.front();
    const std::string_view value = cursors_[cursor].entry.value;
    if (goal == MergeGoal::kLines) {
      output_.append(value);
      ++counts_.results_written;
    } else if (first) {
      alone = value;
    } else {
      if (!alone.empty() && !LoadStates(alone, merged_)) return false;
      alone = {};
      if (!LoadStates(value, more_)) return false;
      for (const AggregateColumn& column : plan_->window->columns) {
        column.aggregate->Merge(merged_ + column.offset, *region_, more_ + column.offset, *region_);
        column.aggregate->Free(more_ + column.offset, *region_);
      }
    }
    first = false;
    if (!Advance(cursor)) {
      heap_.front() = heap_.back();
      heap_.pop_back();
    }
    SinkFront();
  }
  if (goal == MergeGoal::kLines) {
    if (output_.size() >= kOutputBytes) Flush();
    return true;
  }
  if (goal == MergeGoal::kRun && !alone.empty()) {
    run_.Add(key, alone);
    return true;
  }
  if (!alone.empty() && !LoadStates(alone, merged_)) return false;
  if (goal == MergeGoal::kRun) {
    states_.Clear();
    GroupTable::SaveStates(*plan_->window, merged_, *region_, states_);
    run_.Add(key, states_.bytes());
  } else if (!EmitResult(key)) {
    return false;
  }
  for (const AggregateColumn& column : plan_->window->columns) {
    column.aggregate->Free(merged_ + column.offset, *region_);
  }
  return true;
}

bool RunMerger::LoadStates(std::string_view bytes, std::byte* states) {
  ByteReader reader(bytes);
  for (const AggregateColumn& column : plan_->window->columns) {
    column.aggregate->Init(states + column.offset);
    column.aggregate->Load(states + column.offset, *region_, reader);
  }
  return reader.ok() && reader.AtEnd();
}

bool RunMerger::FillResult(std::string_view key) {
  const WindowPlan& window = *plan_->window;
  const std::optional<std::int64_t> start = TakeSortNumber(key);
  if (!start.has_value()) return false;
  Record& result = *result_;
  const Interval interval{TimeFromMicroseconds(*start),
                          TimeFromMicroseconds(window.grid.Shift(*start, window.panes))};
  for (const KeyPart& part : window.key.parts) {
    const std::optional<Value> value = TakeSortPart(key, arena_);
    if (!value.has_value()) return false;
    result.Set(part.result_field, *value);
  }
  for (const AggregateColumn& column : window.columns) {
    result.Set(column.result_field,
               column.aggregate->Result(merged_ + column.offset, *region_, interval, arena_));
  }
  result.Set(window.start_field, Value::Int(Milliseconds(interval.start)));
  result.Set(window.end_field,
             Value::Int(Milliseconds(interval.end + std::chrono::microseconds(999))));
  result.time = interval.end - std::chrono::microseconds(1);
  result.arrival = result.time;
  result.is_result = true;
  return key.empty();
}

bool RunMerger::EmitResult(std::string_view key) {
  arena_.Reset();
  result_->Clear();
  if (!FillResult(key)) return false;
  ++counts_.results;
  std::size_t step = 0;
  const Verdict verdict = steps_->Apply(*result_, arena_, step);
  if (verdict.kind == Verdict::Kind::kFiltered) {
    ++counts_.results_filtered;
  } else if (verdict.kind != Verdict::Kind::kPass) {
    Reject(verdict.reason, plan_->plan().steps[step].label);
  } else if (const char* reason = results_->Append(*result_, output_)) {
    Reject(reason, "output");
  } else {
    ++counts_.results_written;
    if (output_.size() >= kOutputBytes) Flush();
  }
  return true;
}

void RunMerger::Reject(const char* reason, std::string_view step) {
  ++counts_.results_rejected;
  std::string row;
  for (const Record::Entry& entry : result_->entries()) {
    row += (row.empty() ? "" : ",") + std::string(result_->NameOf(entry)) + "=";
    AppendText(result_->ValueOf(entry), row);
  }
  sink_->TakeReject({0, reason, step, row});
}

void RunMerger::Flush() {
  if (!output_.empty()) sink_->TakeOutput(output_);
  output_.clear();
}

}  // namespace runnel

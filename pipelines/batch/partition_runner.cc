#include "pipelines/batch/partition_runner.h"

#include <algorithm>
#include <utility>

#include "pipelines/batch/sort_key.h"
#include "pipelines/batch/splitter.h"

namespace runnel {
namespace {

constexpr std::size_t kArenaBytes = 512 * 1024;
constexpr std::size_t kKeptBytes = 8 << 20;
// Later than any silence that closes a window.
constexpr std::int64_t kEndOfTime = 2'000'000'000'000'000'000;

}  // namespace

PartitionRunner::PartitionRunner(const BatchPlan& plan, StateRegion& region, std::size_t memory,
                                 BatchSink& sink, std::function<void(std::uint64_t)> progress)
    : plan_(&plan),
      region_(&region),
      memory_(memory),
      sink_(&sink),
      progress_(std::move(progress)),
      run_([&sink](std::string_view block) { sink.TakeRunBlock(block); }),
      arena_(kArenaBytes) {}

PartitionRunner::~PartitionRunner() = default;

Result<std::unique_ptr<PartitionRunner>> PartitionRunner::Create(
    const BatchPlan& plan, StateRegion& region, std::size_t memory, BatchSink& sink,
    std::function<void(std::uint64_t)> progress) {
  std::unique_ptr<PartitionRunner> runner(
      new PartitionRunner(plan, region, memory, sink, std::move(progress)));
  if (plan.way == BatchWay::kGroups) {
    runner->layout_.emplace(*plan.window);
    runner->feed_ = std::make_unique<GroupFeed>(*plan.window);
    runner->groups_ = std::make_unique<GroupTable>(*plan.window, region);
  } else if (plan.way == BatchWay::kInOrder) {
    runner->reader_ = MakeRowReader(plan.plan(), plan.csv.has_value() ? &*plan.csv : nullptr,
                                    MissingAs::kMissing);
    runner->record_ = std::make_unique<Record>(*plan.plan().tables[0]);
    runner->intake_ = std::make_unique<Intake>(plan.plan(), plan.origin);
  }
  return runner;
}

Status PartitionRunner::Begin(const MapMode& mode) {
  mode_ = mode;
  counts_ = BatchCounts();
  row_ = given_ = refused_ = unsortable_ = 0;
  pipeline_.reset();
  all_.reset();
  results_.clear();
  kept_.clear();
  region_->Clear();
  if (plan_->way == BatchWay::kPartitions) {
    Result<std::unique_ptr<Pipeline>> pipeline =
        Pipeline::Create(plan_->plan(), 1, *region_, Ledger{});
    if (!pipeline.ok()) return pipeline.error();
    pipeline_ = std::move(pipeline).value();
  } else if (plan_->way == BatchWay::kInOrder) {
    Result<std::unique_ptr<PlanRun>> all =
        PlanRun::Create(plan_->plan(), memory_ / plan_->plan().stages(),
                        [this](const Output& output) { Write(output); });
    if (!all.ok()) return all.error();
    all_ = std::move(all).value();
  }
  return {};
}

bool PartitionRunner::Feed(const Segment& segment) {
  switch (plan_->way) {
    case BatchWay::kGroups:
      return FeedGroups(segment);
    case BatchWay::kPartitions:
      return FeedStage(segment);
    case BatchWay::kInOrder:
      return FeedAll(segment);
    case BatchWay::kRows:
      return false;
  }
  return false;
}

// Whether the row that comes has killed the process twice.
bool PartitionRunner::IsSkipped() {
  progress_(row_);
  return !mode_.skip.empty() &&
         std::find(mode_.skip.begin(), mode_.skip.end(), row_) != mode_.skip.end();
}

bool PartitionRunner::FeedGroups(const Segment& segment) {
  SpreadReader reader(*layout_, segment.bytes);
  SpreadRow row;
  while (!reader.AtEnd()) {
    bool usual = false;
    if (!reader.Take(row, feed_->values(), usual) ||
        (!(usual && plan_->window->takes_numbers) && feed_->CheckValues() != nullptr)) {
      return false;
    }
    if (mode_.careful && IsSkipped()) {
      ++counts_.rejected;
      --counts_.absorbed;  // as the mapper had counted it
      BatchReject reject;
      reject.reason = "poison";
      reject.step = "worker";
      reject.place = {segment.chunk, std::nullopt};
      sink_->TakeReject(reject);
    } else {
      row.is_text ? feed_->SetTextKey(row.key) : feed_->SetKey(row.key);
      const std::int64_t start =
          layout_->every() > 0 ? row.start : plan_->window->grid.StartOf(row.time);
      feed_->Push(start, TimeFromMicroseconds(row.time));
    }
    const bool boundary = ++row_ % GroupFeed::kRows == 0;
    // Text is borrowed from the segment.
    if (!boundary && !mode_.careful && !reader.AtEnd()) continue;
    if (!mode_.careful) progress_(row_);
    AddRows();
    if (!boundary || !groups_->IsFull()) continue;
    if (!groups_->Flush(run_)) return false;
    sink_->EndRun();
  }
  return true;
}

// The mapper has counted them.
void PartitionRunner::AddRows() {
  const std::size_t rows = feed_->count();
  if (!feed_->AddTo(*groups_, *region_)) counts_.DropAbsorbed(rows);
}

bool PartitionRunner::FeedStage(const Segment& segment) {
  ByteReader reader(segment.bytes);
  chunk_ = segment.chunk;
  while (!reader.AtEnd()) {
    offset_ = reader.Varint();
    line_ = reader.Varint();
    Input input;
    input.kind = InputKind::kExchange;
    input.payload = reader.String();
    if (!reader.ok()) return false;
    TurnMode turn;
    turn.poison = IsSkipped();
    ++row_;
    if (on_row) on_row(input.payload);
    pipeline_->Push(input, turn, *this);
    while (pipeline_->HasPending()) pipeline_->Step({}, *this);
  }
  return true;
}

// Of all rows in order: counts the lines in front of the row that is being worked on.
void PartitionRunner::CountLines() {
  if (text_.empty()) return;
  line_ += CountText(text_.substr(counted_, offset_ - counted_), 0).lines;
  counted_ = offset_;
}

// Of the row that is being worked on.
BatchReject PartitionRunner::RejectOfRow(std::string_view reason, std::string_view step,
                                         std::string_view row) {
  CountLines();
  return {offset_, reason, step, row, BatchReject::Place{chunk_, line_}};
}

// The rows as messages, at the latest time that there was: so the device would have seen them.
bool PartitionRunner::FeedAll(const Segment& segment) {
  if (reader_->Start(segment.header, segment.bytes) != nullptr) return false;
  header_size_ = segment.header.size();
  chunk_ = segment.chunk;
  text_ = segment.bytes;
  offset_ = counted_ = line_ = 0;
  Row row;
  const char* refused = nullptr;  // why the line is, and
  const char* step = nullptr;     // where
  for (record_->Clear(), arena_.Reset(); reader_->Next(*record_, arena_, row);
       record_->Clear(), arena_.Reset()) {
    // What else is wrong with a line is found when it is a message.
    if (!row.again) {
      offset_ = static_cast<std::uint64_t>(row.text.data() - segment.bytes.data());
      const bool poison = IsSkipped();
      ++row_;
      step = poison ? "worker" : "decode";
      record_->topic = {};
      refused = poison ? "poison" : row.reason == nullptr ? intake_->SetTopic(*record_) : nullptr;
    }
    if (refused != nullptr) {
      ++refused_;
      sink_->TakeReject(RejectOfRow(refused, step, row.text));
      continue;
    }
    ++counts_.rows;
    if (row.again) continue;
    if (on_row) on_row(row.text);
    const char* reason = row.reason != nullptr ? row.reason : intake_->SetTime(*record_);
    Time time = all_->now();
    if (reason == nullptr && plan_->plan().timestamp.has_value())
      time = std::max(time, record_->time);
    all_->AdvanceTo(time);
    message_.assign(segment.header);
    message_.append(row.text);
    all_->Push(record_->topic, message_);
  }
  // Of what comes later the place is known; the segment goes.
  CountLines();
  text_ = {};
  return true;
}

void PartitionRunner::Write(const Output& output) {
  const SortedLine line = ReadSortedLine(output.payload);
  if (output.kind == OutputKind::kDeadLetter) {
    // A message as it came, or a record that was encoded for the output.
    const bool message =
        plan_->way == BatchWay::kInOrder && !message_.empty() && output.payload == message_;
    const std::string_view row = message ? output.payload.substr(header_size_) : line.line;
    // A result is of no row.
    BatchReject reject = RejectOfRow(output.reason, output.stage, row);
    if (!message && line.is_result) reject.place.reset();
    sink_->TakeReject(reject);
    return;
  }
  if (output.kind != OutputKind::kResult) return;
  if (line.is_result && plan_->lateness == Lateness::kNever) return KeepResult(line);
  key_.clear();
  AppendSortNumber(static_cast<std::int64_t>(chunk_), key_);
  AppendSortNumber(static_cast<std::int64_t>(offset_), key_);
  AppendSortNumber(static_cast<std::int64_t>(given_++), key_);
  run_.Add(key_, line.line);
  run_open_ = true;
}

// Results come in the order in which windows close; they are given in the order of their
// starts.
void PartitionRunner::KeepResult(const SortedLine& line) {
  if (line.key.size() > kSortKeyMax) {
    ++unsortable_;
    return sink_->TakeReject({0, "key_too_large", "output", line.line});
  }
  const std::size_t at = kept_.size();
  key_.assign(line.key);
  // No two entries of a run are equal.
  AppendSortNumber(static_cast<std::int64_t>(given_++), key_);
  kept_.append(key_);
  kept_.append(line.line);
  results_.push_back(
      {at, static_cast<std::uint32_t>(key_.size()), static_cast<std::uint32_t>(line.line.size())});
  if (kept_.size() >= kKeptBytes) FlushResults();
}

void PartitionRunner::FlushResults() {
  const std::string_view kept(kept_);
  std::stable_sort(results_.begin(), results_.end(), [&](const Kept& a, const Kept& b) {
    return kept.substr(a.key, a.key_size) < kept.substr(b.key, b.key_size);
  });
  for (const Kept& one : results_) {
    run_.Add(kept.substr(one.key, one.key_size),
             kept.substr(one.key + one.key_size, one.line_size));
  }
  if (!results_.empty()) {
    run_.Finish();
    sink_->EndRun();
  }
  results_.clear();
  kept_.clear();
}

void PartitionRunner::End() {
  if (plan_->way == BatchWay::kGroups) {
    AddRows();
    if (groups_->IsEmpty()) return;
    CHECK(groups_->Flush(run_));
    sink_->EndRun();
    return;
  }
  if (pipeline_ != nullptr) {
    Input end;
    end.kind = InputKind::kTick;
    end.arrival = TimeFromMicroseconds(kEndOfTime);
    for (const InputKind kind : {InputKind::kTick, InputKind::kEnd}) {
      end.kind = kind;
      pipeline_->Push(end, {}, *this);
      while (pipeline_->HasPending()) pipeline_->Step({}, *this);
    }
    Settle(pipeline_->ledger());
  } else {
    all_->End();
    Settle(all_->ledger());
  }
  if (run_open_) {
    run_.Finish();
    sink_->EndRun();
    run_open_ = false;
  }
  FlushResults();
  pipeline_.reset();
  all_.reset();
}

// Of several stages the rows that one hands to the next are not settled twice.
void PartitionRunner::Settle(const Ledger& ledger) {
  const std::uint64_t first = all_ != nullptr ? counts_.rows : ledger.received;
  const std::uint64_t handed = ledger.received - first;
  counts_.filtered += ledger.filtered;
  counts_.absorbed += ledger.absorbed;
  counts_.passed += ledger.passed - handed;
  counts_.late += ledger.late;
  counts_.dropped += ledger.dropped;
  counts_.rejected += ledger.dead_lettered + refused_;
  counts_.rows = first + refused_;
  counts_.results += ledger.results;
  counts_.results_written += ledger.results_passed - ledger.results_received - unsortable_;
  counts_.results_filtered += ledger.results_filtered;
  counts_.results_absorbed += ledger.results_absorbed;
  counts_.results_rejected += ledger.results_dead_lettered + unsortable_;
}

}  // namespace runnel

#include "pipelines/batch/chunk_mapper.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "pipelines/batch/splitter.h"

namespace runnel {
namespace {

constexpr std::size_t kArenaBytes = 512 * 1024;
constexpr std::size_t kStepsRegion = 64 * 1024;
constexpr std::size_t kOutputBytes = 64 * 1024;
constexpr std::size_t kSegmentBytes = 256 * 1024;

std::size_t LastStep(const BatchPlan& plan) {
  return plan.way == BatchWay::kRows ? plan.plan().steps.size() : plan.window_step;
}

}  // namespace

ChunkMapper::ChunkMapper(const BatchPlan& plan, StateRegion& region, BatchSink& sink,
                         std::function<void(std::uint64_t)> progress)
    : plan_(&plan),
      sink_(&sink),
      progress_(std::move(progress)),
      region_(&region),
      steps_region_(StateRegion::InMemory(kStepsRegion)),
      intake_(plan.plan(), plan.origin),
      results_(plan),
      record_(*plan.plan().tables[0]),
      arena_(kArenaBytes) {}

ChunkMapper::~ChunkMapper() = default;

Result<std::unique_ptr<ChunkMapper>> ChunkMapper::Create(
    const BatchPlan& plan, StateRegion& region, BatchSink& sink,
    std::function<void(std::uint64_t)> progress) {
  std::unique_ptr<ChunkMapper> mapper(new ChunkMapper(plan, region, sink, std::move(progress)));
  Result<StepChain> steps = StepChain::Start(plan.plan(), 0, LastStep(plan), mapper->steps_region_);
  if (!steps.ok()) return steps.error();
  mapper->steps_.emplace(std::move(steps).value());
  mapper->lists_ = plan.ListsTakenApart();
  if (plan.way == BatchWay::kGroups) {
    mapper->groups_ = std::make_unique<GroupTable>(*plan.window, region);
    mapper->run_ =
        std::make_unique<RunWriter>([&sink](std::string_view block) { sink.TakeRunBlock(block); });
    mapper->feed_ = std::make_unique<GroupFeed>(*plan.window);
    if (!plan.window->grid.zone.has_value()) mapper->pane_every_ = plan.window->grid.every;
    if (CsvGroups::Fits(plan)) mapper->csv_groups_ = std::make_unique<CsvGroups>(plan);
    if (mapper->pane_every_ > 0) mapper->pane_start_ = plan.window->grid.StartOf(0);
    mapper->layout_.emplace(*plan.window);
    mapper->spread_.resize(kBatchPartitions);
  }
  if (plan.way == BatchWay::kPartitions) {
    mapper->exchange_ = std::make_unique<ExchangeEncoder>(plan.plan().TableOf(1));
    mapper->segments_.resize(kBatchPartitions);
  }
  return mapper;
}

const char* ChunkMapper::Map(const ChunkInput& input, const MapMode& mode) {
  input_ = input;
  mode_ = mode;
  counts_ = BatchCounts();
  probe_ = ProbeResult();
  counted_ = lines_ = 0;
  reader_ = reader_ != nullptr && !mode.probe
                ? std::move(reader_)
                : MakeRowReader(plan_->plan(), plan_->csv.has_value() ? &*plan_->csv : nullptr,
                                mode.probe ? MissingAs::kNull : MissingAs::kMissing);
  if (const char* reason = reader_->Start(input.header, input.text)) return reason;
  arena_.Reset();
  if (csv_groups_ == nullptr || mode_.careful || on_row ||
      !csv_groups_->Start(input.header, input.text)) {
    TakeRows(UINT64_MAX);
  } else {
    TakeUsualRows();
  }
  if (feed_ != nullptr) RunBatch();
  if (groups_ != nullptr) FlushGroups();
  FlushSegments();
  if (!output_.empty() && !mode_.probe) sink_->TakeOutput(output_);
  output_.clear();
  probe_.rows = counts_.rows;
  if (mode.probe) reader_.reset();
  return nullptr;
}

// At most `count` rows, each as a record.
void ChunkMapper::TakeRows(std::uint64_t count) {
  record_.Clear();
  intake_.Prepare(record_);
  for (Row row; count > 0 && reader_->Next(record_, arena_, row); --count) {
    TakeRow(row);
    record_.Clear();
    intake_.Prepare(record_);
    EndRow();
    if (count > 1) continue;
    const std::string_view text = input_.text;
    next_ = static_cast<std::size_t>(row.text.data() - text.data()) + row.text.size();
    while (next_ < text.size() && (text[next_] == '\n' || text[next_] == '\r')) ++next_;
  }
}

// The usual rows without records, and each other one with.
void ChunkMapper::TakeUsualRows() {
  next_ = 0;
  while (next_ < input_.text.size()) {
    progress_(next_);
    const std::size_t room = GroupFeed::kRows - counts_.rows % GroupFeed::kRows;
    const std::size_t taken = csv_groups_->Take(next_, room, *feed_);
    counts_.rows += taken;
    counts_.absorbed += taken;
    if (taken == room) {
      EndRow();
      continue;
    }
    const std::uint64_t before = counts_.rows;
    reader_->Seek(next_);
    TakeRows(1);
    if (counts_.rows == before) return;  // blank lines to the end
  }
}

// After each row, and at rows that depend on nothing but the chunk, so that a chunk is
// always cut in the same places.
void ChunkMapper::EndRow() {
  const bool boundary = counts_.rows % GroupFeed::kRows == 0;
  if (feed_ == nullptr) {
    arena_.Reset();
  } else if (boundary || mode_.careful || arena_.used() > kArenaBytes / 2) {
    RunBatch();
  }
  if (boundary && groups_ != nullptr && groups_->IsFull()) FlushGroups();
}

void ChunkMapper::TakeRow(const Row& row) {
  ++counts_.rows;
  const auto offset = static_cast<std::uint64_t>(row.text.data() - input_.text.data());
  progress_(offset);
  if (!mode_.skip.empty() &&
      std::find(mode_.skip.begin(), mode_.skip.end(), offset) != mode_.skip.end()) {
    return Reject("poison", "worker", row);
  }
  if (on_row) on_row(row.text);
  if (row.reason != nullptr) return Reject(row.reason, "decode", row);
  if (row.text.size() > plan_->record_max) return Reject("row_too_large", "decode", row);
  if (const char* reason = intake_.Admit(record_)) return Reject(reason, "decode", row);
  std::size_t step = 0;
  const Verdict verdict = steps_->Apply(record_, arena_, step);
  if (verdict.kind != Verdict::Kind::kPass) return Settle(verdict, step, row);
  switch (plan_->way) {
    case BatchWay::kRows:
      return EncodeRow(row);
    case BatchWay::kGroups:
      return AddToBatch(row);
    case BatchWay::kPartitions:
      return PartitionRow(row);
    case BatchWay::kInOrder:
      if (mode_.probe) NoteFields();
      return;
  }
}

void ChunkMapper::Reject(const char* reason, std::string_view step, const Row& row) {
  ++counts_.rejected;
  if (mode_.probe) return;
  const auto offset = static_cast<std::uint64_t>(row.text.data() - input_.text.data());
  sink_->TakeReject({offset, reason, step, row.text});
}

void ChunkMapper::Settle(const Verdict& verdict, std::size_t step, const Row& row) {
  switch (verdict.kind) {
    case Verdict::Kind::kFiltered:
      ++counts_.filtered;
      return;
    case Verdict::Kind::kDropped:
      ++counts_.dropped;
      return;
    default:
      return Reject(verdict.reason, plan_->plan().steps[step].label, row);
  }
}

void ChunkMapper::EncodeRow(const Row& row) {
  if (mode_.probe) {
    ++counts_.passed;
    return NoteFields();
  }
  if (const char* reason = results_.Append(record_, output_)) return Reject(reason, "output", row);
  ++counts_.passed;
  if (output_.size() < kOutputBytes) return;
  sink_->TakeOutput(output_);
  output_.clear();
}

void ChunkMapper::NoteField(std::string_view name) {
  if (probe_.fields.size() == ProbeResult::kFieldsMax ||
      name.size() > ProbeResult::kNameBytesMax - probe_.name_bytes ||
      std::find(probe_.fields.begin(), probe_.fields.end(), name) != probe_.fields.end()) {
    return;
  }
  probe_.name_bytes += name.size();
  probe_.fields.emplace_back(name);
}

// Of a row that passes on; behind a window they are known.
void ChunkMapper::NoteFields() {
  if (plan_->window != nullptr) return;
  for (const Record::Entry& entry : record_.entries()) {
    NoteFieldsOf(record_.NameOf(entry), record_.ValueOf(entry), 0);
  }
}

// Those that a field becomes in the lists that are taken apart from `list` on.
void ChunkMapper::NoteFieldsOf(std::string_view name, const Value& value, std::size_t list) {
  const auto found =
      std::find(lists_.begin() + static_cast<std::ptrdiff_t>(list), lists_.end(), name);
  if (found == lists_.end() || value.type() != Type::kList) return NoteField(name);
  const auto next = static_cast<std::size_t>(found - lists_.begin()) + 1;
  for (const Value& item : value.AsList()) {
    if (item.type() != Type::kMap) {
      NoteFieldsOf(name, item, next);
      continue;
    }
    for (const MapEntry& member : item.AsMap()) {
      if (member.key.type() != Type::kString) continue;
      NoteFieldsOf(member.key.AsString(), member.value, next);
    }
  }
}

void ChunkMapper::PartitionRow(const Row& row) {
  const Result<std::uint64_t> hash =
      plan_->plan().steps[plan_->window_step].op->KeyHash(record_, arena_);
  if (!hash.ok())
    return Reject("key_is_missing", plan_->plan().steps[plan_->window_step].label, row);
  scratch_.clear();
  if (const Outcome encoded = exchange_->Encode(record_, scratch_); !encoded.ok()) {
    return Reject(encoded.reason(), "exchange", row);
  }
  ++counts_.passed;
  if (mode_.probe) return NoteFields();
  const auto partition = static_cast<std::uint32_t>(hash.value() % plan_->plan().partitions(1));
  ByteWriter writer;
  const auto offset = static_cast<std::uint64_t>(row.text.data() - input_.text.data());
  lines_ += CountText(input_.text.substr(counted_, offset - counted_), 0).lines;
  counted_ = offset;
  writer.Varint(offset);
  writer.Varint(lines_);
  writer.String(scratch_);
  segments_[partition].append(writer.bytes());
  GiveLongSegment(partition);
}

const char* ChunkMapper::ReadValues(Value* values) {
  const WindowPlan& window = *plan_->window;
  for (std::size_t i = 0; i < window.arguments.size(); ++i) {
    const Expression& argument = *window.arguments[i];
    const int field = argument.AsField();
    values[i] = field >= 0 ? record_.Get(static_cast<std::uint16_t>(field))
                           : argument.Evaluate(record_, arena_);
    if (field >= 0 || !values[i].IsError()) continue;
    // A field that is missing makes the value missing, as in SQL.
    if (std::strcmp(values[i].Reason(), "no_such_field") != 0) return values[i].Reason();
    values[i] = Value();
  }
  return feed_->CheckValues();
}

std::int64_t ChunkMapper::PaneOf(std::int64_t time) {
  // Rows of nearly one time: no division.
  if (pane_every_ > 0 &&
      static_cast<std::uint64_t>(time) - static_cast<std::uint64_t>(pane_start_) <
          static_cast<std::uint64_t>(pane_every_)) {
    return pane_start_;
  }
  return pane_start_ = plan_->window->grid.StartOf(time);
}

void ChunkMapper::AddToBatch(const Row& row) {
  key_.Clear();
  const char* reason = plan_->window->key.Encode(record_, arena_, key_);
  if (reason == nullptr && key_.bytes().size() > kBatchKeyMax) reason = "key_too_large";
  if (reason == nullptr) reason = ReadValues(feed_->values());
  if (reason != nullptr) return Reject(reason, plan_->plan().steps[plan_->window_step].label, row);
  feed_->SetKey(key_.bytes());
  feed_->Push(PaneOf(Microseconds(record_.time)), record_.time);
  ++counts_.absorbed;
}

void ChunkMapper::RunBatch() {
  if (!mode_.spread) {
    const std::size_t rows = feed_->count();
    if (!feed_->AddTo(*groups_, *region_)) counts_.DropAbsorbed(rows);
  } else {
    Spread();
  }
  arena_.Reset();
}

void ChunkMapper::Spread() {
  static_assert(kBatchPartitions == 1 << (64 - 58));
  for (std::size_t i = 0; i < feed_->count(); ++i) {
    const GroupFeed::View row = feed_->At(i);
    const auto partition = static_cast<std::uint32_t>(row.hash >> 58);
    SpreadWriter& writer = spread_[partition];
    writer.Append(*layout_, {row.key, row.is_text, row.start, row.time}, row.values);
    if (writer.bytes().size() < kSegmentBytes) continue;
    GiveSegment(partition, writer.bytes());
    writer.Clear();
  }
  feed_->Clear();
}

void ChunkMapper::FlushGroups() {
  if (groups_->IsEmpty()) return;
  probe_.groups += groups_->size();
  if (mode_.probe) {
    RunWriter nothing([](std::string_view) {});
    CHECK(groups_->Flush(nothing));
    return;
  }
  CHECK(groups_->Flush(*run_));
  sink_->EndRun();
}

void ChunkMapper::GiveLongSegment(std::uint32_t partition) {
  if (segments_[partition].size() < kSegmentBytes) return;
  GiveSegment(partition, segments_[partition]);
  segments_[partition].clear();
}

void ChunkMapper::GiveSegment(std::uint32_t partition, std::string_view bytes) {
  if (!bytes.empty() && !mode_.probe) sink_->TakeSegment(partition, bytes);
}

void ChunkMapper::FlushSegments() {
  for (std::uint32_t i = 0; i < segments_.size(); ++i) {
    GiveSegment(i, segments_[i]);
    segments_[i].clear();
  }
  for (std::uint32_t i = 0; i < spread_.size(); ++i) {
    GiveSegment(i, spread_[i].bytes());
    spread_[i].Clear();
  }
}

}  // namespace runnel

#include "daemon/workers/task.h"

#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "daemon/journal/dead_letter.h"
#include "daemon/workers/test_hooks.h"

namespace runnel {
namespace {

constexpr std::size_t kReasonRoom = 1024;  // of a dead letter, beside the original bytes

}  // namespace

Task::Task(TaskId id, std::shared_ptr<PlanCache> plans, TaskOptions options)
    : id_(std::move(id)), plans_(std::move(plans)), options_(std::move(options)) {}

Result<std::unique_ptr<Task>> Task::Open(TaskId id, TaskDescriptors files,
                                         std::shared_ptr<PlanCache> plans, TaskOptions options) {
  std::unique_ptr<Task> task(new Task(std::move(id), std::move(plans), std::move(options)));
  while (flock(files.work.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return Errno("locking the files of `" + task->id_.Name() + "`");
  }
  if (Status mapped = task->MapFiles(files); !mapped.ok()) {
    return std::move(mapped.error()).In(task->id_.Name());
  }
  task->lock_ = std::move(files.work);
  if (Status taken = task->TakeOver(); !taken.ok()) {
    return std::move(taken.error()).In(task->id_.Name());
  }
  return task;
}

Status Task::MapFiles(const TaskDescriptors& files) {
  const Result<FileHeader> in = ReadFileHeader(files.in.get(), FileKind::kIn);
  if (!in.ok()) return in.error();
  const Result<FileHeader> work = ReadFileHeader(files.work.get(), FileKind::kWork);
  if (!work.ok()) return work.error();
  const InLayout in_layout = LayoutOfIn(in.value());
  const WorkLayout layout = LayoutOfWork(work.value());
  struct Part {
    Mapping* mapping;
    Result<Mapping> mapped;
  };
  Part parts[] = {
      {&in_pages_, Mapping::Map(files.in.get(), 0, RoundToPage(sizeof(InPage)), Access::kRead)},
      {&in_ring_,
       Mapping::MapTwice(files.in.get(), in_layout.ring, in.value().ring_bytes, Access::kRead)},
      {&work_page_, Mapping::Map(files.work.get(), 0, layout.ring, Access::kWrite)},
      {&out_ring_,
       Mapping::MapTwice(files.work.get(), layout.ring, work.value().ring_bytes, Access::kWrite)},
      {&undo_,
       Mapping::Map(files.work.get(), layout.undo, layout.state - layout.undo, Access::kWrite)},
      {&state_,
       Mapping::Map(files.work.get(), layout.state, layout.size - layout.state, Access::kWrite)},
      {&settle_page_,
       Mapping::Map(files.settle.get(), 0, RoundToPage(sizeof(SettlePage)), Access::kRead)},
  };
  for (Part& part : parts) {
    if (!part.mapped.ok()) return part.mapped.error();
    *part.mapping = std::move(part.mapped).value();
  }
  in_ = reinterpret_cast<const InPage*>(in_pages_.data());
  work_ = reinterpret_cast<WorkPage*>(work_page_.data());
  settle_ = reinterpret_cast<const SettlePage*>(settle_page_.data());
  return {};
}

Status Task::TakeOver() {
  current_ = CurrentCheckpoint(*work_);
  work_->turn_running.store(0, std::memory_order_relaxed);
  work_->host.store(getpid(), std::memory_order_release);
  work_->waits_for_room.store(0, std::memory_order_relaxed);
  FindLastOutput();
  if (Status started = AttachAndStart(); !started.ok()) {
    if (started.error().kind != ErrorKind::kGiveUp) return started;
    if (Status restarted = Restart(started.error().message); !restarted.ok()) return restarted;
  }
  turn_ = current_.turn;
  out_sequence_ = current_.out_sequence;
  const std::uint64_t record_max = in_ring_.size() / 2;
  reader_.emplace(in_ring_.data(), in_ring_.size(), in_->head, current_.in_position, record_max);
  writer_.emplace(out_ring_.data(), out_ring_.size(), work_->out_head, settle_->settled);
  LoadPoisonTurns();
  work_->consumed.store(current_.in_position, std::memory_order_release);
  work_->reclaim.store(current_.in_position, std::memory_order_release);
  AnnounceDeadline();
  return {};
}

Status Task::AttachAndStart() {
  const std::uint64_t head = in_->head.load(std::memory_order_acquire);
  if (head - current_.in_position > in_ring_.size() ||
      current_.number < work_->checkpoints.load(std::memory_order_relaxed)) {
    return Error{ErrorKind::kGiveUp, "the last checkpoint is damaged"};
  }
  if (Status attached = AttachRegion(); !attached.ok()) return attached;
  return StartStoredPlan();
}

Status Task::AttachRegion() {
  auto& undo = *reinterpret_cast<UndoLog*>(undo_.data());
  undo.capacity = kUndoLines;
  if (Status done = FinishImage(current_); !done.ok()) return done;
  if (Status back = StateRegion::RollBack(state_.data(), state_.size(), undo, current_.number);
      !back.ok()) {
    return back;
  }
  StateRegion::Options options;
  options.base = state_.data();
  options.capacity = state_.size();
  options.undo = &undo;
  options.populate = [this](std::size_t bytes) { return state_.Populate(bytes); };
  Result<StateRegion> region = StateRegion::Attach(std::move(options));
  if (!region.ok()) return region.error();
  region_.emplace(std::move(region).value());
  return {};
}

// What a task does whose state cannot be believed: begins anew behind the last
// checkpoint. Its open windows are lost, and counted.
Status Task::Restart(const std::string& why) {
  incident_ = "the state of `" + id_.Name() + "` is lost, open windows with it: " + why;
  pipeline_.reset();
  plan_.reset();
  region_.reset();
  auto& undo = *reinterpret_cast<UndoLog*>(undo_.data());
  std::memset(state_.data(), 0, PageSize());
  undo.count.store(0);
  undo.checkpoint.store(current_.number);
  current_.image_bytes = 0;
  if (Status attached = AttachRegion(); !attached.ok()) return attached;
  CheckpointSlot slot = current_;
  slot.number = std::max(slot.number, work_->checkpoints.load(std::memory_order_relaxed)) + 1;
  ++slot.states_lost;
  slot.image_bytes = 0;
  // New results get new numbers; what is published stays as it is.
  slot.out_sequence = out_written_;
  const std::uint64_t head = in_->head.load(std::memory_order_acquire);
  // Without any checkpoint: behind what was in the state that is lost.
  if (current_.number == 0) slot.in_position = work_->reclaim.load(std::memory_order_relaxed);
  if (head - slot.in_position > in_ring_.size()) slot.in_position = head;
  if (!options_.plan.empty() && !StorePlan(*region_, options_.plan_fingerprint, options_.plan)) {
    return Error{ErrorKind::kFix, "limits.state is too small for the plan"};
  }
  if (Status started = StartStoredPlan(); !started.ok()) return started;
  WriteCheckpoint(slot);
  region_->Forget(slot.number);
  return {};
}

// What is in the ring of outputs already: a replay writes it again, and it must not
// stand there twice.
void Task::FindLastOutput() {
  const std::uint64_t turn_outputs = static_cast<std::uint64_t>(Pipeline::kOutputsMax);
  out_room_ = turn_outputs * RingBytes(0, plans_->limits().record_max + kReasonRoom);
  out_room_ = std::min<std::uint64_t>(out_room_, out_ring_.size() * 3 / 4);
  const SettleState& settled = CurrentState(*settle_);
  out_written_ = settled.sequence;
  RingReader reader(out_ring_.data(), out_ring_.size(), work_->out_head, settled.settled,
                    out_ring_.size());
  RecordView record;
  RingReader::Found found;
  while ((found = reader.Peek(record)) == RingReader::Found::kRecord) {
    out_written_ = record.header.sequence + 1;
    reader.Pass(record);
  }
  if (found != RingReader::Found::kDamaged) return;
  // What cannot be read is cut off; the replay writes it again if it is behind the
  // checkpoint.
  incident_ = reader.Damage().message + "; outputs of `" + id_.Name() + "` behind it are cut off";
  work_->out_head.store(reader.position(), std::memory_order_release);
}

void Task::LoadPoisonTurns() {
  for (const PoisonTurn& entry : in_->poison) {
    if (entry.deaths >= 2 && entry.turn >= turn_) poison_.push_back(entry);
  }
}

bool Task::AskForRoom() {
  work_->waits_for_room.store(1, std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!writer_->HasRoom(out_room_)) return false;
  work_->waits_for_room.store(0, std::memory_order_relaxed);
  return true;
}

Result<Task::Progress> Task::Run(int turns_max) {
  work_->waits_for_room.store(0, std::memory_order_relaxed);
  int turns = 0;
  while (turns < turns_max && HasWork()) {
    if (!HasRoomForTurn()) return Progress::kBlocked;
    if (!Turn()) return std::move(*failure_).In(id_.Name());
    ++turns;
    // Behind a skipped turn: the daemon's list of them is short.
    if (std::exchange(skipped_, false) || region_->dirty_lines() > kUndoLines / 2 ||
        reader_->position() - current_.in_position > in_ring_.size() / 4) {
      MakeCheckpoint();
    }
  }
  return turns > 0 ? Progress::kWorked : Progress::kIdle;
}

bool Task::Fail(Error error) {
  failure_ = std::move(error);
  return false;
}

bool Task::FailOfKind(int kind) {
  return Fail({ErrorKind::kGiveUp, "a record of unknown kind " + std::to_string(kind)});
}

bool Task::FailOfDamage() { return Fail(reader_->Damage()); }

bool Task::FailWithoutPlan() {
  return Fail({ErrorKind::kGiveUp, "a record stands in the journal before any plan"});
}

// One turn: a step of what is pending, or one record. False after a failure.
inline bool Task::Turn() {
  if (pipeline_ != nullptr && pipeline_->HasPending()) [[unlikely]] {
    const TurnMode mode = BeginTurn();
    pipeline_->Step(mode, *this);
    EndTurn();
    return true;
  }
  RecordView record;
  const RingReader::Found found = reader_->Peek(record);
  if (found == RingReader::Found::kDamaged) [[unlikely]]
    return FailOfDamage();
  if (found == RingReader::Found::kNothing) return true;
  if (static_cast<InputKind>(record.header.kind) == InputKind::kPlan) [[unlikely]] {
    return PlanTurn();
  }
  if (pipeline_ == nullptr) [[unlikely]]
    return FailWithoutPlan();
  return PushRecord(record);
}

[[gnu::always_inline]] inline bool Task::PushRecord(const RecordView& record) {
  const auto kind = static_cast<InputKind>(record.header.kind);
  if (kind < InputKind::kMessage || kind > InputKind::kStood) [[unlikely]] {
    return FailOfKind(record.header.kind);
  }
  const Input input{kind, TimeFromMicroseconds(record.header.time), record.topic, record.payload,
                    static_cast<std::uint32_t>(record.header.tag)};
  const TurnMode mode = BeginTurn();
#ifdef RUNNEL_TEST_HOOKS
  if (!mode.poison) DieOfPoison(input.payload, options_.poison_text);
#endif
  // The next records come from another core's cache.
  const char* ahead = input.payload.data() + input.payload.size() + 256;
  __builtin_prefetch(ahead);
  __builtin_prefetch(ahead + 64);
  __builtin_prefetch(ahead + 128);
  pipeline_->Push(input, mode, *this);
  reader_->Pass(record);
  work_->consumed.store(reader_->position(), std::memory_order_release);
  EndTurn();
  return true;
}

// A turn in which everything that is open becomes due.
void Task::EndWindows(Time now) {
  Input end;
  end.kind = InputKind::kEnd;
  end.arrival = now;
  const TurnMode mode = BeginTurn();
  pipeline_->Push(end, mode, *this);
  EndTurn();
}

inline TurnMode Task::BeginTurn() {
  work_->turn_running.store(turn_ + 1, std::memory_order_release);
  TurnMode mode;
  for (const PoisonTurn& entry : poison_) {
    if (entry.turn == turn_) {
      mode.poison = true;
      mode.signal = entry.signal;
      skipped_ = true;
    }
  }
  return mode;
}

inline void Task::EndTurn() {
  writer_->Publish();
  ++turn_;
  work_->turn_running.store(0, std::memory_order_release);
}

void Task::Write(const Output& output) {
  const std::uint64_t sequence = out_sequence_++;
  if (sequence < out_written_) return;  // a replay: the ring has it
  RecordHeader header{};
  header.kind = static_cast<std::uint8_t>(output.kind);
  header.sequence = sequence;
  header.time = Microseconds(output.time);
  header.tag =
      output.kind == OutputKind::kResult ? plan_->plan().sinks()[output.sink].tag : output.shard;
  prefix_.clear();
  if (output.kind == OutputKind::kDeadLetter) AppendDeadLetterPrefix(output, prefix_);
  if (!writer_->HasRoom(RingBytes(output.topic.size(), prefix_.size() + output.payload.size()))) {
    // Cannot be while the pipeline keeps to kOutputsMax and record_max.
    std::abort();
  }
  writer_->Append(header, output.topic, {prefix_, output.payload});
  published_ = true;
}

bool Task::Checkpoint() {
  MakeCheckpoint();
  return std::exchange(freed_, false);
}

void Task::MakeCheckpoint() {
  const std::uint64_t before = current_.in_position;
  if (turn_ != current_.turn || reader_->position() != current_.in_position) {
    CheckpointSlot slot = current_;
    ++slot.number;
    slot.in_position = reader_->position();
    slot.out_sequence = out_sequence_;
    slot.turn = turn_;
    if (pipeline_ != nullptr) slot.ledger = pipeline_->ledger();
    WriteCheckpoint(slot);
    region_->Forget(slot.number);
    work_->reclaim.store(slot.in_position, std::memory_order_release);
    if (pipeline_ == nullptr || !pipeline_->HasPending()) {
      work_->quiet.store(slot.number, std::memory_order_release);
    }
    std::erase_if(poison_, [this](const PoisonTurn& entry) { return entry.turn < turn_; });
  }
  AnnounceDeadline();
  freed_ |= current_.in_position != before;
}

void Task::WriteCheckpoint(const CheckpointSlot& slot) {
  current_ = slot;
  current_.check = CheckOf(current_);
  std::memcpy(&work_->slots[current_.number % 2], &current_, sizeof current_);
  work_->checkpoints.store(current_.number, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

void Task::AnnounceDeadline() {
  std::int64_t deadline = INT64_MAX;
  if (pipeline_ != nullptr) {
    if (const std::optional<Time> next = pipeline_->NextDeadline()) deadline = Microseconds(*next);
  }
  work_->deadline.store(deadline, std::memory_order_seq_cst);
}

bool Task::DeadlineIsEarlier() const {
  return work_->deadline.load(std::memory_order_relaxed) <
         in_->armed.load(std::memory_order_seq_cst);
}

bool Task::TakePublished() { return std::exchange(published_, false); }

}  // namespace runnel

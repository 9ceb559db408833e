#include "daemon/service/exchange.h"

#include <algorithm>
#include <utility>

namespace runnel {
namespace {

// Records of one source before the next has its chance.
constexpr int kRecordsInARow = 256;

// What time brings, as the tag of a tick says.
InputKind KindOf(const RecordView& tick) {
  return static_cast<InputKind>(std::min<std::uint64_t>(tick.header.tag, UINT8_MAX));
}

// Whether a worker may say that to the next stage.
bool IsTime(const RecordView& tick) {
  switch (KindOf(tick)) {
    case InputKind::kTick:
    case InputKind::kPause:
    case InputKind::kResume:
    case InputKind::kStood:
      return true;
    default:
      return false;
  }
}

}  // namespace

Exchange::Exchange(TaskSet& tasks, std::vector<Ringer*> workers, std::vector<const Doorbell*> bells,
                   Options options)
    : tasks_(&tasks),
      workers_(std::move(workers)),
      bells_(std::move(bells)),
      options_(std::move(options)) {}

Result<std::unique_ptr<Exchange>> Exchange::Open(TaskSet& tasks, std::vector<Ringer*> workers,
                                                 std::vector<const Doorbell*> bells,
                                                 Options options) {
  std::unique_ptr<Exchange> exchange(
      new Exchange(tasks, std::move(workers), std::move(bells), std::move(options)));
  for (RunningTask& task : tasks.tasks()) {
    if (task.last_stage) continue;
    Source source;
    source.task = &task;
    Result<std::unique_ptr<OutReader>> reader =
        OutReader::Open(task.files.work.get(), task.files.settle.get());
    if (!reader.ok()) return std::move(reader.error()).In("`" + task.id.Name() + "`");
    source.reader = std::move(reader).value();
    const std::string name = task.id.pipeline + "." + std::to_string(task.id.stage);
    std::unique_ptr<DeadLetterFile>& file = exchange->files_[name];
    if (file == nullptr) {
      file = std::make_unique<DeadLetterFile>(exchange->options_.state, name,
                                              exchange->options_.dead_letters_max);
    }
    source.dead_letters = file.get();
    exchange->sources_.push_back(std::move(source));
  }
  return exchange;
}

bool Exchange::Run() {
  bool moved = false;
  for (Source& source : sources_) {
    if (!source.broken) moved |= RunSource(source);
  }
  return moved;
}

bool Exchange::RunSource(Source& source) {
  bool moved = false;
  for (int i = 0; i < kRecordsInARow; ++i) {
    RecordView record;
    if (source.waiting.has_value()) {
      record = *source.waiting;
    } else {
      const RingReader::Found found = source.reader->Next(record);
      if (found == RingReader::Found::kDamaged) {
        options_.report(source.reader->Damage());
        source.broken = true;
      }
      if (found != RingReader::Found::kRecord) break;
    }
    const std::optional<OutReader::Settled> how = Deliver(source, record);
    if (!how.has_value()) {
      source.waiting = record;
      break;
    }
    source.waiting.reset();
    source.reader->Settle(record, *how);
    source.moved = moved = true;
  }
  if (moved && source.reader->WorkerWaits()) bells_[source.task->worker]->Ring();
  return moved;
}

// What became of it; nothing where it has to wait.
std::optional<OutReader::Settled> Exchange::Deliver(Source& source, const RecordView& record) {
  switch (static_cast<OutputKind>(record.header.kind)) {
    case OutputKind::kExchange:
      return DeliverRecord(source, record);
    case OutputKind::kTick:
      if (!IsTime(record)) break;
      if (!DeliverTick(source, record)) return std::nullopt;
      return OutReader::Settled::kMoved;
    case OutputKind::kDeadLetter: {
      const Status written =
          source.dead_letters->Append(source.task->id, source.reader->incarnation(), record);
      if (!written.ok()) options_.report(written.error());
      return OutReader::Settled::kDeadLetter;
    }
    case OutputKind::kResult:
      break;
  }
  const std::string reason = "an output of kind " + std::to_string(record.header.kind);
  options_.report(
      Error{ErrorKind::kGiveUp, "`" + source.task->id.Name() + "` has written " + reason});
  return Reject(source, record, reason);
}

OutReader::Settled Exchange::Reject(const Source& source, const RecordView& record,
                                    std::string_view reason) {
  const Status written = source.dead_letters->AppendRejected(
      source.task->id, source.reader->incarnation(), record, reason);
  if (!written.ok()) options_.report(written.error());
  return OutReader::Settled::kRejected;
}

std::optional<OutReader::Settled> Exchange::DeliverRecord(const Source& source,
                                                          const RecordView& record) {
  const std::size_t next = source.task->id.stage + 1;
  const Plan& plan = *tasks_->pipelines()[source.task->pipeline].plan;
  const auto partition = static_cast<std::uint32_t>(record.header.tag % plan.partitions(next));
  RunningTask* target = tasks_->Find(*source.task, next, partition);
  if (target == nullptr) target = tasks_->StandIn(*source.task, next, record.header.tag);
  if (target == nullptr) return Reject(source, record, "the next stage is gone");
  if (!source.moved && WasDelivered(source, next, record)) return OutReader::Settled::kMoved;
  if (!DeliverTo(*target, source, record)) return std::nullopt;
  return OutReader::Settled::kMoved;
}

// To every task of the next stage; false while one has no room.
bool Exchange::DeliverTick(const Source& source, const RecordView& record) {
  const std::size_t next = source.task->id.stage + 1;
  const RunningPipeline& pipeline = tasks_->pipelines()[source.task->pipeline];
  bool everywhere = true;
  for (std::uint32_t partition = 0; partition < pipeline.plan->partitions(next); ++partition) {
    RunningTask* const target = tasks_->Find(*source.task, next, partition);
    // What time it is for a source that ends is nothing to those that go on.
    if (target == nullptr || (pipeline.retired && !tasks_->pipelines()[target->pipeline].retired)) {
      continue;
    }
    everywhere &= DeliverTo(*target, source, record);
  }
  return everywhere;
}

// A daemon that was killed behind the delivery has not settled its last record. Of another number
// of partitions it goes to another task now, which does not know it.
bool Exchange::WasDelivered(const Source& source, std::size_t stage, const RecordView& record) {
  const InJournal::ExchangeOrigin origin{source.task->id.partition, source.reader->incarnation(),
                                         record.header.sequence};
  std::vector<RunningTask>& tasks = tasks_->tasks();
  return std::any_of(tasks.begin(), tasks.end(), [&](const RunningTask& task) {
    return task.id.stage == stage && task.id.pipeline == source.task->id.pipeline &&
           task.journal->HasAsLast(origin);
  });
}

bool Exchange::DeliverTo(RunningTask& target, const Source& source, const RecordView& record) {
  const bool tick = static_cast<OutputKind>(record.header.kind) == OutputKind::kTick;
  const InputKind kind = tick ? KindOf(record) : InputKind::kExchange;
  const auto append = [&] {
    return target.journal->AppendExchange(
        kind, {source.task->id.partition, source.reader->incarnation(), record.header.sequence},
        TimeFromMicroseconds(record.header.time), record.payload);
  };
  Appended appended = append();
  if (appended == Appended::kFull) {
    target.journal->StartWaiting(kExchangeWaits);
    appended = append();
  }
  if (appended == Appended::kFull) return false;
  target.journal->StopWaiting(kExchangeWaits);
  if (appended == Appended::kDone) workers_[target.worker]->Notify(options_.max_delay);
  return true;
}

bool Exchange::HasMore() {
  return std::any_of(sources_.begin(), sources_.end(), [](const Source& source) {
    return !source.broken && !source.waiting.has_value() && source.reader->HasMore();
  });
}

bool Exchange::Drained() const {
  return std::all_of(sources_.begin(), sources_.end(),
                     [](const Source& source) { return source.reader->Drained(); });
}

}  // namespace runnel

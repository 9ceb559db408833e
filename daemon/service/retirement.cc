#include "daemon/service/retirement.h"

#include <algorithm>
#include <utility>

#include "daemon/service/mqtt_setup.h"

namespace runnel {
namespace {

using std::chrono::milliseconds;

// How soon it looks again: upstream may be away for days.
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{30'000};
// A task reads the second one only when all that the first one made due is done, and nothing is
// open by then that it could make due.
constexpr int kTellEnd = 2;

}  // namespace

Retirement::Retirement(asio::io_context& loop, TaskSet& tasks, std::vector<Ringer*> workers,
                       Log& log, Options options)
    : tasks_(&tasks),
      workers_(std::move(workers)),
      log_(&log),
      options_(std::move(options)),
      timer_(loop),
      pause_(kFirstPause),
      told_(tasks.tasks().size()),
      ledgers_(tasks.pipelines().size()) {}

void Retirement::Start() {
  for (std::size_t i = 0; i < ledgers_.size(); ++i) {
    const RunningPipeline& pipeline = tasks_->pipelines()[i];
    if (!pipeline.retired) continue;
    const std::size_t left = TasksLeft(i);
    log_->Info("`" + PipelineFolderName(pipeline.plan->name(), pipeline.generation) + "` has " +
               std::to_string(left) + (left == 1 ? " task" : " tasks") +
               " that the configuration does not have any more: what they have is worked off");
  }
  Look();
}

std::size_t Retirement::TasksLeft(std::size_t pipeline) const {
  const std::vector<RunningTask>& tasks = tasks_->tasks();
  const auto left = std::count_if(tasks.begin(), tasks.end(), [pipeline](const RunningTask& task) {
    return task.pipeline == pipeline && !task.gone;
  });
  return static_cast<std::size_t>(left);
}

void Retirement::Stop() {
  stopped_ = true;
  timer_.cancel();
}

void Retirement::Look() {
  if (stopped_) return;
  bool left = false;
  bool moved = false;
  std::vector<RunningTask>& tasks = tasks_->tasks();
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (!tasks_->pipelines()[tasks[i].pipeline].retired || tasks[i].gone) continue;
    if (told_[i] == kTellEnd) {
      moved |= TryRemove(tasks[i]);
    } else if (IsNext(tasks[i])) {
      moved |= TellEnd(tasks[i], told_[i]);
    }
    left |= !tasks[i].gone;
  }
  if (!left) return;
  pause_ = moved ? kFirstPause : std::min(2 * pause_, kLongestPause);
  timer_.expires_after(pause_);
  timer_.async_wait([this](const asio::error_code& cancelled) {
    if (!cancelled) Look();
  });
}

// Whether nothing comes from stages before it any more: those that go on send to others.
bool Retirement::IsNext(const RunningTask& task) const {
  const std::vector<RunningTask>& tasks = tasks_->tasks();
  return std::none_of(tasks.begin(), tasks.end(), [&](const RunningTask& other) {
    return other.id.pipeline == task.id.pipeline && other.id.generation == task.id.generation &&
           other.id.stage < task.id.stage && !other.gone &&
           tasks_->pipelines()[other.pipeline].retired;
  });
}

bool Retirement::TellEnd(RunningTask& task, int& told) {
  while (told < kTellEnd) {
    if (task.journal->AppendTime(InputKind::kEnd, options_.now()) == Appended::kFull) return false;
    ++told;
  }
  workers_[task.worker]->Notify({});
  return true;
}

bool Retirement::TryRemove(RunningTask& task) {
  if (!task.journal->Drained() || !options_.may_remove()) return false;
  const Result<TaskReport> report = ReadTaskReport(task.folder);
  if (!report.ok() || report.value().unsettled > 0) return false;
  if (const Status removed = tasks_->Remove(task); !removed.ok()) {
    log_->Error(removed.error().message);
    return false;
  }
  PipelineReport& ledger = ledgers_[task.pipeline];
  ledger.Add(report.value(), task.id.stage == 0, task.last_stage);
  if (TasksLeft(task.pipeline) == 0) {
    log_->Info("`" + task.id.PipelineFolder() + "`: these tasks have ended: " + ledger.Line());
  }
  return true;
}

Status MayEnd(const DeviceConfig& device, const Plan& plan, const Plan* now) {
  const MqttSink& sink = plan.sinks().front();
  if (!UpstreamOf(device, sink, now).empty()) return {};
  return Error{ErrorKind::kFix, "its results go to the broker `" + sink.broker +
                                    "`, which is not in the configuration any more"};
}

}  // namespace runnel

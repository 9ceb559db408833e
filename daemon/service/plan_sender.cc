#include "daemon/service/plan_sender.h"

#include <utility>

namespace runnel {
namespace {

constexpr std::chrono::milliseconds kRetry(500);

}  // namespace

PlanSender::PlanSender(asio::io_context& loop, TaskSet& tasks, std::vector<Ringer*> workers,
                       Log& log, std::function<Time()> now)
    : tasks_(&tasks),
      workers_(std::move(workers)),
      log_(&log),
      now_(std::move(now)),
      timer_(loop) {}

void PlanSender::Send(std::size_t pipeline) {
  if (stopped_ || SendNow(pipeline) || unsent_.contains(pipeline)) return;
  log_->Warn("a journal of `" + tasks_->pipelines()[pipeline].plan->name() +
             "` is full; its tasks go over to the changed plan when there is room");
  unsent_.insert(pipeline);
  TryAgain();
}

void PlanSender::Stop() {
  stopped_ = true;
  timer_.cancel();
}

// Whether every journal has the plan.
bool PlanSender::SendNow(std::size_t pipeline) {
  const RunningPipeline& running = tasks_->pipelines()[pipeline];
  bool all = true;
  for (RunningTask& task : tasks_->tasks()) {
    if (task.pipeline != pipeline) continue;
    const Appended appended =
        task.journal->AppendPlan(running.fingerprint, running.encoded, now_());
    if (appended == Appended::kDone) workers_[task.worker]->Notify({});
    all &= appended != Appended::kFull;
  }
  return all;
}

void PlanSender::TryAgain() {
  timer_.expires_after(kRetry);
  timer_.async_wait([this](const asio::error_code& cancelled) {
    if (cancelled || stopped_) return;
    std::erase_if(unsent_, [this](std::size_t pipeline) { return SendNow(pipeline); });
    if (!unsent_.empty()) TryAgain();
  });
}

}  // namespace runnel

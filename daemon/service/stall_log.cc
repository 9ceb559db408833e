#include "daemon/service/stall_log.h"

#include <algorithm>
#include <string>

#include "daemon/ingest/dispatcher.h"
#include "pipelines/base/time.h"

namespace runnel {
namespace {

constexpr std::chrono::minutes kBetween{1};

}  // namespace

void StallLog::Set(std::size_t pipeline, bool stalled) {
  Stall& stall = stalls_[pipeline];
  const Clock::time_point now = Clock::now();
  if (stalled) {
    if (stall.told.has_value() && now - *stall.told < kBetween) return;
    stall.told = now;
    stall.lasts = true;
    return Tell(pipeline);
  }
  if (!stall.lasts) return;
  stall.lasts = false;
  const auto waited = std::chrono::floor<std::chrono::seconds>(now - *stall.told);
  log_->Info("`" + tasks_->pipelines()[pipeline].plan->name() + "`: there is room after " +
             FormatDuration(waited + Dispatcher::kStall) + ", messages come in again");
}

void StallLog::Tell(std::size_t pipeline) const {
  const bool upstream =
      std::any_of(tasks_->tasks().begin(), tasks_->tasks().end(), [&](const RunningTask& task) {
        return task.pipeline == pipeline && task.last_stage && !task.gone &&
               task.journal->WaitsForRoom();
      });
  const auto others = std::count_if(tasks_->pipelines().begin(), tasks_->pipelines().end(),
                                    [](const RunningPipeline& one) { return !one.retired; }) -
                      1;
  std::string text =
      "`" + tasks_->pipelines()[pipeline].plan->name() + "`: its journal is full, " +
      (upstream ? "its results wait for upstream" : "more comes in than its workers get done") +
      "; its messages wait at the broker";
  if (others > 0) {
    text +=
        ", and those of all other pipelines behind them (`overload: drop_newest` in its source "
        "lets the others go on)";
  }
  log_->Warn(text);
}

}  // namespace runnel

#include "daemon/service/ticker.h"

#include <algorithm>
#include <atomic>

namespace runnel {
namespace {

// Closest that two ticks of a pipeline stand.
constexpr Duration kResolution = std::chrono::milliseconds(10);
// How soon a full journal is tried again.
constexpr Duration kRetry = std::chrono::milliseconds(100);
// Longest sleep: the wall clock may be set while the timer counts, and what the journals know of
// when the daemon was there is as old as that.
constexpr Duration kLongest = std::chrono::seconds(60);

}  // namespace

Ticker::Ticker(asio::io_context& loop, TaskSet& tasks, std::vector<Ringer*> workers,
               Options options)
    : tasks_(&tasks),
      workers_(std::move(workers)),
      options_(std::move(options)),
      timer_(loop),
      waiting_(tasks.pipelines().size(), false),
      ticked_(tasks.pipelines().size()),
      tick_ends_(tasks.tasks().size()) {}

void Ticker::Run() {
  if (stopped_) return;
  const Time now = options_.now();
  NoteUp(now);
  // A deadline that is announced while these are read is earlier: its worker rings.
  Arm(Time::max());
  std::atomic_thread_fence(std::memory_order_seq_cst);
  Time next = Time::max();
  for (std::size_t pipeline = 0; pipeline < tasks_->pipelines().size(); ++pipeline) {
    // Of those that end nothing waits for time.
    if (waiting_[pipeline] || tasks_->pipelines()[pipeline].retired) continue;
    const Time deadline = EarliestOf(pipeline);
    if (deadline == Time::max()) continue;
    if (deadline <= now && now >= ticked_[pipeline] + kResolution) {
      // The worker announces its next deadline when it has seen the tick, and rings.
      if (!Tick(pipeline, now)) next = std::min(next, now + kRetry);
      ticked_[pipeline] = now;
      continue;
    }
    next = std::min(next, std::max(deadline, ticked_[pipeline] + kResolution));
  }
  Sleep(next, now);
}

Time Ticker::EarliestOf(std::size_t pipeline) const {
  Time earliest = Time::max();
  for (const RunningTask& task : tasks_->tasks()) {
    if (task.pipeline != pipeline) continue;
    if (const std::optional<Time> deadline = task.journal->Deadline()) {
      earliest = std::min(earliest, *deadline);
    }
  }
  return earliest;
}

bool Ticker::Tick(std::size_t pipeline, Time now) {
  bool all = true;
  bool any = false;
  const bool staged = tasks_->pipelines()[pipeline].plan->stages() > 1;
  for (std::size_t i = 0; i < tasks_->tasks().size(); ++i) {
    RunningTask& task = tasks_->tasks()[i];
    if (task.pipeline != pipeline || task.id.stage != 0) continue;
    const std::optional<Time> deadline = task.journal->Deadline();
    if (!staged && (!deadline.has_value() || *deadline > now)) continue;
    // It has not come to the last one yet: more of them would only fill its journal.
    if (task.journal->consumed() < tick_ends_[i]) continue;
    if (task.journal->AppendTime(InputKind::kTick, now) != Appended::kDone) {
      all = false;
      continue;
    }
    tick_ends_[i] = task.journal->end();
    workers_[task.worker]->Notify({});
    any = true;
  }
  if (any) options_.on_tick();
  return all;
}

void Ticker::Arm(Time when) {
  for (RunningTask& task : tasks_->tasks()) task.journal->Arm(when);
}

void Ticker::Sleep(Time until, Time now) {
  // A ticked task has not announced its next deadline yet: armed is then later than
  // it, and the worker rings.
  const Time armed = std::min(until, now + kLongest);
  Arm(armed);
  timer_.expires_after(armed - now);
  timer_.async_wait([this](const asio::error_code& error) {
    if (!error) Run();
  });
}

void Ticker::SetWaiting(std::size_t pipeline, bool waiting) {
  waiting_[pipeline] = waiting;
  if (!waiting) Run();
}

void Ticker::NoteUp(Time now) {
  for (RunningTask& task : tasks_->tasks()) {
    if (task.id.stage == 0) task.journal->NoteUp(now);
  }
}

void Ticker::Stop() {
  NoteUp(options_.now());
  stopped_ = true;
  timer_.cancel();
}

}  // namespace runnel

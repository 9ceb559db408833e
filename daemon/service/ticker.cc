#include "daemon/service/ticker.h"

#include <algorithm>
#include <atomic>

namespace runnel {
namespace {

// Closest that two ticks of a task stand.
constexpr Duration kResolution = std::chrono::milliseconds(10);
// How soon a full journal is tried again, and a task that has not read its last tick.
constexpr Duration kRetry = std::chrono::milliseconds(100);
constexpr Duration kUnread = std::chrono::seconds(1);
// How far the clock may be set back without a word.
constexpr Duration kSetBack = std::chrono::seconds(1);
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
      ticked_(tasks.tasks().size()) {
  for (const RunningTask& task : tasks.tasks()) {
    latest_ = std::max(latest_, task.journal->up_before());
  }
}

void Ticker::Run() {
  if (stopped_) return;
  const Time now = options_.now();
  LookAtClock(now);
  NoteUp(now);
  // A deadline that is announced while these are read is earlier: its worker rings.
  Arm(Time::max());
  std::atomic_thread_fence(std::memory_order_seq_cst);
  Time next = Time::max();
  for (std::size_t pipeline = 0; pipeline < tasks_->pipelines().size(); ++pipeline) {
    // Of those that end nothing waits for time.
    if (waiting_[pipeline] || tasks_->pipelines()[pipeline].retired) continue;
    const Deadlines deadlines = DeadlinesOf(pipeline, now);
    next = std::min(next, deadlines.later);
    if (deadlines.due != Time::min()) next = std::min(next, Tick(pipeline, deadlines.due, now));
  }
  Sleep(next, now);
}

void Ticker::LookAtClock(Time now) {
  const bool behind = latest_ > now && latest_ - now > kSetBack;
  if (behind && !told_) options_.on_set_back(latest_ - now);
  told_ = behind;
  latest_ = std::max(latest_, now);
}

Ticker::Deadlines Ticker::DeadlinesOf(std::size_t pipeline, Time now) const {
  Deadlines deadlines;
  for (const RunningTask& task : tasks_->tasks()) {
    if (task.pipeline != pipeline) continue;
    const std::optional<Time> deadline = task.journal->Deadline();
    if (!deadline.has_value()) continue;
    if (*deadline <= now) {
      deadlines.due = std::max(deadlines.due, *deadline);
    } else {
      deadlines.later = std::min(deadlines.later, *deadline);
    }
  }
  return deadlines;
}

Time Ticker::Tick(std::size_t pipeline, Time due, Time now) {
  const bool staged = tasks_->pipelines()[pipeline].plan->stages() > 1;
  Time next = Time::max();
  for (std::size_t i = 0; i < tasks_->tasks().size(); ++i) {
    RunningTask& task = tasks_->tasks()[i];
    if (task.pipeline != pipeline || task.id.stage != 0) continue;
    const std::optional<Time> deadline = task.journal->Deadline();
    if (!staged && (!deadline.has_value() || *deadline > now)) continue;
    next = std::min(next, Tick(task, ticked_[i], staged ? due : *deadline, now));
  }
  return next;
}

Time Ticker::Tick(RunningTask& task, Ticked& last, Time due, Time now) {
  const bool is_new = last.at < due;
  // It has not come to the last one yet: more of them would only fill its journal.
  if (task.journal->consumed() < last.end) return is_new ? now + kUnread : Time::max();
  // The worker announces its next deadline when it has seen the tick, and rings. Where it wants
  // the same still, what it waits for is not time.
  if (last.end != 0 && now >= last.at) {
    const Time earliest = last.at + (is_new ? kResolution : last.again);
    if (now < earliest) return earliest;
  }
  if (task.journal->AppendTime(InputKind::kTick, now) != Appended::kDone) return now + kRetry;
  last.again = is_new ? kResolution : std::min(2 * last.again, kLongest);
  last.at = now;
  last.end = task.journal->end();
  workers_[task.worker]->Notify({});
  options_.on_tick();
  return Time::max();
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

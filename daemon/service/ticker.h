// Ticker: brings time to the tasks that have asked for it.
//
// Each task announces when it wants a tick. The loop sleeps until the earliest of
// these and appends `tick(now)` to the journals that are due: once, and where the task wants
// the same still, less and less often. A task of a later stage is ticked through the first
// stage, so that its time passes in order with its records. One that does not get on keeps no
// other from its time.
#pragma once

#include <asio.hpp>
#include <chrono>
#include <functional>
#include <vector>

#include "daemon/ingest/task_set.h"
#include "daemon/posix/doorbell.h"

namespace runnel {

class Ticker final {
 public:
  struct Options {
    std::function<Time()> now;  // the wall clock
    std::chrono::nanoseconds max_delay{2'000'000};
    std::function<void()> on_tick;  // a task was ticked: work has begun
    // The clock is so far behind what the journals have: until it has caught up time stands still.
    std::function<void(Duration)> on_set_back;
  };

  // All are borrowed.
  Ticker(asio::io_context& loop, TaskSet& tasks, std::vector<Ringer*> workers, Options options);

  // Looks at the deadlines now: ticks what is due, sleeps until the next. Called when
  // a worker has rung, and by the ticker's own timer. Notes in the journals of the first
  // stages that the daemon is there.
  void Run();
  // While a pipeline's source waits for room, its time stands still.
  void SetWaiting(std::size_t pipeline, bool waiting);
  // Before the sources: time in which nothing can come is not told.
  void Stop();

 private:
  // The latest deadline of a pipeline that is due, and the earliest that is not.
  struct Deadlines {
    Time due = Time::min();
    Time later = Time::max();
  };
  // The last tick of a task.
  struct Ticked {
    Time at = Time::min();
    std::uint64_t end = 0;  // where it ends in the journal
    Duration again{};       // until the next, where that one was not enough
  };

  void LookAtClock(Time now);
  void NoteUp(Time now);
  Deadlines DeadlinesOf(std::size_t pipeline, Time now) const;
  // Until when nothing more can be done.
  Time Tick(std::size_t pipeline, Time due, Time now);
  Time Tick(RunningTask& task, Ticked& last, Time due, Time now);
  // Tells the workers of all tasks when the loop looks for deadlines next.
  void Arm(Time when);
  void Sleep(Time until, Time now);

  TaskSet* tasks_;
  std::vector<Ringer*> workers_;
  Options options_;
  asio::steady_timer timer_;
  std::vector<bool> waiting_;   // by pipeline
  std::vector<Ticked> ticked_;  // by task
  Time latest_ = Time::min();   // that the clock has shown, or a daemon before this one has seen
  bool told_ = false;           // that it is behind that
  bool stopped_ = false;
};

}  // namespace runnel

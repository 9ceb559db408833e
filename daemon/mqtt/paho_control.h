// PahoControl: the one thread of this process that waits for Paho's lock.
//
// Paho holds one lock for all clients of a process while a message handler runs. So
// whoever connects, subscribes or disconnects may wait as long as a handler waits for
// room in a journal; this thread does so instead of the caller's loop. It also keeps
// the library initialised, with its tracing off (40 % of its cost per message).
// One per process; outlives all clients. Idle, it does not wake up.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace runnel {

class PahoControl final {
 public:
  PahoControl();
  // Waits up to two seconds for a task that is stuck behind a blocked message handler;
  // then leaves the thread and Paho behind, and the process has to end with _exit().
  ~PahoControl();
  PahoControl(const PahoControl&) = delete;
  PahoControl& operator=(const PahoControl&) = delete;

  // Runs `task` on the control thread, in the order of the calls. Any thread.
  void Post(std::function<void()> task);
  // The same, not before `delay` has passed.
  void PostAfter(std::chrono::milliseconds delay, std::function<void()> task);

 private:
  struct State;
  struct Anchor;

  static void Run(const std::shared_ptr<State>& state);

  std::unique_ptr<Anchor> anchor_;
  std::shared_ptr<State> state_;  // shared with the thread, which may be left behind
};

}  // namespace runnel

// PlanRun: all tasks of a plan in one place, driven by virtual time.
//
// For `runnel test`, `runnel try` and tests: what the daemon does with processes and
// journals, done one turn at a time in a fixed order. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/base/state.h"
#include "pipelines/plan/pipeline.h"

namespace runnel {

class PlanRun final {
 public:
  // Called for results and dead letters; the views end with the call.
  using Take = std::function<void(const Output& output)>;

  // `plan` outlives this. Each task gets `state_bytes` of memory. Fails where that is
  // too little to start.
  static Result<std::unique_ptr<PlanRun>> Create(const Plan& plan, std::size_t state_bytes,
                                                 Take take);
  ~PlanRun();

  // A message that arrives now.
  void Push(std::string_view topic, std::string_view payload);
  // Time goes on to `now`, with a tick at every deadline on the way. The first call says
  // when it begins. REQUIRES: not before the last call.
  void AdvanceTo(Time now);
  // The next deadline of any task.
  std::optional<Time> NextDeadline() const;
  // Everything that is open comes out, `partial`.
  void End();
  Time now() const { return now_; }
  // The sum over all tasks of all stages.
  Ledger ledger() const;
  // Every task goes on from its saved state, in fresh memory.
  Status Reload();

 private:
  struct Task;
  struct Event;

  PlanRun(const Plan& plan, Take take);
  Status StartTask(Task& task, std::size_t stage);
  std::size_t FirstTask(std::string_view topic) const;
  void PushTime(InputKind kind, Time time);
  void Send(std::size_t stage, std::size_t task, const Event& event);
  void Drain();

  const Plan* plan_;
  Take take_;
  std::size_t state_bytes_ = 0;
  std::vector<std::vector<std::unique_ptr<Task>>> stages_;
  Time now_{};
  bool started_ = false;
};

}  // namespace runnel

// PlanSender: the plan of a pipeline into the journals of its tasks.
//
// A journal that is full gets it as soon as there is room: upstream may have been away when the
// daemon was started with a changed configuration. Runs on the loop.
#pragma once

#include <asio.hpp>
#include <functional>
#include <set>
#include <vector>

#include "daemon/ingest/task_set.h"
#include "daemon/posix/doorbell.h"
#include "daemon/service/log.h"

namespace runnel {

class PlanSender final {
 public:
  // All are borrowed; `workers` by index. `now` is the wall clock.
  PlanSender(asio::io_context& loop, TaskSet& tasks, std::vector<Ringer*> workers, Log& log,
             std::function<Time()> now);

  // Tells the tasks of a pipeline the plan that `tasks` has for it, unless they know it.
  void Send(std::size_t pipeline);
  void Stop();

 private:
  bool SendNow(std::size_t pipeline);
  void TryAgain();

  TaskSet* tasks_;
  std::vector<Ringer*> workers_;
  Log* log_;
  std::function<Time()> now_;
  asio::steady_timer timer_;
  std::set<std::size_t> unsent_;  // pipelines
  bool stopped_ = false;
};

}  // namespace runnel

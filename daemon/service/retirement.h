// Retirement: the end of tasks that the configuration does not have any more.
//
// Each works off what is in its journal, then emits what is open (`partial: true`); when all of
// its outputs are settled its files are removed. A later stage ends when those before it have.
// Begins anew with each start of the daemon, so it may be killed at any time. Runs on the loop.
#pragma once

#include <asio.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "daemon/ingest/task_set.h"
#include "daemon/journal/pipeline_report.h"
#include "daemon/posix/doorbell.h"
#include "daemon/service/log.h"

namespace runnel {

class Retirement final {
 public:
  struct Options {
    std::function<Time()> now;  // the wall clock
    // Whether all sources are connected: until then a broker may send what it had no answer for
    // again, and the journal that has it already is needed.
    std::function<bool()> may_remove;
  };

  // All are borrowed.
  Retirement(asio::io_context& loop, TaskSet& tasks, std::vector<Ringer*> workers, Log& log,
             Options options);

  // From now on, until all are gone.
  void Start();
  void Stop();

 private:
  void Look();
  bool IsNext(const RunningTask& task) const;
  bool TellEnd(RunningTask& task, int& told);
  bool TryRemove(RunningTask& task);
  std::size_t TasksLeft(std::size_t pipeline) const;

  TaskSet* tasks_;
  std::vector<Ringer*> workers_;
  Log* log_;
  Options options_;
  asio::steady_timer timer_;
  std::chrono::milliseconds pause_;
  bool stopped_ = false;
  std::vector<int> told_;                // by task: how often that it ends
  std::vector<PipelineReport> ledgers_;  // by pipeline: of the tasks that have ended
};

// An error where results of a pipeline that is to be retired go to a broker that `device` does not
// have; those for other sinks than `sink` are rejected then. `now` as for UpstreamOf.
Status MayEnd(const DeviceConfig& device, const Plan& plan, const Plan* now);

}  // namespace runnel

// StallLog: says when a pipeline holds up the source, why, and when that is over.
//
// A journal that is full for a moment is how back-pressure works; one that stays full stops
// all pipelines, and somebody has to hear of it. At most one line a minute for each pipeline,
// and one at the end of a stall that was told. All on the loop.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "daemon/ingest/task_set.h"
#include "daemon/service/log.h"

namespace runnel {

class StallLog final {
 public:
  // Both are borrowed.
  StallLog(const TaskSet& tasks, Log& log)
      : tasks_(&tasks), log_(&log), stalls_(tasks.pipelines().size()) {}

  // A stall begins or ends: a message of the pipeline waits for room since a moment.
  void Set(std::size_t pipeline, bool stalled);

 private:
  using Clock = std::chrono::steady_clock;
  struct Stall {
    std::optional<Clock::time_point> told;  // the last one that was
    bool lasts = false;                     // it was told and has not ended
  };

  void Tell(std::size_t pipeline) const;

  const TaskSet* tasks_;
  Log* log_;
  std::vector<Stall> stalls_;  // by pipeline
};

}  // namespace runnel

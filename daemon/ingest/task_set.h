// TaskSet: every task that the configuration asks for, and every one that an earlier
// configuration has left, as the daemon sees it.
//
// Made at start, and but for ChangePlan and Remove fixed until the end; read by the source
// threads and the loop. What these change is the loop's alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "daemon/journal/in_journal.h"
#include "daemon/journal/task_files.h"
#include "pipelines/plan/plan.h"

namespace runnel {

// A pipeline as the daemon knows it: compiled, and as the workers will get it.
struct RunningPipeline {
  std::unique_ptr<const Plan> plan;
  std::string encoded;            // Node::Encode of its file
  std::uint64_t fingerprint = 0;  // of what is encoded
  // The configuration does not have it any more, or not with all of its tasks: it gets no
  // messages, and those tasks work off what they have and end.
  bool retired = false;
  std::uint32_t generation = 0;  // of its tasks; TaskId
  // Set by TaskSet::Open: an earlier configuration may have put messages of a topic into another of
  // its tasks than they go to now.
  bool moved = false;
};

struct RunningTask {
  TaskId id;
  std::size_t pipeline = 0;  // index into TaskSet::pipelines
  bool last_stage = true;
  std::size_t worker = 0;   // index of the worker that hosts it
  std::size_t appends = 0;  // its place among the counts of CountAppends
  std::string folder;
  TaskFiles files;
  std::unique_ptr<InJournal> journal;
  bool gone = false;  // ended, its files are removed
};

struct TaskSetOptions {
  std::string runtime;  // folder of the journals
  std::string state;    // folder of the snapshots
  TaskSizes sizes;
  std::uint64_t record_max = 64 * 1024;
  std::size_t workers = 1;        // at least 1: hosts that there are
  std::uint64_t incarnation = 0;  // for files that are made; never used before
  // Messages for the log: a task was restored, made anew, or cannot be retired.
  std::function<void(const std::string&)> warn;
  // The plan that tasks of an earlier configuration have run.
  std::function<Result<std::unique_ptr<const Plan>>(const std::string& pipeline,
                                                    std::string_view encoded)>
      compile;
  // Whether tasks of such a plan can be retired, beside the one that the pipeline has now (nullptr:
  // there is no such pipeline); with an error they are kept as they are.
  std::function<Status(const Plan& plan, const Plan* now)> may_end = [](const Plan&, const Plan*) {
    return Status();
  };
};

class TaskSet final {
 public:
  // Opens, restores or makes the files of all tasks of `pipelines`, which are none of them
  // retired, and opens or restores those of all others that there are: their pipelines come
  // behind, once for each plan that such tasks run. Snapshots and plans below `state` stay there.
  static Result<std::unique_ptr<TaskSet>> Open(std::vector<RunningPipeline> pipelines,
                                               const TaskSetOptions& options);

  // Removes what has come back from below `state`, before anything is done with it: used once more
  // it would bring everything back that has been done since. An error: not all could be.
  Status ForgetSaved() const;

  const std::vector<RunningPipeline>& pipelines() const { return pipelines_; }
  std::vector<RunningTask>& tasks() { return tasks_; }
  const std::vector<RunningTask>& tasks() const { return tasks_; }
  // The task of a pipeline's stage on a partition; not of a retired one.
  RunningTask& at(std::size_t pipeline, std::size_t stage, std::uint32_t partition) {
    return tasks_[first_[pipeline][stage] + partition];
  }

  // The same of the pipeline of any task. Of a retired one only some tasks may be there under its
  // plan: for the others stand those that have their names. nullptr where there is none.
  RunningTask* Find(const RunningTask& task, std::size_t stage, std::uint32_t partition);
  // One that can do the work of a later stage's task that a retired pipeline does not have, for
  // records with that hash of their key: one that ends too, so that no window of theirs stays open,
  // else the one of the configuration. nullptr where there is none.
  RunningTask* StandIn(const RunningTask& task, std::size_t stage, std::uint64_t hash);

  // The plan of a pipeline of the configuration; nullptr where there is none of that name.
  const Plan* PlanNow(const std::string& pipeline) const;

  // From now on each task's journal counts its records in `counts`, at the task's place; of
  // those behind the last nobody counts. Outlives the set. Before the first append.
  void CountAppends(std::span<std::atomic<std::uint32_t>> counts);

  // Of a plan that differs from the one at start in its lookup tables alone. Nothing is
  // told to the tasks. An error: it could not be kept for a later daemon, and nothing changed.
  Status ChangePlan(std::size_t pipeline, std::string encoded, std::uint64_t fingerprint);

  // Saves the tasks whose files somebody has removed, from what is still open of them, with their
  // plans, below `state`; how many. REQUIRES: no worker and no uplink runs.
  Result<std::size_t> SaveRemoved() const;

  // Removes the files of a task that has ended, and its plan if it was the last to run it. What it
  // has counted stays while its pipeline has other tasks.
  // Processes that have mapped them keep all but the rings until they end.
  Status Remove(RunningTask& task);

 private:
  TaskSet() = default;
  Status OpenAll(const TaskSetOptions& options);
  Status OpenWanted(std::size_t pipeline, const TaskSetOptions& options);
  Status OpenOne(RunningTask task, const TaskSetOptions& options);
  std::vector<TaskId> Leftovers(const TaskSetOptions& options) const;
  void OpenLeftovers(std::span<const TaskId> ids, const TaskSetOptions& options);
  Status OpenLeftover(TaskId id, const TaskSetOptions& options);
  Result<std::size_t> RetiredPipeline(const TaskId& id, std::uint64_t fingerprint,
                                      const TaskSetOptions& options);
  void NoteMoved();
  std::vector<RunningTask*> OfStage(const RunningTask& task, std::size_t stage);
  bool IsKept(const std::string& pipeline) const;
  void ForgetUnusedPlans() const;

  std::string runtime_;
  std::string state_;
  bool plans_are_back_ = false;  // all that were below `state`
  std::vector<RunningPipeline> pipelines_;
  std::vector<RunningTask> tasks_;
  std::vector<std::vector<std::size_t>> first_;  // by pipeline and stage; of no retired one
  std::vector<TaskId> kept_;                     // that cannot be retired
};

}  // namespace runnel

#include "daemon/ingest/task_set.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <utility>

#include "daemon/ingest/set_aside.h"
#include "daemon/ingest/stored_plans.h"
#include "daemon/ingest/task_folders.h"
#include "daemon/journal/ended_tasks.h"
#include "daemon/journal/snapshot.h"
#include "daemon/posix/files.h"

namespace runnel {
namespace fs = std::filesystem;
namespace {

// Whether one of a task's files is not there; what cannot be looked at may be.
bool LacksFiles(const std::string& folder) {
  const char* const names[] = {"/in", "/work", "/settle"};
  return std::any_of(std::begin(names), std::end(names), [&](const char* name) {
    std::error_code unknown;
    return fs::status(folder + name, unknown).type() == fs::file_type::not_found;
  });
}

}  // namespace

Result<std::unique_ptr<TaskSet>> TaskSet::Open(std::vector<RunningPipeline> pipelines,
                                               const TaskSetOptions& options) {
  std::unique_ptr<TaskSet> set(new TaskSet());
  set->runtime_ = options.runtime;
  set->state_ = options.state;
  set->pipelines_ = std::move(pipelines);
  if (Status opened = set->OpenAll(options); !opened.ok()) return std::move(opened.error());
  return set;
}

Status TaskSet::OpenAll(const TaskSetOptions& options) {
  // Those of journals that come back, perhaps of an earlier plan.
  const Status back = CopyStoredPlans(options.state, options.runtime);
  if (!back.ok()) options.warn("plans of tasks: " + back.error().message);
  for (std::size_t pipeline = 0; pipeline < pipelines_.size(); ++pipeline) {
    if (Status aside = SetAsideIfChanged(pipelines_[pipeline], options); !aside.ok()) return aside;
    if (Status opened = OpenWanted(pipeline, options); !opened.ok()) return opened;
  }
  const std::vector<TaskId> leftovers = Leftovers(options);
  for (auto first = leftovers.begin(); first != leftovers.end();) {
    const auto end = std::find_if(first, leftovers.end(), [&first](const TaskId& id) {
      return id.PipelineFolder() != first->PipelineFolder();
    });
    OpenLeftovers({first, end}, options);
    first = end;
  }
  NoteMoved();
  RemoveFoldersWithoutTasks(runtime_);
  ForgetUnusedPlans();
  plans_are_back_ = back.ok();
  return {};
}

Status TaskSet::ForgetSaved() const {
  for (const RunningTask& task : tasks_) {
    if (Status forgotten = ForgetSnapshot(state_, task.id); !forgotten.ok()) return forgotten;
  }
  RemoveFoldersWithoutTasks(state_);
  // But for what is kept all has come back from there.
  if (!plans_are_back_) return {};
  ForgetPlans(state_,
              [this](const std::string& pipeline, std::uint64_t) { return IsKept(pipeline); });
  return {};
}

// Those of one generation of a pipeline. They send to each other: where one cannot be opened now
// and may be later, all wait for it.
void TaskSet::OpenLeftovers(std::span<const TaskId> ids, const TaskSetOptions& options) {
  const std::size_t tasks = tasks_.size();
  const std::size_t pipelines = pipelines_.size();
  std::vector<TaskId> kept;
  for (const TaskId& id : ids) {
    const Status opened = OpenLeftover(id, options);
    if (opened.ok()) continue;
    const bool alone = opened.error().kind == ErrorKind::kGiveUp;
    options.warn("`" + id.Name() +
                 "` is a task that no pipeline has any more; it is kept as it is" +
                 (alone ? "" : ", with all of `" + id.PipelineFolder() + "`") + ": " +
                 opened.error().message);
    kept.push_back(id);
    if (alone) continue;
    tasks_.resize(tasks);
    pipelines_.resize(pipelines);
    kept.assign(ids.begin(), ids.end());
    break;
  }
  kept_.insert(kept_.end(), kept.begin(), kept.end());
}

Status TaskSet::OpenWanted(std::size_t pipeline, const TaskSetOptions& options) {
  const RunningPipeline& running = pipelines_[pipeline];
  const Plan& plan = *running.plan;
  if (const Status stored = StorePlan(runtime_, plan.name(), running.fingerprint, running.encoded);
      !stored.ok()) {
    options.warn("keeping the plan of `" + plan.name() + "`: " + stored.error().message);
  }
  first_.emplace_back();
  for (std::size_t stage = 0; stage < plan.stages(); ++stage) {
    first_.back().push_back(tasks_.size());
    for (std::uint32_t partition = 0; partition < plan.partitions(stage); ++partition) {
      RunningTask task;
      task.id = {plan.name(), static_cast<std::uint32_t>(stage), partition};
      task.pipeline = pipeline;
      task.last_stage = stage + 1 == plan.stages();
      task.folder = TaskFolder(runtime_, task.id);
      Result<TaskFiles> files =
          TaskFiles::Prepare(task.folder, options.sizes, options.incarnation + tasks_.size());
      if (!files.ok()) return std::move(files.error()).In("preparing `" + task.id.Name() + "`");
      task.files = std::move(files).value();
      if (!task.files.why_made.empty()) {
        options.warn("the journals of `" + task.id.Name() +
                     "` were unusable and are made anew: " + task.files.why_made);
      }
      if (Status opened = OpenOne(std::move(task), options); !opened.ok()) return opened;
    }
  }
  return {};
}

// Of a task with files.
Status TaskSet::OpenOne(RunningTask task, const TaskSetOptions& options) {
  InJournal::Options journal_options;
  journal_options.record_max = options.record_max;
  Result<std::unique_ptr<InJournal>> journal = InJournal::Open(task.files, journal_options);
  if (!journal.ok()) return std::move(journal.error()).In("opening `" + task.id.Name() + "`");
  task.journal = std::move(journal).value();
  task.worker = tasks_.size() % options.workers;
  task.appends = tasks_.size();
  tasks_.push_back(std::move(task));
  return {};
}

// Tasks of an earlier configuration, with journals or a snapshot, in the order of their names.
std::vector<TaskId> TaskSet::Leftovers(const TaskSetOptions& options) const {
  std::map<std::string, TaskId> found = TasksThatAreThere(options.runtime, options.state);
  for (const RunningTask& task : tasks_) found.erase(task.id.Name());
  std::vector<TaskId> leftovers;
  for (auto& [name, id] : found) leftovers.push_back(std::move(id));
  return leftovers;
}

Status TaskSet::OpenLeftover(TaskId id, const TaskSetOptions& options) {
  RunningTask task;
  task.id = std::move(id);
  task.folder = TaskFolder(runtime_, task.id);
  if (Status restored = RestoreTask(options.runtime, options.state, task.id, options.warn);
      !restored.ok()) {
    return restored;
  }
  std::error_code ignored;
  // What Remove() has left, or a first start that was killed: without one of them the others are
  // nothing.
  if (LacksFiles(task.folder)) {
    fs::remove_all(task.folder, ignored);
    return {};
  }
  Result<TaskFiles> files = TaskFiles::Open(task.folder);
  if (!files.ok()) return files.error();
  task.files = std::move(files).value();
  if (Status opened = OpenOne(std::move(task), options); !opened.ok()) return opened;
  RunningTask& leftover = tasks_.back();
  const InJournal& journal = *leftover.journal;
  if (journal.plan_fingerprint() == 0 && journal.received() == 0) {  // killed when it was made
    Status removed = ForgetSnapshot(state_, leftover.id);
    if (removed.ok()) removed = leftover.files.Remove(leftover.folder);
    tasks_.pop_back();
    return removed;
  }
  const Result<std::size_t> pipeline =
      RetiredPipeline(leftover.id, journal.plan_fingerprint(), options);
  if (!pipeline.ok()) {
    tasks_.pop_back();
    return pipeline.error();
  }
  leftover.pipeline = pipeline.value();
  leftover.last_stage = leftover.id.stage + 1 == pipelines_[leftover.pipeline].plan->stages();
  return {};
}

// The retired pipeline that a task belongs to, by the plan that its journal has.
Result<std::size_t> TaskSet::RetiredPipeline(const TaskId& id, std::uint64_t fingerprint,
                                             const TaskSetOptions& options) {
  for (std::size_t i = 0; i < pipelines_.size(); ++i) {
    const RunningPipeline& pipeline = pipelines_[i];
    if (pipeline.retired && pipeline.fingerprint == fingerprint &&
        pipeline.generation == id.generation && pipeline.plan->name() == id.pipeline) {
      return i;
    }
  }
  if (options.compile == nullptr) return Error{ErrorKind::kGiveUp, "nothing can be done with it"};
  Result<std::string> encoded = ReadStoredPlan(runtime_, id.pipeline, fingerprint);
  if (!encoded.ok()) return std::move(encoded.error()).In("its plan");
  Result<std::unique_ptr<const Plan>> plan = options.compile(id.pipeline, encoded.value());
  if (!plan.ok()) return plan.error();
  if (plan.value()->fingerprint() != fingerprint || id.stage >= plan.value()->stages()) {
    return Error{ErrorKind::kGiveUp, "the plan that is kept for it is not its own"};
  }
  if (Status may = options.may_end(*plan.value(), PlanNow(id.pipeline)); !may.ok()) {
    return may.error();
  }
  RunningPipeline retired;
  retired.plan = std::move(plan).value();
  retired.encoded = std::move(encoded).value();
  retired.fingerprint = fingerprint;
  retired.retired = true;
  retired.generation = id.generation;
  pipelines_.push_back(std::move(retired));
  return pipelines_.size() - 1;
}

const Plan* TaskSet::PlanNow(const std::string& pipeline) const {
  const auto found =
      std::find_if(pipelines_.begin(), pipelines_.end(), [&](const RunningPipeline& running) {
        return !running.retired && running.plan->name() == pipeline;
      });
  return found == pipelines_.end() ? nullptr : found->plan.get();
}

// Before any task is told its plan.
void TaskSet::NoteMoved() {
  for (std::size_t i = 0; i < first_.size(); ++i) {
    RunningPipeline& pipeline = pipelines_[i];
    pipeline.moved = std::any_of(tasks_.begin(), tasks_.end(), [&](const RunningTask& task) {
      const std::uint64_t plan = task.journal->plan_fingerprint();
      return task.id.pipeline == pipeline.plan->name() &&
             (task.pipeline != i || (plan != 0 && plan != pipeline.fingerprint));
    });
  }
}

bool TaskSet::IsKept(const std::string& pipeline) const {
  return std::any_of(kept_.begin(), kept_.end(),
                     [&pipeline](const TaskId& id) { return id.pipeline == pipeline; });
}

// Plans that no task runs or has still to go over to.
void TaskSet::ForgetUnusedPlans() const {
  ForgetPlans(runtime_, [this](const std::string& pipeline, std::uint64_t fingerprint) {
    const auto has = [&](const RunningTask& task) {
      return !task.gone && task.id.pipeline == pipeline &&
             (pipelines_[task.pipeline].fingerprint == fingerprint ||
              task.journal->plan_fingerprint() == fingerprint);
    };
    return IsKept(pipeline) || std::any_of(tasks_.begin(), tasks_.end(), has);
  });
}

RunningTask* TaskSet::Find(const RunningTask& task, std::size_t stage, std::uint32_t partition) {
  if (!pipelines_[task.pipeline].retired) return &at(task.pipeline, stage, partition);
  const std::vector<RunningTask*> of_stage = OfStage(task, stage);
  const auto found = std::find_if(of_stage.begin(), of_stage.end(), [&](const RunningTask* other) {
    return other->id.partition == partition;
  });
  return found == of_stage.end() ? nullptr : *found;
}

RunningTask* TaskSet::StandIn(const RunningTask& task, std::size_t stage, std::uint64_t hash) {
  const std::vector<RunningTask*> of_stage = OfStage(task, stage);
  if (of_stage.empty()) return nullptr;
  std::vector<RunningTask*> ending;
  std::copy_if(of_stage.begin(), of_stage.end(), std::back_inserter(ending),
               [this](const RunningTask* other) { return pipelines_[other->pipeline].retired; });
  const std::vector<RunningTask*>& all = ending.empty() ? of_stage : ending;
  return all[hash % all.size()];
}

// Those that are there of a stage, of the task's pipeline and generation, by partition.
std::vector<RunningTask*> TaskSet::OfStage(const RunningTask& task, std::size_t stage) {
  std::vector<RunningTask*> of_stage;
  for (RunningTask& other : tasks_) {
    if (other.id.stage == stage && !other.gone && other.id.pipeline == task.id.pipeline &&
        other.id.generation == task.id.generation) {
      of_stage.push_back(&other);
    }
  }
  return of_stage;
}

void TaskSet::CountAppends(std::span<std::atomic<std::uint32_t>> counts) {
  for (RunningTask& task : tasks_) {
    if (task.appends < counts.size()) task.journal->CountAppendsIn(counts[task.appends]);
  }
}

Status TaskSet::ChangePlan(std::size_t pipeline, std::string encoded, std::uint64_t fingerprint) {
  RunningPipeline& running = pipelines_[pipeline];
  if (Status stored = StorePlan(runtime_, running.plan->name(), fingerprint, encoded);
      !stored.ok()) {
    return stored;
  }
  running.encoded = std::move(encoded);
  running.fingerprint = fingerprint;
  ForgetUnusedPlans();
  return {};
}

Result<std::size_t> TaskSet::SaveRemoved() const {
  std::size_t saved = 0;
  Status all;
  for (const RunningTask& task : tasks_) {
    if (task.gone || !LacksFiles(task.folder)) continue;
    const RunningPipeline& pipeline = pipelines_[task.pipeline];
    const std::string path = SnapshotPath(state_, task.id);
    Status done = MakeFolders(path.substr(0, path.rfind('/')));
    if (done.ok()) done = SaveSnapshot(task.files, path);
    if (done.ok()) {
      done = StorePlan(state_, pipeline.plan->name(), pipeline.fingerprint, pipeline.encoded);
    }
    // What is left of it would be in the way of what is saved.
    std::error_code ignored;
    if (done.ok()) fs::remove(task.folder + "/in", ignored);
    if (all.ok()) all = done;
    saved += done.ok() ? 1 : 0;
  }
  if (!all.ok()) return all.error();
  return saved;
}

Status TaskSet::Remove(RunningTask& task) {
  const std::string folder = PipelineFolder(runtime_, task.id);
  const Result<TaskReport> report = ReadTaskReport(task.folder);
  if (!report.ok()) return report.error();
  Status removed = AddEndedTask(folder, task.id, report.value(), task.last_stage);
  if (removed.ok()) removed = task.files.Remove(task.folder);
  if (!removed.ok()) return removed;
  task.gone = true;
  RemoveFolderWithoutTasks(folder);
  ForgetUnusedPlans();
  return {};
}

}  // namespace runnel

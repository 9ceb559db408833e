#include "daemon/ingest/task_set.h"

#include <unistd.h>

#include <filesystem>
#include <set>
#include <utility>

#include "daemon/journal/snapshot.h"
#include "daemon/posix/files.h"

namespace runnel {
namespace {

namespace fs = std::filesystem;

std::string TasksFolder(const std::string& runtime) { return runtime + "/tasks/"; }

// Puts a snapshot back if there is one and the journals are gone. What only lacks room or
// a permission is not given up.
Status RestoreIfNeeded(const RunningTask& task, const TaskSetOptions& options) {
  const std::string snapshot = SnapshotPath(options.state, task.id);
  std::error_code ignored;
  if (!fs::exists(snapshot, ignored)) return {};
  if (!fs::exists(task.folder + "/in", ignored)) {
    if (Status restored = RestoreSnapshot(snapshot, task.folder); !restored.ok()) {
      if (restored.error().kind != ErrorKind::kGiveUp) return restored;
      fs::rename(snapshot, snapshot + ".damaged", ignored);
      options.warn(restored.error().message + "; it is kept as `" + snapshot + ".damaged`");
      return {};
    }
  }
  fs::remove(snapshot, ignored);
  return {};
}

// Journals of tasks that the configuration does not have any more.
void WarnOfLeftovers(const std::set<std::string>& wanted, const TaskSetOptions& options) {
  std::error_code error;
  for (const auto& pipeline : fs::directory_iterator(TasksFolder(options.runtime), error)) {
    for (const auto& task : fs::directory_iterator(pipeline.path(), error)) {
      if (wanted.contains(task.path().string())) continue;
      options.warn("`" + task.path().string() +
                   "` is the journal of a task that no pipeline has any more; it is kept as it is");
    }
  }
}

}  // namespace

std::string SnapshotPath(const std::string& state, const TaskId& id) {
  return state + "/tasks/" + id.Name() + ".snapshot";
}

Result<std::unique_ptr<TaskSet>> TaskSet::Open(std::vector<RunningPipeline> pipelines,
                                               const TaskSetOptions& options) {
  std::unique_ptr<TaskSet> set(new TaskSet());
  set->pipelines_ = std::move(pipelines);
  std::set<std::string> wanted;
  for (std::size_t pipeline = 0; pipeline < set->pipelines_.size(); ++pipeline) {
    const Plan& plan = *set->pipelines_[pipeline].plan;
    set->first_.emplace_back();
    for (std::size_t stage = 0; stage < plan.stages(); ++stage) {
      set->first_.back().push_back(set->tasks_.size());
      for (std::uint32_t partition = 0; partition < plan.partitions(stage); ++partition) {
        RunningTask task;
        task.id = {plan.name(), static_cast<std::uint32_t>(stage), partition};
        task.pipeline = pipeline;
        task.last_stage = stage + 1 == plan.stages();
        task.worker = set->tasks_.size() % options.workers;
        task.appends = set->tasks_.size();
        task.folder = TasksFolder(options.runtime) + task.id.Name();
        wanted.insert(task.folder);
        if (Status opened = set->OpenOne(std::move(task), options); !opened.ok()) {
          return opened.error();
        }
      }
    }
  }
  WarnOfLeftovers(wanted, options);
  return set;
}

Status TaskSet::OpenOne(RunningTask task, const TaskSetOptions& options) {
  if (Status restored = RestoreIfNeeded(task, options); !restored.ok()) return restored;
  Result<TaskFiles> files =
      TaskFiles::Prepare(task.folder, options.sizes, options.incarnation + tasks_.size());
  if (!files.ok()) return std::move(files.error()).In("preparing `" + task.id.Name() + "`");
  task.files = std::move(files).value();
  if (!task.files.why_made.empty()) {
    options.warn("the journals of `" + task.id.Name() +
                 "` were unusable and are made anew: " + task.files.why_made);
  }
  InJournal::Options journal_options;
  journal_options.record_max = options.record_max;
  Result<std::unique_ptr<InJournal>> journal = InJournal::Open(task.files, journal_options);
  if (!journal.ok()) return std::move(journal.error()).In("opening `" + task.id.Name() + "`");
  task.journal = std::move(journal).value();
  tasks_.push_back(std::move(task));
  return {};
}

void TaskSet::CountAppends(std::span<std::atomic<std::uint32_t>> counts) {
  for (RunningTask& task : tasks_) {
    if (task.appends < counts.size()) task.journal->CountAppendsIn(counts[task.appends]);
  }
}

void TaskSet::ChangePlan(std::size_t pipeline, std::string encoded, std::uint64_t fingerprint) {
  pipelines_[pipeline].encoded = std::move(encoded);
  pipelines_[pipeline].fingerprint = fingerprint;
}

Status TaskSet::SaveAll(const std::string& state) const {
  for (const RunningTask& task : tasks_) {
    const std::string path = SnapshotPath(state, task.id);
    if (Status made = MakeFolders(path.substr(0, path.rfind('/'))); !made.ok()) return made;
    if (Status saved = SaveSnapshot(task.folder, path); !saved.ok()) return saved;
  }
  return {};
}

}  // namespace runnel

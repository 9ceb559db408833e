#include "daemon/ingest/task_folders.h"

#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/ingest/stored_plans.h"
#include "daemon/journal/ended_tasks.h"
#include "daemon/journal/snapshot.h"
#include "daemon/posix/files.h"

namespace runnel {
namespace {

namespace fs = std::filesystem;

constexpr char kSnapshotSuffix[] = ".snapshot";

// The tasks that have a file or a folder of such a name below `base`.
void FindTasks(const std::string& base, std::string_view suffix,
               std::map<std::string, TaskId>& found) {
  std::error_code error;
  for (const auto& pipeline : fs::directory_iterator(base + "/tasks", error)) {
    for (const auto& entry : fs::directory_iterator(pipeline.path(), error)) {
      const std::string file = entry.path().filename();
      std::string_view name(file);
      if (!name.ends_with(suffix)) continue;
      name.remove_suffix(suffix.size());
      std::optional<TaskId> id = ParseTaskId(pipeline.path().filename(), name);
      if (id.has_value()) found.emplace(id->Name(), *id);
    }
  }
}

// What has ended of each pipeline, from one base to the other.
Status SaveEndedTasks(const std::string& from, const std::string& base) {
  Status all;
  std::error_code error;
  for (const auto& pipeline : fs::directory_iterator(from + "/tasks", error)) {
    Status saved =
        CopyEndedTasks(pipeline.path(), base + "/tasks/" + pipeline.path().filename().string());
    if (all.ok()) all = std::move(saved);
  }
  return all;
}

Status Save(const std::string& runtime, const std::string& state, bool all_of_them) {
  Status all = CopyStoredPlans(runtime, state);
  Status ended = SaveEndedTasks(runtime, state);
  if (all.ok()) all = std::move(ended);
  std::map<std::string, TaskId> found;
  FindTasks(runtime, "", found);
  for (const auto& [name, id] : found) {
    const std::string folder = TaskFolder(runtime, id);
    std::error_code ignored;
    if (!fs::exists(folder + "/in", ignored)) continue;  // on its way out
    const std::string path = SnapshotPath(state, id);
    if (!all_of_them && fs::exists(path, ignored)) continue;
    Status saved = MakeFolders(path.substr(0, path.rfind('/')));
    if (saved.ok()) saved = SaveSnapshot(folder, path);
    if (all.ok()) all = std::move(saved);
  }
  return all;
}

}  // namespace

std::string PipelineFolder(const std::string& base, const TaskId& id) {
  return base + "/tasks/" + id.PipelineFolder();
}

std::string TaskFolder(const std::string& base, const TaskId& id) {
  return base + "/tasks/" + id.Name();
}

std::string SnapshotPath(const std::string& state, const TaskId& id) {
  return TaskFolder(state, id) + kSnapshotSuffix;
}

std::map<std::string, TaskId> TasksThatAreThere(const std::string& runtime,
                                                const std::string& state) {
  std::map<std::string, TaskId> found;
  FindTasks(runtime, "", found);
  FindTasks(state, kSnapshotSuffix, found);
  return found;
}

Status SaveTasks(const std::string& runtime, const std::string& state) {
  return Save(runtime, state, true);
}

Status SaveRestOfTasks(const std::string& runtime, const std::string& state) {
  return Save(runtime, state, false);
}

Status RestoreTask(const std::string& runtime, const std::string& state, const TaskId& id,
                   const std::function<void(const std::string&)>& warn) {
  const std::string snapshot = SnapshotPath(state, id);
  const std::string folder = TaskFolder(runtime, id);
  std::error_code ignored;
  if (!fs::exists(snapshot, ignored) || fs::exists(folder + "/in", ignored)) return {};
  // Before the first task of the pipeline is back: later there may be more that have ended.
  const std::string pipeline = PipelineFolder(runtime, id);
  if (!fs::exists(EndedTasksPath(pipeline), ignored)) {
    if (Status copied = CopyEndedTasks(PipelineFolder(state, id), pipeline); !copied.ok()) {
      return copied;
    }
  }
  Status restored = RestoreSnapshot(snapshot, folder);
  if (restored.ok() || restored.error().kind != ErrorKind::kGiveUp) return restored;
  fs::rename(snapshot, snapshot + ".damaged", ignored);
  warn(restored.error().message + "; it is kept as `" + snapshot + ".damaged`");
  return {};
}

Status ForgetSnapshot(const std::string& state, const TaskId& id) {
  std::error_code error;
  fs::remove(SnapshotPath(state, id), error);
  if (!error) return {};
  return Error{ErrorKind::kRetry, "the snapshot of `" + id.Name() + "` cannot be removed from `" +
                                      state + "`, and would come back: " + error.message()};
}

void RemoveFolderWithoutTasks(const std::string& folder) {
  std::error_code error;
  const std::string ended = EndedTasksPath(folder);
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path() != ended) return;
  }
  fs::remove(ended, error);
  fs::remove(folder, error);
}

void RemoveFoldersWithoutTasks(const std::string& base) {
  std::vector<std::string> folders;
  std::error_code error;
  for (const auto& pipeline : fs::directory_iterator(base + "/tasks", error)) {
    folders.push_back(pipeline.path());
  }
  for (const std::string& folder : folders) RemoveFolderWithoutTasks(folder);
}

}  // namespace runnel

// Task folders: where the files of tasks and their snapshots lie, and which there are.
//
// `tasks/PIPELINE[@GENERATION]/STAGE.PARTITION` below `runtime:` is a folder with the files, below
// `state:` with `.snapshot` a snapshot of them. For the start of the daemon.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "daemon/journal/task_files.h"
#include "pipelines/base/result.h"

namespace runnel {

// Below `runtime:` or `state:`: of all tasks of a pipeline's generation, and of one.
std::string PipelineFolder(const std::string& base, const TaskId& id);
std::string TaskFolder(const std::string& base, const TaskId& id);
std::string SnapshotPath(const std::string& state, const TaskId& id);

// The tasks with files or a snapshot, by name.
std::map<std::string, TaskId> TasksThatAreThere(const std::string& runtime,
                                                const std::string& state);

// Puts what the tasks hold that have files below `runtime`, their plans and the counts of those
// that have ended below `state`, for a start without `runtime`; what can be put there, whatever is
// wrong with the rest. REQUIRES: no worker and no uplink runs.
Status SaveTasks(const std::string& runtime, const std::string& state);
// The same of those that have no snapshot there, behind a start that failed: it may be tried again
// and again, and flash wears out.
Status SaveRestOfTasks(const std::string& runtime, const std::string& state);

// Puts a snapshot back if there is one and the journals are gone. One that is damaged is renamed,
// and `warn` told; what only lacks room or a permission is not given up, and an error.
Status RestoreTask(const std::string& runtime, const std::string& state, const TaskId& id,
                   const std::function<void(const std::string&)>& warn);
// Removes the snapshot of a task, if there is one. An error: it is still there, and would come
// back.
Status ForgetSnapshot(const std::string& state, const TaskId& id);

// Of a pipeline, where none of its tasks is left, and of all such pipelines below `base`.
void RemoveFolderWithoutTasks(const std::string& folder);
void RemoveFoldersWithoutTasks(const std::string& base);

}  // namespace runnel

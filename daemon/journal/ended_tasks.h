// EndedTasks: what tasks have counted that a pipeline does not have any more.
//
// The file `ended` beside the folders of the pipeline's tasks. A task's counts are added before its
// files are removed: where both are there, its files count. So no count is ever missing, or there
// twice, wherever the removal is killed.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/journal/pipeline_report.h"
#include "daemon/journal/task_files.h"
#include "pipelines/base/result.h"

namespace runnel {

struct EndedTasks {
  PipelineCounts all;
  PipelineCounts before_last;
  // The one that was added last; all zeros: none.
  std::uint32_t stage = 0;
  std::uint32_t partition = 0;
  std::uint64_t incarnation = 0;  // of its files

  bool IsLast(const TaskId& id, std::uint64_t of_files) const {
    return incarnation == of_files && stage == id.stage && partition == id.partition;
  }
};

// `folder` has the tasks of a pipeline. Empty where there is no such file; kGiveUp: it is damaged.
Result<EndedTasks> ReadEndedTasks(const std::string& folder);
// Adds a task, whose files are still there. Once, however often it is called for the same files.
Status AddEndedTask(const std::string& folder, const TaskId& id, const TaskReport& report,
                    bool last_stage);
// Copies the file, right or damaged, to another folder; nothing where there is none.
Status CopyEndedTasks(const std::string& from, const std::string& to);
std::string EndedTasksPath(const std::string& folder);

}  // namespace runnel

// Setting tasks aside, where a pipeline is changed so that its stages exchange other records.
//
// Those that are on their way, results that wait in a stage that was the last one, and what open
// windows before the last stage become are nothing to the new plan. Then the tasks that there are
// get a folder of their own in one step, as the next generation; they are no tasks of the
// configuration any more, and end by their own plan. For the start of the daemon.
#pragma once

#include "daemon/ingest/task_set.h"

namespace runnel {

// Looks at the tasks that there are of a pipeline of the configuration, before they are opened, and
// puts back those that have a snapshot. An error: the start cannot go on.
Status SetAsideIfChanged(const RunningPipeline& pipeline, const TaskSetOptions& options);

}  // namespace runnel

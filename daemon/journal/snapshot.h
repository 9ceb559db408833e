// Snapshot: the files of a stopped task in one file, for a planned reboot.
//
// `runtime:` is memory and does not outlive the machine's power. At a clean stop
// each task's files go to `state:`, checked by CRC32C; a start that finds no journals
// puts them back and removes the snapshot, so that it is never used twice.
#pragma once

#include <string>

#include "daemon/journal/task_files.h"
#include "pipelines/base/result.h"

namespace runnel {

// Writes the three files of `folder` to `path`, in one step, synced.
Status SaveSnapshot(const std::string& folder, const std::string& path);
// The same of open files, whether they have names any more or not.
Status SaveSnapshot(const TaskFiles& files, const std::string& path);
// Makes the three files in `folder` from `path`, `in` last: where it is, all are. A damaged
// snapshot is kGiveUp; it and every other failure change nothing.
Status RestoreSnapshot(const std::string& path, const std::string& folder);

}  // namespace runnel

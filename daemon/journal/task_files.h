// TaskFiles: makes, opens and checks the files of a task.
//
// A task is one stage of a pipeline on one partition. Its three files (layout.h)
// live in a folder of their own below `runtime:`; they outlive every process. When
// one of them is missing or not of the same incarnation, all are made anew: a
// sequence number means nothing without the others. What is removed stays away.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/journal/layout.h"
#include "daemon/posix/fd.h"
#include "daemon/posix/mapping.h"
#include "pipelines/base/result.h"

namespace runnel {

struct TaskId {
  std::string pipeline;
  std::uint32_t stage = 0;
  std::uint32_t partition = 0;
  // Not 0: set aside when the pipeline was changed, to work off what it has and end.
  std::uint32_t generation = 0;

  // `room-climate/0.3`, or `room-climate@1/0.3` of a generation: the folder, and the name in
  // messages.
  std::string Name() const;
  std::string PipelineFolder() const;
  std::string FolderInPipeline() const;  // `0.3`
};
// The opposite: a task from those two. Nothing where they are not of a task.
std::optional<TaskId> ParseTaskId(const std::string& pipeline_folder, std::string_view folder);

// `room-climate`, or `room-climate@1`.
std::string PipelineFolderName(const std::string& pipeline, std::uint32_t generation);

struct TaskSizes {
  std::uint64_t in_ring = 256 * 1024;   // bytes, a power of two, at least four records
  std::uint64_t out_ring = 256 * 1024;  // the same
  // Entries. Brokers send further ahead than the Receive Maximum: mosquitto 2.0.11 sends
  // a whole backlog at once (mosquitto#2301); kills brought back up to some 600.
  std::uint64_t redelivery = 4096;
  std::uint64_t state = 64 * 1024 * 1024;  // bytes reserved as addresses; used as needed
};

// Lines that one checkpoint interval may change; a worker checkpoints at half.
inline constexpr std::uint64_t kUndoLines = 1024;

// Where the parts of a file begin; computed from its header.
struct InLayout {
  std::uint64_t redelivery = 0;
  std::uint64_t ring = 0;
  std::uint64_t size = 0;
};
struct WorkLayout {
  std::uint64_t ring = 0;
  std::uint64_t undo = 0;
  std::uint64_t state = 0;
  std::uint64_t size = 0;
};
InLayout LayoutOfIn(const FileHeader& header);
WorkLayout LayoutOfWork(const FileHeader& header);

enum class TaskOrigin { kKept, kMade };

struct TaskFiles {
  Fd in;  // each open for reading and writing
  Fd work;
  Fd settle;
  FileHeader in_header{};
  FileHeader work_header{};
  TaskOrigin origin = TaskOrigin::kMade;
  std::string why_made;  // empty, or what was wrong with the files that were there

  // Opens `folder`, or makes the files. Files that are kept keep their sizes.
  // `incarnation` is used when they are made.
  static Result<TaskFiles> Prepare(const std::string& folder, const TaskSizes& sizes,
                                   std::uint64_t incarnation);
  // The same of files that are there; kGiveUp: they are not right.
  static Result<TaskFiles> Open(const std::string& folder);
  // Bytes that Prepare takes from the file system for new files.
  static std::uint64_t BytesFor(const TaskSizes& sizes);
  // Removes them: `in` first, so that without it nothing is there. An error: nothing is removed.
  // The rings give their memory back at once, even where a process has mapped them, so none may
  // use them any more; the rest gives it back when the last process unmaps it.
  Status Remove(const std::string& folder) const;
};

// The header of an open file of a task, checked: kind, version, checksum, and that
// the file is as long as it says.
Result<FileHeader> ReadFileHeader(int fd, FileKind kind);

// The current checkpoint in a work page that somebody else writes: copied, then
// checked. Number 0 is the empty beginning.
CheckpointSlot CurrentCheckpoint(const WorkPage& page);
std::uint32_t CheckOf(const CheckpointSlot& slot);

}  // namespace runnel

// DeadLetterFile: records that could not be handled, kept for a human.
//
// One line of JSON each, in `state:`/dead-letters/NAME.ndjson: id, time, pipeline,
// reason, stage, signal, topic, payload (text, or base64 as payload_base64). Bounded:
// at half of the limit the file becomes NAME.ndjson.1 and a new one begins, so the
// newest letters are always there. One writer per file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/journal/ring.h"
#include "daemon/journal/task_files.h"
#include "daemon/posix/fd.h"
#include "pipelines/base/result.h"

namespace runnel {

class DeadLetterFile final {
 public:
  // Nothing is made before the first letter. `bytes_max`: of both files together.
  DeadLetterFile(std::string state, std::string name, std::uint64_t bytes_max);

  // Adds the dead letter in `record`. An error: it is damaged, or cannot be written.
  Status Append(const TaskId& task, std::uint64_t incarnation, const RecordView& record);
  // Adds a result that the broker has refused, with the broker's reason.
  Status AppendRejected(const TaskId& task, std::uint64_t incarnation, const RecordView& record,
                        std::string_view reason);

 private:
  struct Letter;
  Status Write(const Letter& letter);
  Status WriteLine(std::string_view line);
  bool IsStillThere() const;
  Status Rotate();

  std::string folder_;
  std::string path_;
  std::uint64_t bytes_max_;
  std::uint64_t size_ = 0;
  Fd file_;
};

// `PIPELINE/STAGE.PARTITION/INCARNATION/SEQUENCE`: the part of a runnel-id that
// does not depend on the client.
std::string OutputId(const TaskId& task, std::uint64_t incarnation, std::uint64_t sequence);

}  // namespace runnel

#include "daemon/uplink/dead_letter_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "daemon/journal/dead_letter.h"
#include "daemon/posix/files.h"
#include "pipelines/base/utf8.h"
#include "pipelines/codecs/json.h"

namespace runnel {
namespace {

// Whether JSON can hold these bytes as text.
bool IsText(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t size = Utf8CharacterSize(bytes);
    if (size == 0) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

void AppendMember(std::string& line, std::string_view name, std::string_view text) {
  if (line.size() > 1) line += ',';
  line += '"';
  line += name;
  line += "\":";
  AppendJsonString(text, line);
}

}  // namespace

struct DeadLetterFile::Letter {
  std::string id;
  Time time{};
  std::string_view pipeline;
  std::string_view reason;
  std::string_view stage;
  int signal = 0;
  std::string_view topic;
  std::string_view payload;
};

std::string OutputId(const TaskId& task, std::uint64_t incarnation, std::uint64_t sequence) {
  // Not of its generation: the id is the same when it is set aside.
  char tail[72];
  std::snprintf(tail, sizeof tail, "/%u.%u/%016llx/%llu", task.stage, task.partition,
                static_cast<unsigned long long>(incarnation),
                static_cast<unsigned long long>(sequence));
  return task.pipeline + tail;
}

DeadLetterFile::DeadLetterFile(std::string state, std::string name, std::uint64_t bytes_max)
    : folder_(std::move(state) + "/dead-letters"),
      path_(folder_ + "/" + name + ".ndjson"),
      bytes_max_(bytes_max) {}

Status DeadLetterFile::Append(const TaskId& task, std::uint64_t incarnation,
                              const RecordView& record) {
  const Result<DeadLetter> parsed = ParseDeadLetter(record.payload);
  if (!parsed.ok()) return parsed.error();
  Letter letter;
  letter.id = OutputId(task, incarnation, record.header.sequence);
  letter.time = TimeFromMicroseconds(record.header.time);
  letter.pipeline = task.pipeline;
  letter.reason = parsed.value().reason;
  letter.stage = parsed.value().stage;
  letter.signal = parsed.value().signal;
  letter.topic = record.topic;
  letter.payload = parsed.value().payload;
  return Write(letter);
}

Status DeadLetterFile::AppendRejected(const TaskId& task, std::uint64_t incarnation,
                                      const RecordView& record, std::string_view reason) {
  Letter letter;
  letter.id = OutputId(task, incarnation, record.header.sequence);
  letter.time = TimeFromMicroseconds(record.header.time);
  letter.pipeline = task.pipeline;
  letter.reason = reason;
  letter.stage = "sink";
  letter.topic = record.topic;
  letter.payload = record.payload;
  return Write(letter);
}

Status DeadLetterFile::Write(const Letter& letter) {
  std::string line = "{";
  AppendMember(line, "id", letter.id);
  AppendMember(line, "time", FormatTimestamp(letter.time));
  AppendMember(line, "pipeline", letter.pipeline);
  AppendMember(line, "reason", letter.reason);
  AppendMember(line, "stage", letter.stage);
  if (letter.signal != 0) line += ",\"signal\":" + std::to_string(letter.signal);
  AppendMember(line, "topic", letter.topic);
  if (IsText(letter.payload)) {
    AppendMember(line, "payload", letter.payload);
  } else {
    line += ",\"payload_base64\":";
    AppendJson(Value::Bytes(letter.payload), line);
  }
  line += "}\n";
  if (!IsStillThere()) file_.Close();
  if (size_ + line.size() > bytes_max_ / 2 || !file_.valid()) {
    if (Status rotated = Rotate(); !rotated.ok()) return rotated;
  }
  return WriteLine(line);
}

Status DeadLetterFile::WriteLine(std::string_view line) {
  const ssize_t written = ::write(file_.get(), line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size())) {
    size_ += line.size();
    return {};
  }
  if (written >= 0) errno = ENOSPC;
  Error error = Errno("writing `" + path_ + "`");
  // Half a letter would make the next one unreadable.
  if (written > 0 && ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) file_.Close();
  return error;
}

// Somebody may have moved or deleted it: what is written from then on belongs into a new one.
bool DeadLetterFile::IsStillThere() const {
  struct stat named;
  struct stat ours;
  return file_.valid() && stat(path_.c_str(), &named) == 0 && fstat(file_.get(), &ours) == 0 &&
         named.st_ino == ours.st_ino && named.st_dev == ours.st_dev;
}

// Opens the file, or begins a new one where it is full.
Status DeadLetterFile::Rotate() {
  if (Status made = MakeFolders(folder_); !made.ok()) return made;
  if (file_.valid() && rename(path_.c_str(), (path_ + ".1").c_str()) != 0) {
    return Errno("renaming `" + path_ + "`");
  }
  file_ = Fd(open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
  if (!file_.valid()) return Errno("opening `" + path_ + "`");
  struct stat status;
  if (fstat(file_.get(), &status) != 0) return Errno("looking at `" + path_ + "`");
  size_ = static_cast<std::uint64_t>(status.st_size);
  if (size_ > bytes_max_ / 2) return Rotate();
  // A writer that was killed in the middle of a line: what follows begins a line of its own.
  char last = '\n';
  if (size_ > 0 && pread(file_.get(), &last, 1, status.st_size - 1) == 1 && last != '\n') {
    return WriteLine("\n");
  }
  return {};
}

}  // namespace runnel

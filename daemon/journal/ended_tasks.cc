#include "daemon/journal/ended_tasks.h"

#include <cstring>
#include <filesystem>
#include <span>
#include <string_view>
#include <system_error>
#include <type_traits>

#include "daemon/posix/files.h"
#include "pipelines/base/crc32c.h"

namespace runnel {
namespace {

namespace fs = std::filesystem;

constexpr char kName[] = "ended";
constexpr std::size_t kBytesMax = 4096;                // of a file of another version
constexpr std::uint64_t kMagic = 0x3164656e'65726e72;  // "rnrened1"

struct File {
  std::uint64_t magic;
  EndedTasks tasks;
  std::uint64_t check;  // CRC32C of the bytes before
};
static_assert(std::is_trivially_copyable_v<File>);

std::uint64_t CheckOf(const File& file) {
  const auto* const bytes = reinterpret_cast<const std::byte*>(&file);
  return Crc32c({bytes, offsetof(File, check)});
}

}  // namespace

std::string EndedTasksPath(const std::string& folder) { return folder + "/" + kName; }

Status CopyEndedTasks(const std::string& from, const std::string& to) {
  const std::string path = EndedTasksPath(from);
  std::error_code error;
  if (!fs::exists(path, error)) return {};
  Result<std::string> bytes = ReadFile(path, kBytesMax);
  return bytes.ok() ? WriteFileIfOther(to, kName, bytes.value()) : std::move(bytes.error());
}

Result<EndedTasks> ReadEndedTasks(const std::string& folder) {
  const std::string path = EndedTasksPath(folder);
  std::error_code error;
  if (!fs::exists(path, error)) return EndedTasks{};
  const Result<std::string> bytes = ReadFile(path, kBytesMax);
  if (!bytes.ok()) return bytes.error();
  File file;
  if (bytes.value().size() == sizeof file) {
    std::memcpy(&file, bytes.value().data(), sizeof file);
    if (file.magic == kMagic && file.check == CheckOf(file)) return file.tasks;
  }
  return Error{ErrorKind::kGiveUp, "`" + path +
                                       "` is damaged: the counts of tasks that have ended "
                                       "are lost"};
}

Status AddEndedTask(const std::string& folder, const TaskId& id, const TaskReport& report,
                    bool last_stage) {
  const Result<EndedTasks> read = ReadEndedTasks(folder);
  if (!read.ok() && read.error().kind != ErrorKind::kGiveUp) return read.error();
  File file{};
  if (read.ok()) file.tasks = read.value();
  EndedTasks& tasks = file.tasks;
  if (!tasks.IsLast(id, report.incarnation)) tasks.before_last = tasks.all;
  tasks.all = tasks.before_last;
  tasks.all.Add(report, id.stage == 0, last_stage);
  tasks.stage = id.stage;
  tasks.partition = id.partition;
  tasks.incarnation = report.incarnation;
  file.magic = kMagic;
  file.check = CheckOf(file);
  return WriteFileAtomically(EndedTasksPath(folder),
                             {reinterpret_cast<const char*>(&file), sizeof file});
}

}  // namespace runnel

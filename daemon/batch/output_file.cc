#include "daemon/batch/output_file.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "daemon/batch/stop_signals.h"
#include "daemon/posix/files.h"

namespace runnel {
namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;

}  // namespace

Status OutputFile::Open() {
  fd_ = Fd(IsStdout() ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
                      : open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  size_ = 0;
  if (!fd_.valid()) return Errno("making " + (IsStdout() ? "standard output" : "`" + part_ + "`"));
  // What a pipe that can be written to takes for sure.
  struct stat about {};
  if (fstat(fd_.get(), &about) != 0 || S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode) ||
      isatty(fd_.get()) != 0) {
    piece_ = PIPE_BUF;
  }
  return {};
}

Status OutputFile::Resume(std::uint64_t size) {
  Result<Fd> cut = OpenCut(part_, size);
  if (!cut.ok()) return cut.error();
  fd_ = std::move(cut).value();
  if (lseek(fd_.get(), 0, SEEK_END) < 0) return Errno("looking at `" + part_ + "`");
  size_ = size;
  return {};
}

Status OutputFile::Write(std::string_view bytes) {
  buffer_.append(bytes);
  size_ += bytes.size();
  return buffer_.size() >= kBufferBytes ? Flush() : Status();
}

Status OutputFile::Flush() {
  std::string_view rest(buffer_);
  while (!rest.empty()) {
    if (Status ready = IsStdout() ? WaitFor(fd_.get(), POLLOUT, stop_fd_) : Status(); !ready.ok()) {
      return ready;
    }
    const ssize_t put = write(fd_.get(), rest.data(), std::min(rest.size(), piece_));
    if (put < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (put < 0) return Errno("writing " + (IsStdout() ? "standard output" : "`" + part_ + "`"));
    rest.remove_prefix(static_cast<std::size_t>(put));
  }
  buffer_.clear();
  return {};
}

Status OutputFile::Sync() {
  if (Status flushed = Flush(); !flushed.ok()) return flushed;
  return IsStdout() || fsync(fd_.get()) == 0 ? Status() : Errno("syncing `" + part_ + "`");
}

Status OutputFile::Commit() {
  if (IsStdout()) return {};
  if (rename(part_.c_str(), path_.c_str()) != 0) return Errno("renaming `" + part_ + "`");
  fd_.Close();
  return {};
}

void OutputFile::RemovePart() const {
  if (!IsStdout()) unlink(part_.c_str());
}

void OutputFile::Discard() {
  if (fd_.valid() && !IsStdout()) unlink(part_.c_str());
  fd_.Close();
}

}  // namespace runnel

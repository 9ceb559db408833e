#include "daemon/batch/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "daemon/posix/files.h"

namespace runnel {
namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;

}  // namespace

Status OutputFile::Open() {
  fd_ = Fd(IsStdout() ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
                      : open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  size_ = 0;
  return fd_.valid() ? Status() : Errno("making `" + part_ + "`");
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
    const ssize_t put = write(fd_.get(), rest.data(), rest.size());
    if (put < 0 && errno == EINTR) continue;
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

#include "daemon/batch/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "daemon/posix/files.h"

namespace runnel {
namespace {

constexpr std::size_t kPiece = 1 << 20;
constexpr const char* kUnnamedFolder = "/var/tmp";

}  // namespace

std::string Spool::Name() const {
  return path_.empty() ? "a file in `" + std::string(kUnnamedFolder) + "`" : "`" + path_ + "`";
}

Status Spool::OpenFile() {
  if (file_.valid()) return {};
  if (path_.empty()) {
    file_ = Fd(open(kUnnamedFolder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
  } else {
    file_ = Fd(open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  }
  return file_.valid() ? Status() : Errno("making " + Name());
}

Status Spool::WriteAt(std::uint64_t offset, std::string_view bytes) {
  if (Status opened = OpenFile(); !opened.ok()) return opened;
  while (!bytes.empty()) {
    const ssize_t put = pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return Errno("writing " + Name());
    bytes.remove_prefix(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return {};
}

Result<Extent> Spool::Append(std::string_view bytes) {
  const Extent extent{size_, bytes.size()};
  // Memory first, and never again once the file has been begun behind it.
  const bool fits = size_ == from_ + in_memory_ && in_memory_ + bytes.size() <= memory_max_;
  if (!fits) {
    if (Status written = WriteAt(size_, bytes); !written.ok()) return written.error();
    if (filed_ == size_) filed_ += bytes.size();
    size_ += bytes.size();
    return extent;
  }
  while (!bytes.empty()) {
    if (in_memory_ % kPiece == 0) memory_.emplace_back().reserve(kPiece);
    const std::size_t part = std::min(bytes.size(), kPiece - in_memory_ % kPiece);
    memory_.back().append(bytes.substr(0, part));
    bytes.remove_prefix(part);
    in_memory_ += part;
  }
  size_ += extent.size;
  return extent;
}

Status Spool::Read(const Extent& extent, char* to) const {
  std::uint64_t at = extent.offset;
  std::uint64_t left = extent.size;
  while (left > 0) {
    const std::uint64_t into = at - from_;
    if (at >= from_ && into < in_memory_) {
      const std::string& piece = memory_[into / kPiece];
      const std::size_t part = std::min<std::uint64_t>(left, piece.size() - into % kPiece);
      std::memcpy(to, piece.data() + into % kPiece, part);
      to += part;
      at += part;
      left -= part;
      continue;
    }
    const std::uint64_t part = at < from_ ? std::min(left, from_ - at) : left;
    const ssize_t got = pread(file_.get(), to, part, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Errno("reading " + Name());
    if (got == 0) return Error{ErrorKind::kGiveUp, Name() + " is shorter than it was"};
    to += got;
    at += static_cast<std::uint64_t>(got);
    left -= static_cast<std::uint64_t>(got);
  }
  return {};
}

Status Spool::Flush() {
  while (filed_ < from_ + in_memory_) {
    const std::uint64_t into = filed_ - from_;
    const std::string_view piece = std::string_view(memory_[into / kPiece]).substr(into % kPiece);
    if (Status written = WriteAt(filed_, piece); !written.ok()) return written;
    filed_ += piece.size();
  }
  filed_ = std::max(filed_, size_);
  return {};
}

Status Spool::Resume(std::uint64_t size) {
  if (size == 0) return {};
  Result<Fd> cut = OpenCut(path_, size);
  if (!cut.ok()) return cut.error();
  file_ = std::move(cut).value();
  from_ = size_ = filed_ = size;
  return {};
}

}  // namespace runnel

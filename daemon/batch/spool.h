// Spool: what chunks and partitions leave until it is merged: bytes at growing offsets.
//
// The first ones are kept in memory, all others in a file beside the output. Flush() puts
// all of them into the file, for a later run that resumes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/posix/fd.h"
#include "pipelines/base/result.h"

namespace runnel {

struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

class Spool final {
 public:
  // `path` is made when it is needed first; empty: an unnamed file in the system's folder.
  Spool(std::string path, std::uint64_t memory_max)
      : path_(std::move(path)), memory_max_(memory_max) {}

  Result<Extent> Append(std::string_view bytes);
  Status Read(const Extent& extent, char* to) const;
  Status Flush();
  // Takes up the first `size` bytes of the file of an earlier run.
  Status Resume(std::uint64_t size);

  std::uint64_t size() const { return size_; }
  std::uint64_t file_bytes() const { return filed_; }

 private:
  std::string Name() const;
  Status OpenFile();
  Status WriteAt(std::uint64_t offset, std::string_view bytes);

  std::string path_;
  std::uint64_t memory_max_;
  Fd file_;
  std::uint64_t from_ = 0;           // where memory_ begins
  std::vector<std::string> memory_;  // pieces of kPiece bytes
  std::uint64_t in_memory_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t filed_ = 0;  // bytes that the file has, from the front
};

}  // namespace runnel

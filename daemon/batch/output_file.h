// OutputFile: an output that is there whole or not at all.
//
// Written to a file beside it, synced and renamed at the end. Standard output gets the
// bytes as they come.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/posix/fd.h"
#include "pipelines/base/result.h"

namespace runnel {

class OutputFile final {
 public:
  // `part`: where it is written until it is whole. `path` is `-`: standard output; waiting until
  // somebody reads it ends with an error once `stop_fd` (-1: none) is readable.
  OutputFile(std::string path, std::string part, int stop_fd)
      : path_(std::move(path)), part_(std::move(part)), stop_fd_(stop_fd) {}

  bool IsStdout() const { return path_ == "-"; }
  // Begins anew, or goes on behind the first `size` bytes that an earlier run has left;
  // fails where it has not left as many.
  Status Open();
  Status Resume(std::uint64_t size);
  Status Write(std::string_view bytes);
  Status Flush();
  // The bytes so far; all of them are in the file after Flush().
  std::uint64_t size() const { return size_; }
  bool is_open() const { return fd_.valid(); }
  // All of it is on the medium.
  Status Sync();
  // Makes it what `path` is. REQUIRES: Sync().
  Status Commit();
  // Of a run before, where this one has not opened it.
  void RemovePart() const;
  // As if there had been nothing.
  void Discard();

 private:
  std::string path_;
  std::string part_;
  int stop_fd_;
  std::size_t piece_ = SIZE_MAX;  // bytes that are written at once without waiting
  Fd fd_;
  std::string buffer_;
  std::uint64_t size_ = 0;
};

}  // namespace runnel

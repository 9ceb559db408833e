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
  // `part`: where it is written until it is whole; both empty or `-`: standard output.
  OutputFile(std::string path, std::string part) : path_(std::move(path)), part_(std::move(part)) {}

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
  Fd fd_;
  std::string buffer_;
  std::uint64_t size_ = 0;
};

}  // namespace runnel

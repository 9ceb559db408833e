// Rejects: rows that could not be used, in a CSV file: input, line, step, reason, row.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/batch/output_file.h"

namespace runnel {

class Rejects final {
 public:
  // Without a path they are counted alone.
  Rejects(std::string path, std::string part, int stop_fd)
      : path_(std::move(path)), file_(path_, std::move(part), stop_fd) {}

  // No `input`: a result. `line` 0: nobody knows. Without the end of the line, if `row` has one.
  Status Add(std::string_view input, std::uint64_t line, std::string_view step,
             std::string_view reason, std::string_view row);
  Status Resume(std::uint64_t size);
  Status Flush() { return file_.is_open() ? file_.Flush() : Status(); }
  Status Sync() { return file_.is_open() ? file_.Sync() : Status(); }
  // Makes the file what `path` is; without rejects there is none, not even one of before.
  Status Commit();
  void Discard();

  std::uint64_t size() const { return file_.is_open() ? file_.size() : 0; }
  const std::string& path() const { return path_; }
  // The first one in words; empty: there is none.
  const std::string& first() const { return first_; }

 private:
  std::string path_;
  OutputFile file_;
  std::string first_;
};

}  // namespace runnel

// Fd: owns a file descriptor. Errno: the last system error as a Result's error.
#pragma once

#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>

#include "pipelines/base/result.h"

namespace runnel {

class Fd final {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      Close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { Close(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  void Close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

// `what: text of errno`. The kind follows from errno: no room or no memory is
// kRetry, all else is for a human to fix.
Error Errno(std::string_view what);

}  // namespace runnel

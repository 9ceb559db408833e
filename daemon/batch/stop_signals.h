// StopSignals: SIGINT and SIGTERM as a descriptor, for a run that ends in order.
#pragma once

#include "daemon/posix/fd.h"
#include "pipelines/base/result.h"

namespace runnel {

// Blocks both signals for the process, and ignores SIGPIPE. One of a process.
class StopSignals final {
 public:
  StopSignals();
  // Readable when one has come.
  int fd() const { return fd_.get(); }
  bool HasCome() const;
  // Which one. REQUIRES: HasCome().
  int Number() const;

 private:
  Fd fd_;
};

// Waits until `fd` can be read or written (POLLIN, POLLOUT) without waiting; always so for a file.
// An error once `stop_fd` (-1: there is none) is readable.
Status WaitFor(int fd, short events, int stop_fd);

}  // namespace runnel

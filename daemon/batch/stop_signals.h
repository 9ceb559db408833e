// StopSignals: SIGINT and SIGTERM as a descriptor, for a run that ends in order.
#pragma once

#include "daemon/posix/fd.h"

namespace runnel {

// Blocks both signals for the process, and ignores SIGPIPE. One of a process.
class StopSignals final {
 public:
  StopSignals();
  // Readable when one has come.
  int fd() const { return fd_.get(); }
  // Which one. REQUIRES: fd() is readable.
  int Number() const;

 private:
  Fd fd_;
};

}  // namespace runnel

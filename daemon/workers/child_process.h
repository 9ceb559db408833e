// ChildProcess: one process that the daemon has started, and the channel to it.
//
// The child gets its end of the channel as descriptor 3 and nothing else but the
// standard streams. Its death is seen through a pidfd, which never means another
// process. Destroying this kills the child and waits for it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "daemon/posix/channel.h"
#include "daemon/posix/fd.h"

namespace runnel {

// How a child ended.
struct ChildEnd {
  bool by_signal = false;
  int code = 0;  // exit code, or signal number

  // `exit code 3`, `signal 11 (Segmentation fault)`.
  std::string Describe() const;
  // Whether the signal is one that a record can cause: SEGV, BUS, ABRT, FPE, ILL, SYS.
  bool BlamesRecord() const;
};

class ChildProcess final {
 public:
  // Starts `executable` with `arguments` (without argv[0]).
  static Result<ChildProcess> Start(const std::string& executable,
                                    const std::vector<std::string>& arguments);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }
  Channel& channel() { return *channel_; }
  // Tells the child to finish.
  void CloseChannel() { channel_.reset(); }
  void Kill(int signal) const;
  // How it ended, once it has; reaps it. None while it runs.
  std::optional<ChildEnd> TryReap();

 private:
  ChildProcess(pid_t pid, Fd pidfd, Channel channel);

  pid_t pid_ = -1;  // -1: reaped or moved from
  Fd pidfd_;
  std::optional<Channel> channel_;
};

}  // namespace runnel

#include "daemon/batch/stop_signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

namespace runnel {

StopSignals::StopSignals() {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  fd_ = Fd(signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK));
  signal(SIGPIPE, SIG_IGN);
}

bool StopSignals::HasCome() const {
  pollfd polled{fd_.get(), POLLIN, 0};
  return poll(&polled, 1, 0) > 0;
}

int StopSignals::Number() const {
  signalfd_siginfo info;
  return read(fd_.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo)
                                                            : SIGINT;
}

Status WaitFor(int fd, short events, int stop_fd) {
  pollfd polled[] = {{stop_fd, POLLIN, 0}, {fd, events, 0}};
  while (poll(polled, 2, -1) < 0) {
    if (errno != EINTR) return Errno("waiting for input or output");
  }
  return polled[0].revents == 0 ? Status() : Error{ErrorKind::kRetry, "stopped"};
}

}  // namespace runnel

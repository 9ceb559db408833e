#include "daemon/posix/process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/posix/fd.h"

namespace runnel {

void RaiseFileLimit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

void IgnoreStraySignals() {
  for (const int number : {SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE}) signal(number, SIG_IGN);
}

bool IgnoresHangUp() {
  struct sigaction action {};
  return sigaction(SIGHUP, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

Status DieWithParent(int parent) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) signal(number, SIG_IGN);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return Errno("tying the process to its parent");
  if (getppid() != parent) {
    return Error{ErrorKind::kGiveUp, "the daemon that started this process is gone"};
  }
  return {};
}

}  // namespace runnel

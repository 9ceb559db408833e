#include "daemon/posix/process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "daemon/posix/fd.h"

namespace runnel {

Status DieWithParent(int parent) {
  for (const int number : {SIGINT, SIGTERM}) signal(number, SIG_IGN);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return Errno("tying the process to its parent");
  if (getppid() != parent) {
    return Error{ErrorKind::kGiveUp, "the daemon that started this process is gone"};
  }
  return {};
}

}  // namespace runnel

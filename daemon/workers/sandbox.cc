#include "daemon/workers/sandbox.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <fstream>
#include <vector>

#include "daemon/posix/fd.h"

namespace runnel {
namespace {

#ifndef RUNNEL_SANITIZED  // a sanitizer needs more calls and more addresses

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#elif defined(__arm__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_ARM;
#else
#error "name the architecture for the system call filter"
#endif

// All that a worker needs: bells, memory of its own, dying.
constexpr int kAllowed[] = {
    SYS_read,   // bells
    SYS_write,  // the last words on standard error
    SYS_close,  // bells at exit
    SYS_timerfd_settime,
#ifdef SYS_poll
    SYS_poll,
#endif
    SYS_ppoll,
    SYS_restart_syscall,
    SYS_brk,  // malloc
#ifdef SYS_mmap
    SYS_mmap,
#endif
#ifdef SYS_mmap2
    SYS_mmap2,
#endif
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,  // room for more state
    SYS_futex,
    SYS_rt_sigprocmask,  // abort()
    SYS_rt_sigaction,
    SYS_rt_sigreturn,
    SYS_getpid,
    SYS_gettid,
    SYS_tgkill,
    SYS_exit,
    SYS_exit_group,
};

Status InstallFilter() {
  std::vector<sock_filter> program;
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  for (const int allowed : kAllowed) {
    program.push_back(
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(allowed), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    return Errno(errno == EINVAL
                     ? "installing the system call filter, which this kernel seems to lack "
                       "(CONFIG_SECCOMP_FILTER; `workers: 0` does without)"
                     : "installing the system call filter");
  }
  return {};
}

// Bytes of addresses in use, from /proc/self/statm.
std::uint64_t MappedBytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t pages = 0;
  file >> pages;
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

Status Confine(const SandboxLimits& limits) {
  const std::uint64_t memory_max = MappedBytes() + limits.memory_max;
  const rlimit memory{memory_max, memory_max};
  setrlimit(RLIMIT_AS, &memory);
  return InstallFilter();
}

#else

Status Confine(const SandboxLimits&) { return {}; }

#endif

}  // namespace

Status EnterSandbox(const SandboxLimits& limits) {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  setrlimit(RLIMIT_NPROC, &none);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Errno("giving up new privileges");
  prctl(PR_SET_DUMPABLE, 0);
  return Confine(limits);
}

}  // namespace runnel

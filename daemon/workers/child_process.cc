#include "daemon/workers/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

extern char** environ;

namespace runnel {
namespace {

constexpr int kChannelFd = 3;

// Owns the two attribute objects of posix_spawn.
class SpawnPlan final {
 public:
  explicit SpawnPlan(int channel) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    // A duplicate first: dup2 to the same number would keep close-on-exec.
    posix_spawn_file_actions_adddup2(&actions_, channel, kChannelFd);
    posix_spawn_file_actions_addclosefrom_np(&actions_, kChannelFd + 1);
    posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigemptyset(&none);
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  int Run(pid_t* pid, const std::string& executable, char* const* arguments) {
    return posix_spawn(pid, executable.c_str(), &actions_, &attributes_, arguments, environ);
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

std::string ChildEnd::Describe() const {
  if (!by_signal) return "exit code " + std::to_string(code);
  const char* name = strsignal(code);
  return "signal " + std::to_string(code) + " (" + (name != nullptr ? name : "unknown") + ")";
}

bool ChildEnd::BlamesRecord() const {
  if (!by_signal) return false;
  switch (code) {
    case SIGSEGV:
    case SIGBUS:
    case SIGABRT:
    case SIGFPE:
    case SIGILL:
    case SIGSYS:
      return true;
    default:
      return false;
  }
}

ChildProcess::ChildProcess(pid_t pid, Fd pidfd, Channel channel)
    : pid_(pid), pidfd_(std::move(pidfd)), channel_(std::move(channel)) {}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      channel_(std::move(other.channel_)) {}

ChildProcess::~ChildProcess() {
  if (pid_ <= 0) return;
  Kill(SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<ChildProcess> ChildProcess::Start(const std::string& executable,
                                         const std::vector<std::string>& arguments) {
  Result<std::pair<Channel, Fd>> pair = Channel::CreatePair();
  if (!pair.ok()) return pair.error();
  // Above the number that it gets in the child, so that dup2 makes a new descriptor.
  Fd end(fcntl(pair.value().second.get(), F_DUPFD_CLOEXEC, kChannelFd + 1));
  if (!end.valid()) return Errno("making a channel to a child");
  std::vector<char*> argv;
  argv.push_back(const_cast<char*>(executable.c_str()));
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  SpawnPlan plan(end.get());
  pid_t pid = -1;
  if (const int error = plan.Run(&pid, executable, argv.data()); error != 0) {
    errno = error;
    return Errno("starting `" + executable + "`");
  }
  Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.valid()) {
    const Error error = Errno("watching a child");
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return error;
  }
  return ChildProcess(pid, std::move(pidfd), std::move(pair.value().first));
}

void ChildProcess::Kill(int signal) const {
  if (pid_ > 0) kill(pid_, signal);
}

std::optional<ChildEnd> ChildProcess::TryReap() {
  int status = 0;
  if (pid_ <= 0 || waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  pid_ = -1;
  ChildEnd end;
  end.by_signal = WIFSIGNALED(status);
  end.code = end.by_signal ? WTERMSIG(status) : WEXITSTATUS(status);
  return end;
}

}  // namespace runnel

#include "tests/support/kill_at_every_step.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "daemon/posix/files.h"
#include "pipelines/base/hash.h"

namespace runnel::testing {
namespace {

using Request = decltype(PTRACE_TRACEME);

// What was left behind when it was looked at last.
class Seen final {
 public:
  explicit Seen(const std::vector<std::span<const std::byte>>& parts) : parts_(&parts) {
    for (const std::span<const std::byte> part : parts)
      copies_.emplace_back(part.begin(), part.end());
  }
  bool IsOld() {
    bool old = false;
    for (std::size_t i = 0; i < parts_->size(); ++i) {
      const std::span<const std::byte> part = (*parts_)[i];
      if (std::memcmp(copies_[i].data(), part.data(), part.size()) == 0) continue;
      std::memcpy(copies_[i].data(), part.data(), part.size());
      old = true;
    }
    return old;
  }

 private:
  const std::vector<std::span<const std::byte>>* parts_;
  std::vector<std::vector<std::byte>> copies_;
};

// Of all names and contents.
std::uint64_t HashOfFolder(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  std::uint64_t hash = 0;
  for (const std::string& path : paths) {
    hash = Hash(path, hash);
    if (!std::filesystem::is_regular_file(path)) continue;
    const Result<std::string> content = ReadFile(path, 64 << 20);
    if (content.ok()) hash = Hash(content.value(), hash);
  }
  return hash;
}

// Parent and child take turns: on two CPUs each step would cost three times as much.
class OnOneCpu final {
 public:
  OnOneCpu() {
    sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<unsigned>(sched_getcpu()), &one);
    sched_setaffinity(0, sizeof one, &one);
  }
  ~OnOneCpu() { sched_setaffinity(0, sizeof before_, &before_); }
  OnOneCpu(const OnOneCpu&) = delete;
  OnOneCpu& operator=(const OnOneCpu&) = delete;

 private:
  cpu_set_t before_;
};

// A child that stands still before `action`; it goes with this.
class TracedChild final {
 public:
  explicit TracedChild(const std::function<void()>& action) : pid_(fork()) {
    if (pid_ != 0) return;
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(100);
    raise(SIGSTOP);
    action();
    _exit(0);
  }
  ~TracedChild() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    Wait();
  }
  TracedChild(const TracedChild&) = delete;
  TracedChild& operator=(const TracedChild&) = delete;

  // Its status as waitpid has it; -1: there is no child.
  int Wait() {
    int status = -1;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) || WIFSIGNALED(status)) pid_ = -1;
    return status;
  }
  // It does not outlive this program either.
  bool Tie() {
    return ptrace(PTRACE_SETOPTIONS, pid_, nullptr, reinterpret_cast<void*>(PTRACE_O_EXITKILL)) ==
           0;
  }
  // Goes on, with a signal or 0, to the next stop, which is Wait()'s. `request`:
  // PTRACE_SINGLESTEP or PTRACE_SYSCALL.
  bool GoOn(Request request, long signal) {
    return ptrace(request, pid_, nullptr, reinterpret_cast<void*>(signal)) == 0;
  }

 private:
  pid_t pid_;
};

// `changed`: whether this stop shows something new.
Stepped KillAtEvery(Request request, const Stepping& stepping,
                    const std::function<bool()>& changed) {
  Stepped stepped;
  const OnOneCpu on_one_cpu;
  TracedChild child(stepping.action);
  int status = child.Wait();
  if (!WIFSTOPPED(status) || !child.Tie()) {
    ADD_FAILURE() << "a child cannot be traced, status " << status;
    return stepped;
  }
  stepping.look();
  ++stepped.states;
  int signal = 0;  // for the child, such as of a child of its own
  while (!::testing::Test::HasFailure()) {
    status = child.GoOn(request, signal) ? child.Wait() : -1;
    signal = WIFSTOPPED(status) && WSTOPSIG(status) != SIGTRAP ? WSTOPSIG(status) : 0;
    if (signal != 0) continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
    if (!WIFSTOPPED(status)) {
      ADD_FAILURE() << "the child ended behind step " << stepped.steps << ", status " << status;
      break;
    }
    ++stepped.steps;
    if (!changed()) continue;
    stepping.look();
    ++stepped.states;
    if (::testing::Test::HasFailure()) {
      ADD_FAILURE() << "after a kill behind step " << stepped.steps << " (state " << stepped.states
                    << ")";
    }
  }
  return stepped;
}

}  // namespace

Stepped KillAtEveryStep(const Stepping& stepping) {
  Seen seen(stepping.left_behind);
  return KillAtEvery(PTRACE_SINGLESTEP, stepping, [&] { return seen.IsOld(); });
}

Stepped KillAtEveryCall(std::function<void()> action, const std::string& folder,
                        std::function<void()> look) {
  std::uint64_t seen = HashOfFolder(folder);
  return KillAtEvery(PTRACE_SYSCALL, {std::move(action), {}, std::move(look)}, [&] {
    const std::uint64_t now = HashOfFolder(folder);
    return std::exchange(seen, now) != now;
  });
}

}  // namespace runnel::testing

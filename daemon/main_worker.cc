// runnel-worker: runs the tasks that the daemon hands it. Not for people to start.
#include <fcntl.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "daemon/workers/protocol.h"
#include "daemon/workers/sandbox.h"

namespace runnel {
namespace {

constexpr int kChannelFd = 3;

void Say(const Error& error) {
  std::fprintf(stderr, "error: worker: %s\n", error.message.c_str());
}

Result<std::unique_ptr<Host>> Build(Assignment assignment, const Registry& registry) {
  assignment.links.stop = Fd(fcntl(kChannelFd, F_DUPFD_CLOEXEC, kChannelFd + 1));
  Result<std::unique_ptr<Host>> host =
      Host::Create(std::move(assignment.links), assignment.settings.max_delay);
  if (!host.ok()) return host;
  for (Assignment::OneTask& one : assignment.tasks) {
    TaskOptions options;
    options.limits.record_max = assignment.settings.record_max;
    options.plan = std::move(one.settings.plan);
    options.plan_fingerprint = one.settings.plan_fingerprint;
    options.poison_text = assignment.settings.poison_text;
    Result<std::unique_ptr<Task>> task = Task::Open(std::move(one.settings.id),
                                                    std::move(one.files), registry, options);
    if (!task.ok()) {
      Say(task.error());
      continue;
    }
    if (!task.value()->incident().empty()) {
      std::fprintf(stderr, "error: worker: %s\n", task.value()->incident().c_str());
    }
    host.value()->Add({std::move(task).value(), one.settings.last_stage});
  }
  return host;
}

int Main(int parent) {
  if (const Status tied = DieWithParent(parent); !tied.ok()) return 1;
  // Out of memory ends the worker and blames the record; nothing unwinds.
  std::set_new_handler([] { std::abort(); });
  Channel channel{Fd(kChannelFd)};
  Result<Assignment> assignment = ReceiveAssignment(channel);
  if (!assignment.ok()) {
    Say(assignment.error());
    return 1;
  }
  const std::uint64_t memory_max = assignment.value().settings.memory_max;
  Registry registry;
  RegisterAll(registry);
  Result<std::unique_ptr<Host>> host = Build(std::move(assignment).value(), registry);
  if (!host.ok()) {
    Say(host.error());
    return 1;
  }
  const Status ready = channel.Send("ready", {});
  if (!ready.ok()) return 1;
  if (const Status sandboxed = EnterSandbox({memory_max}); !sandboxed.ok()) {
    Say(sandboxed.error());
    return 1;
  }
  return host.value()->Run(Say).ok() ? 0 : 1;
}

}  // namespace
}  // namespace runnel

int main(int argc, char** argv) {
  if (argc != 2 || std::strspn(argv[1], "0123456789") != std::strlen(argv[1])) {
    std::fputs("runnel-worker is started by `runnel run`; see `runnel --help`\n", stderr);
    return 2;
  }
  return runnel::Main(std::atoi(argv[1]));
}

// runnel-worker: runs the tasks that the daemon hands it. Not for people to start.
#include <fcntl.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "daemon/posix/process.h"
#include "daemon/posix/startup_memory.h"
#include "daemon/workers/assignment.h"
#include "daemon/workers/batch_worker.h"
#include "daemon/workers/sandbox.h"

namespace runnel {
namespace {

constexpr int kChannelFd = 3;

int Fail(const Error& error) {
  std::fprintf(stderr, "error: worker: %s\n", error.message.c_str());
  return 1;
}

enum class Work { kTasks, kBatch };

int Main(int parent, Work work) {
  if (const Status tied = DieWithParent(parent); !tied.ok()) return 1;
  // Out of memory ends the worker and blames the record; nothing unwinds.
  std::set_new_handler([] { std::abort(); });
  Channel channel{Fd(kChannelFd)};
  if (work == Work::kBatch) return RunBatchWorker(std::move(channel));
  Result<Assignment> assignment = ReceiveAssignment(channel);
  if (!assignment.ok()) return Fail(assignment.error());
  const std::uint64_t memory_max = assignment.value().settings.memory_max;
  assignment.value().links.stop = Fd(fcntl(kChannelFd, F_DUPFD_CLOEXEC, kChannelFd + 1));
  Registry registry;
  RegisterAll(registry);
  Result<std::unique_ptr<Host>> host =
      BuildHost(std::move(assignment).value(), registry, [](const Error& error) { Fail(error); });
  if (!host.ok()) return Fail(host.error());
  if (const Status ready = channel.Send("ready", {}); !ready.ok()) return 1;
  if (const Status sandboxed = EnterSandbox({memory_max}); !sandboxed.ok()) {
    return Fail(sandboxed.error());
  }
  host.value()->Run([](const Error& error) { Fail(error); }, GiveBackStartupMemory);
  return 0;
}

}  // namespace
}  // namespace runnel

int main(int argc, char** argv) {
  const bool batch = argc == 3 && std::strcmp(argv[2], "batch") == 0;
  if ((argc != 2 && !batch) || std::strspn(argv[1], "0123456789") != std::strlen(argv[1])) {
    std::fputs("runnel-worker is started by `runnel run`; see `runnel --help`\n", stderr);
    return 2;
  }
  return runnel::Main(std::atoi(argv[1]), batch ? runnel::Work::kBatch : runnel::Work::kTasks);
}

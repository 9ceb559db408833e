// runnel-uplink: publishes what the workers have written. Not for people to start.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "daemon/posix/process.h"
#include "daemon/posix/startup_memory.h"
#include "daemon/uplink/uplink.h"

namespace runnel {
namespace {

constexpr int kChannelFd = 3;
// How long what is written may still be published after the daemon asked to stop.
constexpr std::chrono::milliseconds kDrain{3000};

int Fail(const Error& error) {
  std::fprintf(stderr, "error: uplink: %s\n", error.message.c_str());
  return 1;
}

int Main(int parent) {
  if (const Status tied = DieWithParent(parent); !tied.ok()) return 1;
  Channel channel{Fd(kChannelFd)};
  Result<UplinkAssignment> assignment = ReceiveUplinkAssignment(channel);
  if (!assignment.ok()) return Fail(assignment.error());
  Fd stop(fcntl(kChannelFd, F_DUPFD_CLOEXEC, kChannelFd + 1));
  if (const Status ready = channel.Send("ready", {}); !ready.ok()) return 1;
  Result<std::unique_ptr<Uplink>> uplink = Uplink::Create(
      std::move(assignment).value(), std::move(stop), [&channel](const std::string& line) {
        // A daemon that is gone cannot be told, and takes this process with it.
        static_cast<void>(channel.Send(line, {}).ok());
      });
  if (!uplink.ok()) return Fail(uplink.error());
  GiveBackStartupMemory();
  const bool goodbye = uplink.value()->Run(kDrain);
  if (!goodbye) _exit(0);
  return 0;
}

}  // namespace
}  // namespace runnel

int main(int argc, char** argv) {
  if (argc != 2 || std::strspn(argv[1], "0123456789") != std::strlen(argv[1])) {
    std::fputs("runnel-uplink is started by `runnel run`; see `runnel --help`\n", stderr);
    return 2;
  }
  return runnel::Main(std::atoi(argv[1]));
}

#include "daemon/workers/child_process.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

namespace runnel {
namespace {

ChildEnd WaitForEnd(ChildProcess& child) {
  pollfd death{child.pidfd(), POLLIN, 0};
  poll(&death, 1, 10'000);
  return child.TryReap().value_or(ChildEnd{});
}

TEST(ChildProcess, TellsHowAChildEnded) {
  struct Case {
    const char* script;
    const char* described;
    bool blames;
  };
  const Case cases[] = {
      {"exit 3", "exit code 3", false},
      {"kill -SEGV $$", "signal 11 (Segmentation fault)", true},
      {"kill -KILL $$", "signal 9 (Killed)", false},
      {"kill -SYS $$", "signal 31 (Bad system call)", true},
  };
  for (const Case& each : cases) {
    Result<ChildProcess> child = ChildProcess::Start("/bin/sh", {"-c", each.script});
    ASSERT_TRUE(child.ok());
    const ChildEnd end = WaitForEnd(child.value());
    EXPECT_EQ(end.Describe(), each.described);
    EXPECT_EQ(end.BlamesRecord(), each.blames) << each.script;
  }
}

TEST(ChildProcess, GivesTheChildItsChannelAndNothingElse) {
  const Fd secret(dup(0));
  ASSERT_TRUE(secret.valid());
  Result<ChildProcess> child = ChildProcess::Start(
      "/bin/sh", {"-c",
                  "cd /proc/self/fd && for fd in *; do [ -S $fd ] && printf \"$fd \" >&3; done;"
                  "read line <&3; printf \"got $line\" >&3"});
  ASSERT_TRUE(child.ok());
  const Result<ChannelMessage> fds = child.value().channel().Receive();
  ASSERT_TRUE(fds.ok());
  EXPECT_EQ(fds.value().bytes, "3 ");
  // The shell reads byte by byte, and what it leaves of a message is gone.
  for (const std::string_view byte : {"h", "i", "\n"}) {
    ASSERT_TRUE(child.value().channel().Send(byte, {}).ok());
  }
  EXPECT_EQ(child.value().channel().Receive().value().bytes, "got hi");
}

TEST(ChildProcess, SaysWhatCannotBeStarted) {
  const Result<ChildProcess> child = ChildProcess::Start("/no/such/program", {});
  ASSERT_FALSE(child.ok());
  EXPECT_EQ(child.error().message, "starting `/no/such/program`: No such file or directory");
}

TEST(ChildProcess, IsKilledWithItsOwner) {
  pid_t pid = 0;
  {
    Result<ChildProcess> child = ChildProcess::Start("/bin/sh", {"-c", "read forever"});
    ASSERT_TRUE(child.ok());
    pid = child.value().pid();
    EXPECT_EQ(kill(pid, 0), 0);
  }
  EXPECT_NE(kill(pid, 0), 0);
}

}  // namespace
}  // namespace runnel

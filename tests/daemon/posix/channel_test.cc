#include "daemon/posix/channel.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "daemon/posix/files.h"

namespace runnel {
namespace {

// Too many descriptors are closed by the kernel in silence: who gets fewer must not go on.
TEST(Channels, FilesWithoutAPlaceAreAnError) {
  auto pair = Channel::CreatePair();
  ASSERT_TRUE(pair.ok());
  Channel& mine = pair.value().first;
  Channel theirs(std::move(pair.value().second));
  Result<Fd> file = MakeMemoryFile("channel-test", 4096);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(mine.Send("first", {file.value().get(), file.value().get()}).ok());
  ASSERT_TRUE(mine.Send("second", {file.value().get(), file.value().get()}).ok());
  Result<ChannelMessage> first = theirs.Receive();
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_EQ(first.value().fds.size(), 2U);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int highest = first.value().fds.back().get();
  const rlimit full{static_cast<rlim_t>(highest) + 2, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &full), 0);
  const Result<ChannelMessage> second = theirs.Receive();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message.find("Too many open files"), std::string::npos)
      << second.error().message;
}

}  // namespace
}  // namespace runnel

#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <vector>

#include "daemon/uplink/sink.h"

namespace runnel {
namespace {

class Completions : public testing::Test {
 protected:
  // Whether the bell was rung since the last time.
  bool Rung() {
    std::array<pollfd, 2> sources = bell_.sources();
    const bool rung = poll(sources.data(), sources.size(), 0) > 0;
    bell_.Clear(sources[0], sources[1]);
    return rung;
  }
  std::size_t Take() {
    queue_.Take(taken_);
    return taken_.size();
  }

  Doorbell bell_ = Doorbell::Create().value();
  CompletionQueue queue_{bell_};
  std::vector<Completion> taken_;
};

TEST_F(Completions, RingOnceWhereAsManyAreThereAsTheLoopSleepsFor) {
  ASSERT_TRUE(queue_.SleepFor(3));
  queue_.Push({1, Delivered::kAcknowledged, {}});
  queue_.Push({2, Delivered::kAcknowledged, {}});
  EXPECT_FALSE(Rung());
  queue_.Push({3, Delivered::kAcknowledged, {}});
  EXPECT_TRUE(Rung());
  queue_.Push({4, Delivered::kAcknowledged, {}});
  EXPECT_FALSE(Rung());
  EXPECT_EQ(Take(), 4U);
}

TEST_F(Completions, RingAtOnceForAFailure) {
  ASSERT_TRUE(queue_.SleepFor(100));
  queue_.Push({1, Delivered::kAcknowledged, {}});
  queue_.Push({2, Delivered::kRetry, {}});
  EXPECT_TRUE(Rung());
  EXPECT_EQ(Take(), 2U);
  ASSERT_TRUE(queue_.SleepFor(100));
  queue_.Push({3, Delivered::kRejected, "too large"});
  EXPECT_TRUE(Rung());
}

TEST_F(Completions, DoNotRingForALoopThatIsAwakeButKeepItAwake) {
  queue_.Push({1, Delivered::kAcknowledged, {}});
  queue_.Push({2, Delivered::kRetry, {}});
  EXPECT_FALSE(Rung());
  EXPECT_FALSE(queue_.SleepFor(100));
  EXPECT_EQ(Take(), 2U);
  EXPECT_TRUE(queue_.SleepFor(100));
  EXPECT_EQ(Take(), 0U);
  queue_.Push({3, Delivered::kRetry, {}});
  EXPECT_FALSE(Rung());
}

}  // namespace
}  // namespace runnel

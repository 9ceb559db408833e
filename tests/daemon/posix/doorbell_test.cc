#include "daemon/posix/doorbell.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/timerfd.h>

#include <array>
#include <thread>

namespace runnel {
namespace {

using std::chrono::nanoseconds;
using testing::Test;

constexpr nanoseconds kHour = std::chrono::hours(1);

class DoorbellTest : public Test {
 protected:
  // Whether the bell has rung, without waiting.
  static bool Rings(const Doorbell& bell) {
    std::array<pollfd, 2> sources = bell.sources();
    return poll(sources.data(), sources.size(), 0) > 0;
  }
  // How long until the timer rings; zero if it is not set.
  static nanoseconds Left(const Doorbell& bell) {
    itimerspec left{};
    EXPECT_EQ(timerfd_gettime(bell.fds()[1], &left), 0);
    return std::chrono::seconds(left.it_value.tv_sec) + nanoseconds(left.it_value.tv_nsec);
  }

  const Doorbell bell_ = Doorbell::Create().value();
  SleepWord word_{};
  Ringer ringer_{word_, bell_};
};

TEST_F(DoorbellTest, RingsNowUntilItIsCleared) {
  EXPECT_FALSE(Rings(bell_));
  bell_.Ring();
  bell_.Ring();
  EXPECT_TRUE(Rings(bell_));
  bell_.Clear();
  EXPECT_FALSE(Rings(bell_));
}

TEST_F(DoorbellTest, RingsLater) {
  bell_.RingAfter(std::chrono::milliseconds(1));
  std::array<pollfd, 2> sources = bell_.sources();
  EXPECT_EQ(poll(sources.data(), sources.size(), 10'000), 1);
  bell_.Clear();
  EXPECT_FALSE(Rings(bell_));
}

TEST_F(DoorbellTest, ADelayOfNothingRings) {
  bell_.RingAfter({});
  std::array<pollfd, 2> sources = bell_.sources();
  EXPECT_EQ(poll(sources.data(), sources.size(), 10'000), 1);
}

TEST_F(DoorbellTest, ADuplicateIsTheSameBell) {
  const Doorbell other = bell_.Duplicate().value();
  other.Ring();
  EXPECT_TRUE(Rings(bell_));
  bell_.Clear();
  EXPECT_FALSE(Rings(other));
}

TEST_F(DoorbellTest, NobodyRingsForOneWhoIsAwake) {
  EXPECT_FALSE(ringer_.Notify({}));
  EXPECT_FALSE(Rings(bell_));
}

TEST_F(DoorbellTest, ARecordThatComesAloneRingsAtOnceAndOnce) {
  word_.GoToSleep();
  EXPECT_TRUE(ringer_.Notify(std::chrono::milliseconds(2)));
  EXPECT_TRUE(Rings(bell_));
  bell_.Clear();
  EXPECT_FALSE(ringer_.Notify(std::chrono::milliseconds(2)));
  EXPECT_FALSE(Rings(bell_));
}

TEST_F(DoorbellTest, ARecordSoonAfterTheLastRingWaitsForOthers) {
  word_.GoToSleep();
  ringer_.Notify({});
  word_.WakeUp();
  bell_.Clear();
  word_.GoToSleep();
  EXPECT_TRUE(ringer_.Notify(kHour));
  EXPECT_FALSE(Rings(bell_));
  EXPECT_GT(Left(bell_), kHour / 2);
  EXPECT_LE(Left(bell_), kHour);
  EXPECT_FALSE(ringer_.Notify(kHour));
}

TEST_F(DoorbellTest, WithoutADelayEverySleepIsEndedAtOnce) {
  for (int i = 0; i < 3; ++i) {
    word_.GoToSleep();
    EXPECT_TRUE(ringer_.Notify({}));
    EXPECT_TRUE(Rings(bell_)) << i;
    EXPECT_EQ(Left(bell_), nanoseconds(0));
    word_.WakeUp();
    bell_.Clear();
  }
}

TEST_F(DoorbellTest, ARingThatIsToComeCanBeHurried) {
  ringer_.Hurry();
  EXPECT_FALSE(Rings(bell_)) << "awake";
  word_.GoToSleep();
  ringer_.Hurry();
  EXPECT_FALSE(Rings(bell_)) << "nothing has been published for it";
  ringer_.Notify({});
  word_.WakeUp();
  bell_.Clear();
  word_.GoToSleep();
  ringer_.Notify(kHour);
  EXPECT_FALSE(Rings(bell_));
  ringer_.Hurry();
  EXPECT_TRUE(Rings(bell_));
}

TEST_F(DoorbellTest, WhatASleeperSeesBeforeItSleepsNeedsNoBell) {
  // A sleeper that polls for ever ends only if no publication is missed.
  constexpr std::uint64_t kRecords = 20'000;
  std::atomic<std::uint64_t> published{0};
  std::atomic<std::uint64_t> seen{0};
  std::thread writer([&] {
    for (std::uint64_t i = 1; i <= kRecords; ++i) {
      while (seen.load(std::memory_order_acquire) + 1 < i) std::this_thread::yield();
      published.store(i, std::memory_order_release);
      ringer_.Notify(std::chrono::microseconds(i % 3 == 0 ? 20 : 0));
    }
  });
  while (seen.load(std::memory_order_relaxed) < kRecords) {
    word_.GoToSleep();
    if (published.load(std::memory_order_relaxed) == seen.load(std::memory_order_relaxed)) {
      std::array<pollfd, 2> sources = bell_.sources();
      poll(sources.data(), sources.size(), -1);
    }
    word_.WakeUp();
    bell_.Clear();
    seen.store(published.load(std::memory_order_acquire), std::memory_order_release);
  }
  writer.join();
}

}  // namespace
}  // namespace runnel

#include "daemon/mqtt/backoff.h"

#include <gtest/gtest.h>

namespace runnel {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, DoublesUpToTheCapAndStaysInTheUpperHalf) {
  Backoff backoff({milliseconds(1'000), milliseconds(30'000)}, 1);
  for (const int step : {1'000, 2'000, 4'000, 8'000, 16'000, 30'000, 30'000}) {
    const milliseconds delay = backoff.Next();
    EXPECT_GE(delay.count(), step / 2);
    EXPECT_LE(delay.count(), step);
  }
}

TEST(Backoff, ResetBeginsAgainAndYieldGoesToTheCap) {
  Backoff backoff({milliseconds(1'000), milliseconds(30'000)}, 1);
  for (int i = 0; i < 5; ++i) backoff.Next();
  backoff.Reset();
  EXPECT_LE(backoff.Next().count(), 1'000);
  backoff.Yield();
  EXPECT_GE(backoff.Next().count(), 15'000);
}

TEST(Backoff, FollowsTheSeed) {
  Backoff one({}, 42);
  Backoff same({}, 42);
  Backoff other({}, 43);
  bool differs = false;
  for (int i = 0; i < 10; ++i) {
    const milliseconds delay = one.Next();
    EXPECT_EQ(delay, same.Next());
    differs = differs || delay != other.Next();
  }
  EXPECT_TRUE(differs);
}

TEST(Backoff, TakesAStepOfNothing) {
  Backoff backoff({milliseconds(0), milliseconds(0)}, 1);
  EXPECT_EQ(backoff.Next().count(), 0);
}

}  // namespace
}  // namespace runnel

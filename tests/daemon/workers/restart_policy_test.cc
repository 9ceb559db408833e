#include "daemon/workers/restart_policy.h"

#include <gtest/gtest.h>

namespace runnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RestartPolicy, BacksOffUpToTenSecondsAndForgivesAStableLife) {
  RestartPolicy policy;
  RestartPolicy::Clock::time_point now{};
  const int expected[] = {0, 100, 200, 400, 800, 1600, 3200, 6400, 10'000, 10'000};
  for (const int wait : expected) {
    policy.Started(now);
    now += milliseconds(5);
    EXPECT_EQ(policy.Died(now), milliseconds(wait));
  }
  policy.Started(now);
  EXPECT_EQ(policy.Died(now + seconds(30)), milliseconds(0));
  EXPECT_EQ(policy.deaths(), 1);
}

TEST(RestartPolicy, CausesThatAreOutOfTheWayDoNotAddUp) {
  RestartPolicy policy;
  for (int record = 0; record < 20; ++record) {
    EXPECT_LE(policy.Died({}), milliseconds(200));
    policy.Explained();
    EXPECT_LE(policy.Died({}), milliseconds(100));
  }
}

}  // namespace
}  // namespace runnel

#include "daemon/workers/host.h"

#include <gtest/gtest.h>

namespace runnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

TEST(ResultDelay, IsTenTimesAsLongButShort) {
  EXPECT_EQ(ResultDelay(nanoseconds(0)), nanoseconds(0));
  EXPECT_EQ(ResultDelay(milliseconds(1)), milliseconds(10));
  EXPECT_EQ(ResultDelay(milliseconds(2)), milliseconds(20));
  EXPECT_EQ(ResultDelay(milliseconds(15)), milliseconds(20));
  EXPECT_EQ(ResultDelay(milliseconds(1'000)), milliseconds(1'000));
}

}  // namespace
}  // namespace runnel

#include "daemon/mqtt/publish_slots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runnel {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(PublishSlots, GivesEachContextAwayOnce) {
  PublishSlots slots(10);
  PublishSlots::Slot* zero = slots.Take(7, 0);
  PublishSlots::Slot* one = slots.Take(8, 1);
  EXPECT_EQ(slots.unfinished(), 2U);
  EXPECT_THAT(slots.FinishUpTo(0), ElementsAre(7));
  EXPECT_EQ(slots.unfinished(), 1U);
  EXPECT_EQ(slots.Release(zero), std::nullopt);
  EXPECT_EQ(slots.Release(one), 8U);
  EXPECT_EQ(slots.unfinished(), 0U);
  EXPECT_THAT(slots.FinishUpTo(2), IsEmpty());
}

TEST(PublishSlots, KeepsItsLimit) {
  PublishSlots slots(2);
  PublishSlots::Slot* first = slots.Take(1, 1);
  ASSERT_NE(first, nullptr);
  ASSERT_NE(slots.Take(2, 1), nullptr);
  EXPECT_EQ(slots.Take(3, 1), nullptr);
  EXPECT_EQ(slots.Release(first), 1U);
  EXPECT_NE(slots.Take(4, 1), nullptr);
}

TEST(PublishSlots, ASlotThatPahoStillHasIsNotUsedAgain) {
  PublishSlots slots(1);
  PublishSlots::Slot* stuck = slots.Take(1, 0);
  EXPECT_THAT(slots.FinishUpTo(0), ElementsAre(1));
  PublishSlots::Slot* next = slots.Take(2, 0);
  ASSERT_NE(next, nullptr);
  EXPECT_NE(next, stuck);
}

}  // namespace
}  // namespace runnel

// The clock of silence, beside one that remembers each instant.
#include "pipelines/base/silence_clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace runnel {
namespace {

TEST(SilenceClock, CountsWhatTheSourceCouldBring) {
  SilenceClock clock{};
  EXPECT_EQ(clock.DueAt(100, 30), 130);
  clock.LeaveOut(110, 120);
  EXPECT_EQ(clock.DueAt(100, 30), 140);
  EXPECT_EQ(clock.DueAt(112, 30), 150);  // heard of in the middle of it
  EXPECT_EQ(clock.DueAt(120, 30), 150);
  EXPECT_EQ(clock.DueAt(70, 30), 100);  // was due before
  EXPECT_EQ(clock.DueAt(80, 30), 110);  // just then
  EXPECT_EQ(clock.DueAt(81, 30), 121);
}

TEST(SilenceClock, StandsStillUntilItGoesOn) {
  SilenceClock clock{};
  clock.Stop(110);
  EXPECT_EQ(clock.DueAt(100, 30), SilenceClock::kForever);
  EXPECT_EQ(clock.DueAt(80, 30), 110);
  clock.Stop(115);  // it stands already
  clock.Stop(105);  // another knows that it does for longer
  EXPECT_EQ(clock.DueAt(80, 30), SilenceClock::kForever);
  clock.GoOn(125);
  clock.GoOn(300);  // it goes already
  EXPECT_EQ(clock.DueAt(80, 30), 130);
  clock.Stop(200);
  clock.GoOn(190);  // a clock that was set back
  EXPECT_EQ(clock.DueAt(195, 30), 225);
}

TEST(SilenceClock, WhatOverlapsOrTouchesIsLeftOutOnce) {
  SilenceClock clock{};
  clock.LeaveOut(10, 20);
  clock.LeaveOut(30, 40);
  clock.LeaveOut(15, 25);
  clock.LeaveOut(40, 50);
  EXPECT_EQ(clock.DueAt(0, 100), 135);
  clock.LeaveOut(5, 60);
  EXPECT_EQ(clock.DueAt(0, 100), 155);
  clock.LeaveOut(20, 20);
  clock.LeaveOut(90, 80);
  EXPECT_EQ(clock.DueAt(0, 100), 155);
}

// As far as there is room for all standstills it is exact; beyond, no silence that lasts is told
// early, and one from before all of them on time.
TEST(SilenceClock, AgreesWithOneThatRemembersEachInstant) {
  const std::uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto pick = [&](int below) {
    return static_cast<std::int64_t>(random() % static_cast<unsigned>(below));
  };
  constexpr std::int64_t kEnd = 4'000;
  for (int round = 0; round < 400; ++round) {
    SilenceClock clock{};
    std::vector<bool> stood(kEnd, false);
    // Few come in any order, many one behind the other or into the last.
    const bool few = round % 2 == 0;
    std::int64_t to = 10;
    for (int i = 0; i < (few ? 16 : 50); ++i) {
      const std::int64_t from = few ? 10 + pick(2'000) : to - 5 + pick(40);
      to = from + 5 + pick(15);
      clock.LeaveOut(from, to);
      std::fill(stood.begin() + from, stood.begin() + to, true);
    }
    for (std::int64_t last = 0; last < 2'000; last += 7) {
      const std::int64_t silence = 1 + pick(300);
      std::int64_t due = last;
      for (std::int64_t left = silence; left > 0; ++due) {
        if (!stood[static_cast<std::size_t>(due)]) --left;
      }
      const std::int64_t told = clock.DueAt(last, silence);
      if (few) {
        ASSERT_EQ(told, due) << last << " " << silence;
      } else if (due > to) {
        ASSERT_GE(told, due) << last << " " << silence;
      }
    }
    const std::int64_t all = std::count(stood.begin(), stood.end(), true);
    EXPECT_EQ(clock.DueAt(0, 3'000), 3'000 + all);
  }
}

TEST(SilenceClock, OfVeryManyAKeyIsLateByTheShortOnesAlone) {
  SilenceClock clock{};
  clock.LeaveOut(1'000, 5'000);
  for (std::int64_t i = 0; i < 10'000; ++i) clock.LeaveOut(10'000 + 100 * i, 10'000 + 100 * i + 2);
  EXPECT_EQ(clock.DueAt(0, 2'000'000), 2'000'000 + 4'000 + 20'000);
  EXPECT_EQ(clock.DueAt(5'000, 2'000'000), 2'000'000 + 5'000 + 20'000);
  // The latest standstills are there one by one.
  EXPECT_EQ(clock.DueAt(1'009'850, 120), 1'009'850 + 120 + 2);
}

}  // namespace
}  // namespace runnel

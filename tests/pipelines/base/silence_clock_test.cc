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
  clock.Stop(0, 110);
  EXPECT_EQ(clock.DueAt(100, 30), SilenceClock::kForever);
  EXPECT_EQ(clock.DueAt(80, 30), 110);
  clock.Stop(0, 115);  // it stands already
  clock.Stop(0, 105);  // and for longer
  EXPECT_EQ(clock.DueAt(80, 30), SilenceClock::kForever);
  clock.GoOn(0, 125);
  clock.GoOn(0, 300);  // it goes already
  EXPECT_EQ(clock.DueAt(80, 30), 130);
  clock.Stop(0, 200);
  clock.GoOn(0, 190);  // a clock that was set back
  EXPECT_EQ(clock.DueAt(195, 30), 225);
}

TEST(SilenceClock, StandsWhereAnySourceDoes) {
  SilenceClock clock{};
  clock.Stop(0, 10);
  clock.GoOn(0, 11);
  clock.Stop(0, 60);
  clock.Stop(63, 10);  // it lags: the same outage, and the next
  EXPECT_EQ(clock.DueAt(5, 4), 9);
  EXPECT_EQ(clock.DueAt(5, 40), SilenceClock::kForever);
  clock.GoOn(0, 61);
  EXPECT_EQ(clock.DueAt(5, 40), SilenceClock::kForever);
  clock.GoOn(63, 11);
  EXPECT_EQ(clock.DueAt(5, 40), 46);
  EXPECT_EQ(clock.DueAt(5, 100), 107);
  clock.Stop(63, 200);
  clock.Stop(1, 300);
  clock.KeepSources(2);  // there were more before
  EXPECT_EQ(clock.DueAt(150, 100), 250);
  EXPECT_EQ(clock.DueAt(250, 100), SilenceClock::kForever);
  clock.KeepSources(64);
  EXPECT_EQ(clock.DueAt(250, 100), SilenceClock::kForever);
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
  constexpr std::int64_t kEnd = 8'000;
  for (int round = 0; round < 400; ++round) {
    SilenceClock clock{};
    std::vector<bool> stood(kEnd, false);
    // Few come in any order, many one behind the other or into the last.
    const bool few = round % 2 == 0;
    std::int64_t to = 10;
    for (int i = 0; i < (few ? 32 : 100); ++i) {
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
    EXPECT_EQ(clock.DueAt(0, 6'000), 6'000 + all);
  }
}

// Waits of 0.1 s each second for an hour, behind outages of an hour each in the days before:
// however old or young a silence is, it is told at most a tenth of it late.
TEST(SilenceClock, OfVeryManyASilenceIsLateByASmallPart) {
  constexpr std::int64_t kSecond = 1'000'000;
  constexpr std::int64_t kHour = 3'600 * kSecond;
  for (const int outages : {0, 1, 14, 31, 100}) {
    SilenceClock clock{};
    for (int i = 0; i < outages; ++i) clock.LeaveOut(6 * i * kHour, (6 * i + 1) * kHour);
    const std::int64_t begin = 6 * outages * kHour;
    for (int i = 0; i < 3'600; ++i) {
      clock.LeaveOut(begin + i * kSecond, begin + i * kSecond + kSecond / 10);
    }
    const std::int64_t now = begin + kHour;
    for (const std::int64_t ago : {1, 2, 5, 10, 30, 60, 300, 1'000, 3'000}) {
      // What would be due just now.
      const std::int64_t last = now - ago * kSecond;
      const std::int64_t silence = ago * kSecond * 9 / 10;
      const std::int64_t due = clock.DueAt(last + kSecond / 10, silence);
      EXPECT_GE(due, now) << outages << " " << ago;
      EXPECT_LE(due, now + ago * kSecond / 10 + kSecond / 5) << outages << " " << ago;
    }
    EXPECT_EQ(clock.DueAt(0, 1'000 * kHour), 1'000 * kHour + outages * kHour + kHour / 10);
  }
}

}  // namespace
}  // namespace runnel

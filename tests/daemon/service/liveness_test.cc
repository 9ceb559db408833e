#include "daemon/service/liveness.h"

#include <gtest/gtest.h>

namespace runnel {
namespace {

using std::chrono::seconds;
using Verdict = Liveness::Verdict;

TEST(LivenessTest, WhoMovesIsNotAsked) {
  Liveness liveness;
  const Liveness::Clock::time_point now{seconds(1'000)};
  liveness.Begins(7);
  EXPECT_EQ(liveness.Look(8, now), Verdict::kLives);
}

TEST(LivenessTest, WhoSleepsIsAskedOnceAndAnswers) {
  Liveness liveness;
  const Liveness::Clock::time_point now{seconds(1'000)};
  liveness.Begins(7);
  EXPECT_EQ(liveness.Look(7, now), Verdict::kAsk);
  EXPECT_EQ(liveness.Look(7, now + seconds(3)), Verdict::kWaits);
  EXPECT_EQ(liveness.Look(8, now + seconds(5)), Verdict::kLives);
  // An answer is good for what has happened so far.
  EXPECT_EQ(liveness.Look(8, now + Liveness::kPatience), Verdict::kAsk);
}

TEST(LivenessTest, WhoDoesNotAnswerHangs) {
  Liveness liveness;
  const Liveness::Clock::time_point now{seconds(1'000)};
  liveness.Begins(7);
  EXPECT_EQ(liveness.Look(7, now), Verdict::kAsk);
  EXPECT_EQ(liveness.Look(7, now + Liveness::kPatience - seconds(1)), Verdict::kWaits);
  EXPECT_EQ(liveness.Look(7, now + Liveness::kPatience), Verdict::kHangs);
  // Its successor is not blamed.
  liveness.Begins(7);
  EXPECT_EQ(liveness.Look(7, now + 2 * Liveness::kPatience), Verdict::kAsk);
}

}  // namespace
}  // namespace runnel

#include "daemon/mqtt/subscriptions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/mqtt/copies.h"

namespace runnel {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

MqttSubscription Wanted(std::string filter, int qos = 1) {
  MqttSubscription subscription;
  subscription.filter = std::move(filter);
  subscription.qos = qos;
  return subscription;
}

KnownSubscription Known(std::string filter, int qos, bool certain, std::uint32_t identifier = 0) {
  return {Wanted(std::move(filter), qos), identifier, certain};
}

TEST(Subscriptions, ReadsBackWhatItWrote) {
  std::vector<KnownSubscription> known = {Known("a/+", 2, true), Known("b\n/#", 1, false, 7)};
  known[1].subscription.retained = RetainedMessages::kNever;
  const std::string bytes = EncodeSubscriptions(known);
  const auto read = DecodeSubscriptions(bytes);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read.value(), known);
}

TEST(Subscriptions, RefusesADamagedList) {
  const std::string bytes = EncodeSubscriptions({Known("a/+", 1, true)});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeSubscriptions(std::string_view(bytes).substr(0, size)).ok()) << size;
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    EXPECT_FALSE(DecodeSubscriptions(damaged).ok()) << i;
  }
  EXPECT_EQ(DecodeSubscriptions("").error().message,
            "the list of subscriptions is damaged: it does not begin as expected");
}

std::vector<std::string> Filters(const std::vector<KnownSubscription>& some) {
  std::vector<std::string> filters;
  for (const KnownSubscription& one : some) filters.push_back(one.subscription.filter);
  return filters;
}

TEST(Subscriptions, RefusesAnIdentifierThatMqttDoesNotHave) {
  EXPECT_TRUE(DecodeSubscriptions(EncodeSubscriptions({Known("a", 1, true, 268'435'455)})).ok());
  EXPECT_FALSE(DecodeSubscriptions(EncodeSubscriptions({Known("a", 1, true, 268'435'456)})).ok());
}

TEST(Subscriptions, ALostSessionGetsEverything) {
  const SubscriptionPlan plan =
      PlanSubscriptions(MqttVersion::k311, Identifiers::kNone, {Wanted("a"), Wanted("b")}, {});
  EXPECT_THAT(plan.unsubscribe, IsEmpty());
  EXPECT_THAT(plan.subscribe, ElementsAre(Known("a", 1, false), Known("b", 1, false)));
  EXPECT_EQ(plan.known, plan.subscribe);
  EXPECT_FALSE(plan.has_copies);
}

TEST(Subscriptions, AKeptSessionGetsTheDifference) {
  const std::vector<KnownSubscription> known = {Known("kept", 1, true), Known("unsure", 1, false),
                                                Known("other", 0, true), Known("gone", 1, true)};
  const std::vector<MqttSubscription> wanted = {Wanted("kept"), Wanted("unsure"), Wanted("other"),
                                                Wanted("new")};
  const SubscriptionPlan old =
      PlanSubscriptions(MqttVersion::k311, Identifiers::kNone, wanted, known);
  EXPECT_THAT(old.unsubscribe, ElementsAre("gone"));
  EXPECT_THAT(Filters(old.subscribe), ElementsAre("unsure", "other", "new"));
  EXPECT_FALSE(old.has_copies);
  const SubscriptionPlan five =
      PlanSubscriptions(MqttVersion::k5, Identifiers::kAvailable, wanted, known);
  EXPECT_THAT(five.unsubscribe, ElementsAre("gone"));
  EXPECT_THAT(Filters(five.subscribe), ElementsAre("kept", "unsure", "other", "new", "gone"));
  // What is certain stays so: nothing has to be written for a mere reconnect.
  EXPECT_EQ(five.known[0], Known("kept", 1, true, ChangeMark{1, 0}.identifier()));
}

TEST(Subscriptions, WhatIsGivenUpAndWhatIsNewHaveIdentifiers) {
  constexpr auto kMark = [](std::uint32_t generation, std::uint32_t place) {
    return ChangeMark{generation, place}.identifier();
  };
  const auto plan = [](const std::vector<MqttSubscription>& wanted,
                       const std::vector<KnownSubscription>& known) {
    return PlanSubscriptions(MqttVersion::k5, Identifiers::kAvailable, wanted, known);
  };
  // The first time nothing is given up.
  const SubscriptionPlan first = plan({Wanted("a/+"), Wanted("b")}, {});
  EXPECT_THAT(first.known, ElementsAre(Known("a/+", 1, false), Known("b", 1, false)));
  EXPECT_FALSE(first.has_copies);
  const SubscriptionPlan second =
      plan({Wanted("a/#"), Wanted("b")}, {Known("a/+", 1, true), Known("b", 1, true)});
  EXPECT_THAT(second.known,
              ElementsAre(Known("a/#", 1, false, kMark(1, 0)), Known("b", 1, true, kMark(1, 0)),
                          Known("a/+", 1, false, kMark(1, 1))));
  // What is wanted first, then what is given up.
  EXPECT_THAT(Filters(second.subscribe), ElementsAre("a/#", "b", "a/+"));
  EXPECT_EQ(second.subscribe[2].identifier, kMark(1, 1));
  EXPECT_EQ(second.subscribe[2].subscription.retained, RetainedMessages::kNever);
  EXPECT_TRUE(second.has_copies);
  // The connection broke before that was done, and there is yet another filter.
  const SubscriptionPlan third = plan({Wanted("+/b"), Wanted("b")}, second.known);
  EXPECT_THAT(
      third.known,
      ElementsAre(Known("+/b", 1, false, kMark(2, 0)), Known("b", 1, true, kMark(2, 0)),
                  Known("a/#", 1, false, kMark(2, 1)), Known("a/+", 1, false, kMark(2, 2))));
  // Where all is done the next connection does without; the broker may have kept copies.
  const std::vector<KnownSubscription> done = {Known("+/b", 1, true, kMark(2, 0)),
                                               Known("b", 1, true, kMark(2, 0))};
  const SubscriptionPlan fourth = plan({Wanted("+/b"), Wanted("b")}, done);
  EXPECT_EQ(fourth.known, done);
  EXPECT_EQ(fourth.subscribe[0].identifier, 0U);
  EXPECT_TRUE(fourth.has_copies);
  // And the next change is another one.
  EXPECT_EQ(plan({Wanted("c"), Wanted("b")}, done).known[0], Known("c", 1, false, kMark(3, 0)));
  EXPECT_FALSE(plan({Wanted("+/b")}, {Known("+/b", 1, true)}).has_copies);
  // Nothing is new beside it.
  EXPECT_THAT(Filters(plan({Wanted("b")}, {Known("a", 1, true), Known("b", 1, true)}).subscribe),
              ElementsAre("b"));
  // A broker without identifiers.
  const SubscriptionPlan without = PlanSubscriptions(MqttVersion::k5, Identifiers::kNone,
                                                     {Wanted("a/#")}, {Known("a/+", 1, true)});
  EXPECT_FALSE(without.has_copies);
  EXPECT_THAT(Filters(without.subscribe), ElementsAre("a/#"));
}

}  // namespace
}  // namespace runnel

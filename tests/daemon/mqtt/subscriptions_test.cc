#include "daemon/mqtt/subscriptions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST(Subscriptions, IdentifiersFollowFromTheFilter) {
  std::vector<MqttSubscription> two = {Wanted("a/+"), Wanted("b/#")};
  std::vector<MqttSubscription> three = {Wanted("b/#"), Wanted("c"), Wanted("a/+")};
  AssignIdentifiers(two);
  AssignIdentifiers(three);
  EXPECT_EQ(two[0].identifier, three[2].identifier);
  EXPECT_EQ(two[1].identifier, three[0].identifier);
  for (const MqttSubscription& one : three) {
    EXPECT_GE(one.identifier, 1U);
    EXPECT_LE(one.identifier, 268'435'455U);
  }
}

TEST(Subscriptions, FiltersWithTheSameHashAreToldApart) {
  std::vector<MqttSubscription> same = {Wanted("a"), Wanted("a")};
  AssignIdentifiers(same);
  EXPECT_EQ(same[0].identifier + 1, same[1].identifier);
}

TEST(Subscriptions, ReadsBackWhatItWrote) {
  std::vector<KnownSubscription> known = {{Wanted("a/+", 2), true}, {Wanted("b\n/#"), false}};
  known[1].subscription.identifier = 7;
  known[1].subscription.retained = RetainedMessages::kNever;
  const std::string bytes = EncodeSubscriptions(known);
  const auto read = DecodeSubscriptions(bytes);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read.value(), known);
}

TEST(Subscriptions, RefusesADamagedList) {
  const std::string bytes = EncodeSubscriptions({{Wanted("a/+"), true}});
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

TEST(Subscriptions, ALostSessionGetsEverything) {
  const SubscriptionPlan plan =
      PlanSubscriptions(MqttVersion::k311, {Wanted("a"), Wanted("b")}, {});
  EXPECT_THAT(plan.unsubscribe, IsEmpty());
  EXPECT_THAT(plan.subscribe, ElementsAre(Wanted("a"), Wanted("b")));
  EXPECT_THAT(plan.known, ElementsAre(KnownSubscription{Wanted("a"), false},
                                      KnownSubscription{Wanted("b"), false}));
}

TEST(Subscriptions, AKeptSessionGetsTheDifference) {
  const std::vector<KnownSubscription> known = {{Wanted("kept"), true},
                                                {Wanted("unsure"), false},
                                                {Wanted("other", 0), true},
                                                {Wanted("gone"), true}};
  const std::vector<MqttSubscription> wanted = {Wanted("kept"), Wanted("unsure"), Wanted("other"),
                                                Wanted("new")};
  const SubscriptionPlan old = PlanSubscriptions(MqttVersion::k311, wanted, known);
  EXPECT_THAT(old.unsubscribe, ElementsAre("gone"));
  EXPECT_THAT(old.subscribe, ElementsAre(Wanted("unsure"), Wanted("other"), Wanted("new")));
  const SubscriptionPlan five = PlanSubscriptions(MqttVersion::k5, wanted, known);
  EXPECT_THAT(five.unsubscribe, ElementsAre("gone"));
  EXPECT_EQ(five.subscribe, wanted);
  // What is certain stays so: nothing has to be written for a mere reconnect.
  EXPECT_TRUE(five.known[1].certain);
  EXPECT_EQ(five.known[1].subscription, Wanted("kept"));
}

}  // namespace
}  // namespace runnel

// Receiving from a real broker: qualities of service, sessions, subscriptions, status.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <iostream>
#include <mutex>

#include "tests/support/mosquitto.h"
#include "tests/support/mqtt_harness.h"

namespace runnel {
namespace {

using namespace runnel::testing;
using ::testing::ElementsAre;

class EachVersion : public ::testing::TestWithParam<MqttVersion> {
 protected:
  MqttOptions Options(const std::string& id) { return TestOptions(broker_.url(), id, GetParam()); }
  Mosquitto broker_;
};
INSTANTIATE_TEST_SUITE_P(Versions, EachVersion,
                         ::testing::Values(MqttVersion::k5, MqttVersion::k311),
                         [](const auto& version) {
                           return version.param == MqttVersion::k5 ? "v5" : "v311";
                         });

TEST_P(EachVersion, ReceivesAndPublishesWithEachQos) {
  TemporaryFolder folder;
  MqttOptions options = Options("receiver");
  if (GetParam() == MqttVersion::k311) options.inbound_store = folder.path() + "/inbound";
  MqttHarness receiver(options);
  receiver.Start({Subscription("q/#", 2)});
  const MqttConnected connected = receiver.WaitFor<MqttConnected>();
  EXPECT_EQ(connected.url, broker_.url());
  EXPECT_FALSE(connected.session_present);
  EXPECT_EQ(connected.receive_maximum, GetParam() == MqttVersion::k5 ? 20 : 65'535);
  const MqttSubscribed subscribed = receiver.WaitFor<MqttSubscribed>();
  ASSERT_EQ(subscribed.results.size(), 1U);
  EXPECT_TRUE(subscribed.results[0].granted);
  EXPECT_EQ(subscribed.results[0].qos, 2);

  MqttHarness sender(Options("sender"));
  sender.Start();
  sender.WaitFor<MqttConnected>();
  for (int qos = 0; qos <= 2; ++qos) {
    sender.Publish("q/" + std::to_string(qos), std::string(1, static_cast<char>('a' + qos)), qos,
                   static_cast<std::uint64_t>(qos));
  }
  sender.WaitForResults(3);
  receiver.WaitForMessages(3);
  for (const auto& [context, failure] : sender.results()) {
    EXPECT_FALSE(failure.has_value()) << context << ": " << failure->reason;
  }
  EXPECT_EQ(sender.client().unfinished(), 0U);
  std::map<std::string, ReceivedMessage> by_topic;
  for (const ReceivedMessage& one : receiver.messages()) by_topic[one.topic] = one;
  ASSERT_EQ(by_topic.size(), 3U);
  for (int qos = 0; qos <= 2; ++qos) {
    const ReceivedMessage& one = by_topic["q/" + std::to_string(qos)];
    EXPECT_EQ(one.qos, qos);
    EXPECT_EQ(one.payload, std::string(1, static_cast<char>('a' + qos)));
    EXPECT_FALSE(one.dup);
    EXPECT_EQ(one.packet_id != 0, qos > 0);
  }
}

TEST_P(EachVersion, AnEmptyPayloadAndABinaryOneArriveWhole) {
  MqttHarness receiver(Options("receiver"));
  receiver.Start({Subscription("b")});
  receiver.WaitFor<MqttSubscribed>();
  std::string binary;
  for (int i = 0; i < 256; ++i) binary += static_cast<char>(i);
  receiver.Publish("b", "", 1);
  receiver.Publish("b", binary, 1);
  receiver.WaitForMessages(2);
  EXPECT_EQ(receiver.messages()[0].payload, "");
  EXPECT_EQ(receiver.messages()[1].payload, binary);
}

TEST_P(EachVersion, TheSessionKeepsMessagesWhileTheClientIsAway) {
  MqttHarness sender(Options("sender"));
  sender.Start();
  sender.WaitFor<MqttConnected>();
  {
    MqttHarness receiver(Options("receiver"));
    receiver.Start({Subscription("s")});
    receiver.WaitFor<MqttSubscribed>();
    EXPECT_TRUE(receiver.Stop());
    EXPECT_EQ(receiver.Count<MqttStopped>(), 1U);
  }
  sender.Publish("s", "kept", 1);
  sender.WaitForResults(1);
  MqttHarness again(Options("receiver"));
  again.Start({Subscription("s")});
  again.WaitForMessages(1);
  EXPECT_TRUE(again.WaitFor<MqttConnected>().session_present);
  EXPECT_EQ(again.messages()[0].payload, "kept");
}

TEST_P(EachVersion, ABrokerThatForgotTheSessionIsSubscribedToAgain) {
  MqttHarness receiver(Options("receiver"));
  receiver.Start({Subscription("s")});
  receiver.WaitFor<MqttSubscribed>();
  broker_.Kill();
  receiver.WaitFor<MqttConnectionLost>();
  broker_.DeleteStore();
  broker_.Start();
  EXPECT_FALSE(receiver.WaitFor<MqttConnected>(2).session_present);
  EXPECT_TRUE(receiver.WaitFor<MqttSubscribed>(2).results[0].granted);
  receiver.Publish("s", "after", 1);
  receiver.WaitForMessages(1);
}

TEST_P(EachVersion, ABrokerThatKeptTheSessionResumesIt) {
  MqttHarness receiver(Options("receiver"));
  receiver.Start({Subscription("s")});
  receiver.WaitFor<MqttSubscribed>();
  broker_.Stop();
  EXPECT_GT(receiver.WaitFor<MqttConnectionLost>().retry_after.count(), 0);
  broker_.Start();
  EXPECT_TRUE(receiver.WaitFor<MqttConnected>(2).session_present);
  EXPECT_TRUE(receiver.WaitFor<MqttSubscribed>(2).results[0].granted);
  receiver.Publish("s", "after", 1);
  receiver.WaitForMessages(1);
}

TEST_P(EachVersion, StartsWhileTheBrokerIsAway) {
  broker_.Kill();
  MqttHarness receiver(Options("receiver"));
  receiver.Start({Subscription("s")});
  const MqttConnectFailed failed = receiver.WaitFor<MqttConnectFailed>();
  EXPECT_EQ(failed.error.message, "connecting to `" + broker_.url() +
                                      "`: connection refused: nothing listens on that port");
  EXPECT_EQ(failed.error.kind, ErrorKind::kRetry);
  broker_.Start();
  EXPECT_TRUE(receiver.WaitFor<MqttSubscribed>().results[0].granted);
}

TEST_P(EachVersion, RetainedMessagesComeOncePerSession) {
  TemporaryFolder folder;
  MqttOptions options = Options("receiver");
  options.subscriptions_file = folder.path() + "/subscriptions.receiver";
  MqttHarness sender(Options("sender"));
  sender.Start();
  sender.WaitFor<MqttConnected>();
  sender.Publish("r", "retained", 1, 0, /*retain=*/true);
  sender.WaitForResults(1);
  {
    MqttHarness receiver(options);
    receiver.Start({Subscription("r")});
    receiver.WaitForMessages(1);
    EXPECT_TRUE(receiver.messages()[0].retained);
    receiver.WaitFor<MqttSubscribed>();
    EXPECT_TRUE(receiver.Stop());
  }
  MqttHarness receiver(options);
  receiver.Start({Subscription("r")});
  receiver.WaitFor<MqttSubscribed>();
  sender.Publish("r", "live", 1);
  receiver.WaitForMessages(1);
  EXPECT_EQ(receiver.messages()[0].payload, "live");
  EXPECT_FALSE(receiver.messages()[0].retained);
}

TEST_P(EachVersion, FiltersThatNobodyWantsAreUnsubscribedAfterARestart) {
  TemporaryFolder folder;
  MqttOptions options = Options("receiver");
  options.subscriptions_file = folder.path() + "/subscriptions.receiver";
  {
    MqttHarness receiver(options);
    receiver.Start({Subscription("old"), Subscription("kept")});
    receiver.WaitFor<MqttSubscribed>();
    EXPECT_TRUE(receiver.Stop());
  }
  MqttHarness receiver(options);
  receiver.Start({Subscription("kept"), Subscription("new")});
  EXPECT_TRUE(receiver.WaitFor<MqttConnected>().session_present);
  EXPECT_EQ(receiver.WaitFor<MqttSubscribed>().results.size(), 2U);
  for (const char* topic : {"old", "kept", "new"}) receiver.Publish(topic, topic, 1);
  receiver.WaitForMessages(2);
  EXPECT_EQ(receiver.messages()[0].topic, "kept");
  EXPECT_EQ(receiver.messages()[1].topic, "new");
}

TEST_P(EachVersion, SubscriptionsChangeWhileConnected) {
  MqttHarness receiver(Options("receiver"));
  receiver.Start({Subscription("a")});
  receiver.WaitFor<MqttSubscribed>();
  receiver.client().SetSubscriptions({Subscription("b")});
  EXPECT_EQ(receiver.WaitFor<MqttSubscribed>(2).results[0].filter, "b");
  receiver.Publish("a", "a", 1);
  receiver.Publish("b", "b", 1);
  receiver.WaitForMessages(1);
  EXPECT_EQ(receiver.messages()[0].topic, "b");
}

TEST_P(EachVersion, TheStatusTopicTellsBirthGoodbyeAndDeath) {
  MqttHarness watcher(Options("watcher"));
  watcher.Start({Subscription("status/#")});
  watcher.WaitFor<MqttSubscribed>();
  MqttOptions options = Options("device");
  options.status = MqttStatusTopic{"status/device"};
  {
    MqttHarness device(options);
    device.Start();
    watcher.WaitForMessages(1);
    EXPECT_TRUE(device.Stop());
  }
  watcher.WaitForMessages(2);
  EXPECT_EQ(watcher.messages()[0].payload, "online");
  EXPECT_EQ(watcher.messages()[1].payload, "offline");
}

// Filters change back and forth while messages come, half of them with the same bytes as the one
// before: none is lost, and where the broker sends one twice it is told, but for those between two
// packets that are sent one behind the other.
TEST(Receive, NothingIsLostWhileFiltersChange) {
  Mosquitto broker;
  MqttHarness receiver(TestOptions(broker.url(), "receiver"));
  MqttHarness sender(TestOptions(broker.url(), "sender"));
  const std::vector<std::string> filters = {"a/+", "a/#", "+/b"};
  receiver.Start({Subscription(filters[0])});
  receiver.WaitFor<MqttSubscribed>();
  sender.Start();
  sender.WaitFor<MqttConnected>();
  std::size_t sent = 0;
  for (std::size_t change = 1; change <= 30; ++change) {
    receiver.client().SetSubscriptions({Subscription(filters[change % filters.size()])});
    for (int i = 0; i < 20; ++i, ++sent) {
      sender.Publish("a/b", std::to_string(sent / 2), 1, sent);
    }
    receiver.WaitFor<MqttSubscribed>(change + 1);
  }
  receiver.client().SetSubscriptions({Subscription("a/b"), Subscription("end")});
  receiver.WaitFor<MqttSubscribed>(32);
  sender.WaitForResults(sent);
  sender.Publish("end", "", 1, sent);
  receiver.WaitForMessageOn("end");
  std::vector<int> taken(sent / 2);
  std::size_t copies = 0;
  for (const ReceivedMessage& one : receiver.messages()) {
    if (one.copy) ++copies;
    if (!one.copy && one.topic != "end") ++taken[std::stoul(one.payload)];
  }
  int twice = 0;
  for (std::size_t i = 0; i < taken.size(); ++i) {
    EXPECT_GE(taken[i], 2) << i;
    twice += std::max(taken[i] - 2, 0);
  }
  std::cout << copies << " copies of " << sent << " messages, " << twice << " not told\n";
}

TEST(Receive, SharedSubscriptionsShare) {
  Mosquitto broker;
  MqttHarness one(TestOptions(broker.url(), "one"));
  MqttHarness two(TestOptions(broker.url(), "two"));
  std::atomic<int> received{0};
  const auto count = [&](const MqttMessage&) {
    ++received;
    received.notify_all();
  };
  one.on_message = count;
  two.on_message = count;
  one.Start({Subscription("$share/g/a")});
  two.Start({Subscription("$share/g/a")});
  one.WaitFor<MqttSubscribed>();
  two.WaitFor<MqttSubscribed>();
  for (std::uint64_t i = 0; i < 20; ++i) one.Publish("a", "x", 1, i);
  for (int now = received; now < 20; now = received) received.wait(now);
  EXPECT_EQ(one.messages().size() + two.messages().size(), 20U);
  EXPECT_GT(one.messages().size(), 0U);
  EXPECT_GT(two.messages().size(), 0U);
}

// A handler that waits holds Paho's lock: Stop() ends all the same, and says so.
TEST(Receive, StopEndsWhileAHandlerWaits) {
  Mosquitto broker;
  MqttHarness receiver(TestOptions(broker.url(), "receiver"));
  std::atomic<bool> open{false};
  std::atomic<bool> waiting{false};
  receiver.on_message = [&](const MqttMessage&) {
    waiting = true;
    waiting.notify_all();
    open.wait(false);
  };
  receiver.Start({Subscription("a")});
  receiver.WaitFor<MqttSubscribed>();
  receiver.Publish("a", "x", 1);
  waiting.wait(false);
  EXPECT_FALSE(receiver.Stop(std::chrono::seconds(1)));
  open = true;
  open.notify_all();
  EXPECT_TRUE(receiver.Stop());
}

}  // namespace
}  // namespace runnel

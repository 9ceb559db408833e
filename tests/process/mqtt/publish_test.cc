// Publishing to a real broker: windows, limits, lost connections.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "tests/support/mosquitto.h"
#include "tests/support/mqtt_harness.h"

namespace runnel {
namespace {

using namespace runnel::testing;

// The next publication goes out from the completion of the last one, as with a window.
class Window final {
 public:
  Window(MqttHarness& harness, std::uint64_t count) : harness_(harness), count_(count) {
    harness_.on_published = [this](const MqttPublishResult&) { Next(); };
  }
  void Open(std::uint64_t size) {
    for (std::uint64_t i = 0; i < size; ++i) Next();
  }

 private:
  void Next() {
    const std::uint64_t mine = sent_++;
    if (mine < count_) harness_.Publish("w", std::to_string(mine), 1, mine);
  }

  MqttHarness& harness_;
  const std::uint64_t count_;
  std::atomic<std::uint64_t> sent_{0};
};

// With a window at the broker's Receive Maximum of 20, Paho must never be the one that
// waits: each of its stalls lasts a second, and 5,000 messages in windows of 20 would be
// 250 of them, more than the harness waits for.
TEST(Publish, AWindowAtTheReceiveMaximumNeverStalls) {
  Mosquitto broker;
  MqttHarness sender(TestOptions(broker.url(), "sender"));
  sender.Start();
  ASSERT_EQ(sender.WaitFor<MqttConnected>().receive_maximum, 20);
  constexpr std::uint64_t kCount = 5'000;
  Window window(sender, kCount);
  window.Open(20);
  sender.WaitForResults(kCount);
  for (const auto& [context, failure] : sender.results()) {
    EXPECT_FALSE(failure.has_value()) << context << ": " << failure->reason;
  }
  EXPECT_EQ(sender.results().size(), kCount);
}

TEST(Publish, UserPropertiesAreTakenInVersion5) {
  Mosquitto broker;
  MqttHarness sender(TestOptions(broker.url(), "sender"));
  sender.Start({Subscription("p")});
  sender.WaitFor<MqttSubscribed>();
  const std::pair<std::string_view, std::string_view> properties[] = {{"runnel-id", "gw/p/0/1/7"}};
  MqttPublication publication;
  publication.topic = "p";
  publication.payload = "x";
  publication.qos = 1;
  publication.user_properties = properties;
  ASSERT_FALSE(sender.client().Publish(publication).has_value());
  sender.WaitForResults(1);
  sender.WaitForMessages(1);
}

TEST(Publish, LargerThanTheBrokersMaximumIsRefusedAtOnce) {
  Mosquitto broker({.config = "max_packet_size 1000", .listener = ""});
  MqttHarness sender(TestOptions(broker.url(), "sender"));
  sender.Start({Subscription("t")});
  EXPECT_EQ(sender.WaitFor<MqttConnected>().maximum_packet_size, 1'000U);
  sender.WaitFor<MqttSubscribed>();
  // Header 3, topic 3, packet identifier 2, properties 1.
  sender.Publish("t", std::string(991, 'x'), 1, 1);
  sender.WaitForResults(1);
  EXPECT_FALSE(sender.results()[1].has_value());
  MqttPublication publication;
  publication.topic = "t";
  const std::string payload(992, 'x');
  publication.payload = payload;
  publication.qos = 1;
  const auto failure = sender.client().Publish(publication);
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->kind, MqttFailure::kTooLarge);
  EXPECT_EQ(failure->reason, "a packet of 1001 bytes is larger than the broker's maximum of 1000");
  EXPECT_EQ(sender.client().unfinished(), 0U);
  sender.WaitForMessages(1);
}

TEST(Publish, TopicsThatWouldEndTheConnectionAreRejected) {
  Mosquitto broker;
  MqttHarness sender(TestOptions(broker.url(), "sender"));
  sender.Start();
  sender.WaitFor<MqttConnected>();
  const struct {
    std::string topic, reason;
  } cases[] = {
      {"", "the topic has 0 bytes, expected 1 to 65535"},
      {std::string(65'536, 'x'), "the topic has 65536 bytes, expected 1 to 65535"},
      {"a/+", "the topic has `+`, `#` or a NUL character"},
      {std::string("a\0b", 3), "the topic has `+`, `#` or a NUL character"},
      {"a/\xff", "the topic has a control character, a non-character or bytes that are no UTF-8"},
      {"a/\u0085", "the topic has a control character, a non-character or bytes that are no UTF-8"},
      {"a/\ufffe", "the topic has a control character, a non-character or bytes that are no UTF-8"},
  };
  for (const auto& test : cases) {
    MqttPublication publication;
    publication.topic = test.topic;
    const auto failure = sender.client().Publish(publication);
    ASSERT_TRUE(failure.has_value()) << test.topic;
    EXPECT_EQ(failure->kind, MqttFailure::kRejected);
    EXPECT_EQ(failure->reason, test.reason);
  }
  EXPECT_EQ(sender.client().unfinished(), 0U);
  EXPECT_EQ(sender.Count<MqttConnectionLost>(), 0U);
}

TEST(Publish, WithoutAConnectionIsRefusedAtOnce) {
  MqttHarness sender(TestOptions("mqtt://127.0.0.1:1", "sender"));
  MqttPublication publication;
  publication.topic = "a";
  EXPECT_EQ(sender.client().Publish(publication)->kind, MqttFailure::kReconnect);
  sender.Start();
  sender.WaitFor<MqttConnectFailed>();
  EXPECT_EQ(sender.client().Publish(publication)->kind, MqttFailure::kReconnect);
}

// What the broker forgot with the session comes back as failed, and only that: each
// publication has one result, and what is acknowledged or sent again arrives.
TEST(Publish, EachHasOneResultAcrossALostSession) {
  for (const MqttVersion version : {MqttVersion::k5, MqttVersion::k311}) {
    Mosquitto broker;
    std::mutex results_mutex;
    std::multiset<std::uint64_t> contexts;
    MqttHarness sender(TestOptions(broker.url(), "sender", version));
    sender.on_published = [&](const MqttPublishResult& result) {
      const std::lock_guard lock(results_mutex);
      contexts.insert(result.context);
    };
    sender.Start();
    sender.WaitFor<MqttConnected>();
    // In windows of 19, within the Receive Maximum of 20; the last one meets a broker that
    // reads nothing more and then dies. Each write succeeds: behind one that fails, the process
    // must end (MqttFailure::kMemoryLost).
    std::uint64_t accepted = 0;
    for (int window = 0; window < 20; ++window) {
      const std::uint64_t before = accepted;
      if (window == 19) broker.Hang();
      for (int i = 0; i < 19; ++i) {
        MqttPublication publication;
        publication.topic = "l";
        publication.payload = "x";
        publication.qos = i % 3;
        publication.context = accepted;
        if (!sender.client().Publish(publication).has_value()) ++accepted;
      }
      // Sent in order: with the last one, of QoS 0, all are written, 7 of them with QoS 0.
      sender.WaitForResults(window < 19 ? accepted : before + 7);
    }
    EXPECT_EQ(sender.results().size(), accepted - 12);
    broker.Kill();
    sender.WaitFor<MqttConnectionLost>();
    broker.Start();
    sender.WaitFor<MqttConnected>(2);
    sender.WaitForResults(accepted);
    EXPECT_EQ(sender.client().unfinished(), 0U);
    for (const auto& [context, failure] : sender.results()) {
      EXPECT_TRUE(!failure || failure->kind == MqttFailure::kReconnect) << failure->reason;
    }
    EXPECT_TRUE(sender.Stop());
    const std::lock_guard lock(results_mutex);
    EXPECT_EQ(contexts.size(), accepted);
    EXPECT_EQ(std::set<std::uint64_t>(contexts.begin(), contexts.end()).size(), accepted);
  }
}

TEST(Publish, WhatIsUnfinishedAtStopFails) {
  Mosquitto broker;
  MqttHarness sender(TestOptions(broker.url(), "sender"));
  sender.Start();
  sender.WaitFor<MqttConnected>();
  std::uint64_t accepted = 0;
  for (std::uint64_t i = 0; i < 2'000; ++i) {
    MqttPublication publication;
    publication.topic = "u";
    publication.qos = 1;
    publication.context = i;
    if (!sender.client().Publish(publication).has_value()) ++accepted;
  }
  EXPECT_TRUE(sender.Stop());
  EXPECT_EQ(sender.results().size(), accepted);
  EXPECT_EQ(sender.client().unfinished(), 0U);
}

}  // namespace
}  // namespace runnel

// What goes over the wire, against a broker that the test plays itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "tests/support/fake_broker.h"
#include "tests/support/mqtt_harness.h"

namespace runnel {
namespace {

using namespace runnel::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Bytes(std::initializer_list<int> values) {
  std::string bytes;
  for (const int value : values) bytes += static_cast<char>(value);
  return bytes;
}

enum class Session { kNew, kPresent };

void SendConnack(FakeBroker& broker, Session session = Session::kNew,
                 const std::string& properties = "") {
  broker.Send(
      0x20, Bytes({session == Session::kPresent ? 1 : 0, 0, static_cast<int>(properties.size())}) +
                properties);
}

// The packet identifier of a SUBSCRIBE or PUBLISH with a topic of one character.
std::string PacketId(const MqttPacket& packet) {
  return packet.type == 3 ? packet.body.substr(3, 2) : packet.body.substr(0, 2);
}

TEST(Wire, ConnectSaysWhatTheOptionsSay) {
  FakeBroker broker;
  MqttOptions options = TestOptions(broker.url(), "id");
  options.session_expiry = std::chrono::seconds(0x01020304);
  options.receive_maximum = 0x0506;
  options.keep_alive = std::chrono::seconds(61);
  options.user = "u";
  options.password = "p";
  options.status = MqttStatusTopic{"s", "here", "gone"};
  MqttHarness client(options);
  client.Start();
  const MqttPacket connect = broker.Accept();
  // User, password, will retained with QoS 1, no clean start; then keep alive, properties
  // (session expiry, receive maximum), client id, will (no properties), user, password.
  EXPECT_EQ(connect.body, Bytes({0, 4}) + "MQTT" +
                              Bytes({5, 0xec, 0, 61, 8, 0x11, 1, 2, 3, 4, 0x21, 5, 6}) +
                              Bytes({0, 2}) + "id" + Bytes({0, 0, 1}) + "s" + Bytes({0, 4}) +
                              "gone" + Bytes({0, 1}) + "u" + Bytes({0, 1}) + "p");
  SendConnack(broker);
  const MqttPacket birth = broker.ReadType(3);
  EXPECT_EQ(birth.flags, 1);  // QoS 0, retained: see PahoClient::PublishStatus
  EXPECT_THAT(birth.body, HasSubstr("here"));
}

TEST(Wire, Version311HasItsOwnConnect) {
  FakeBroker broker;
  MqttHarness client(TestOptions(broker.url(), "id", MqttVersion::k311));
  client.Start();
  EXPECT_EQ(broker.Accept().body, Bytes({0, 4}) + "MQTT" + Bytes({4, 0, 0, 60, 0, 2}) + "id");
}

TEST(Wire, ACleanSessionEndsWithTheConnection) {
  FakeBroker broker;
  MqttOptions options = TestOptions(broker.url(), "id");
  options.session = MqttSession::kClean;
  MqttHarness client(options);
  client.Start();
  EXPECT_EQ(broker.Accept().body,
            Bytes({0, 4}) + "MQTT" + Bytes({5, 2, 0, 60, 3, 0x21, 0, 100, 0, 2}) + "id");
}

TEST(Wire, SubscribeHasRetainHandling) {
  FakeBroker broker;
  MqttSubscription silent = Subscription("b", 1);
  silent.retained = RetainedMessages::kNever;
  MqttHarness client(TestOptions(broker.url(), "id"));
  client.Start({Subscription("a", 2), silent});
  broker.Accept();
  SendConnack(broker);
  EXPECT_EQ(broker.ReadType(8).body.substr(2), Bytes({0, 0, 1}) + "a" + Bytes({0x12}));
  EXPECT_EQ(broker.ReadType(8).body.substr(2), Bytes({0, 0, 1}) + "b" + Bytes({0x21}));
}

void Grant(FakeBroker& broker, const MqttPacket& subscribe) {
  broker.Send(0x90, PacketId(subscribe) + Bytes({0, 1}));
}

// What a broker sends for an old filter and for a new one are copies; the same bytes once more for
// one of them are another message. The next connection has no identifiers.
TEST(Wire, CopiesAreToldWhileAFilterIsChanged) {
  FakeBroker broker;
  MqttHarness client(TestOptions(broker.url(), "id"));
  client.Start({Subscription("a/+", 1)});
  broker.Accept();
  SendConnack(broker);
  Grant(broker, broker.ReadType(8));
  client.WaitFor<MqttSubscribed>();
  client.client().SetSubscriptions({Subscription("a/#", 1)});
  const std::string old_mark = Bytes({4, 0x0b, 0x81, 0x80, 1});
  const std::string new_mark = Bytes({4, 0x0b, 0x80, 0x80, 1});
  const MqttPacket subscribe = broker.ReadType(8);
  EXPECT_EQ(subscribe.body.substr(2), new_mark + Bytes({0, 3}) + "a/#" + Bytes({0x11}));
  const MqttPacket again = broker.ReadType(8);
  EXPECT_EQ(again.body.substr(2), old_mark + Bytes({0, 3}) + "a/+" + Bytes({0x21}));
  const MqttPacket unsubscribe = broker.ReadType(10);
  const std::string topic = Bytes({0, 3}) + "a/b";
  const std::string before = topic + Bytes({0}) + "x";
  const std::string old_one = topic + old_mark + "x";
  const std::string new_one = topic + new_mark + "x";
  for (const std::string& one : {before, new_one, old_one, old_one, new_one, new_one, old_one}) {
    broker.Send(0x30, one);
  }
  Grant(broker, again);
  Grant(broker, subscribe);
  broker.Send(0xb0, PacketId(unsubscribe) + Bytes({0, 0}));
  client.WaitFor<MqttSubscribed>(2);
  broker.Send(0x30, new_one);
  client.WaitForMessages(8);
  std::vector<bool> copies;
  for (const ReceivedMessage& one : client.messages()) copies.push_back(one.copy);
  EXPECT_THAT(copies, ElementsAre(false, false, true, false, true, false, true, false));
  broker.Accept();  // ends the first connection
  SendConnack(broker, Session::kPresent);
  EXPECT_EQ(broker.ReadType(8).body.substr(2), Bytes({0, 0, 3}) + "a/#" + Bytes({0x11}));
}

// A broker that grants so many filters and no more.
TEST(Wire, WhatIsRefusedBesideWhatIsGivenUpIsWantedOnceMore) {
  FakeBroker broker;
  MqttHarness client(TestOptions(broker.url(), "id", MqttVersion::k311));
  client.Start({Subscription("a", 1)});
  broker.Accept();
  broker.Send(0x20, Bytes({0, 0}));
  const auto answer = [&](int code) {
    const MqttPacket subscribe = broker.ReadType(8);
    broker.Send(0x90, PacketId(subscribe) + Bytes({code}));
    return subscribe.body.substr(2);
  };
  answer(1);
  client.WaitFor<MqttSubscribed>();
  client.client().SetSubscriptions({Subscription("b", 1)});
  const std::string wanted = answer(0x80);
  broker.Send(0xb0, PacketId(broker.ReadType(10)));
  EXPECT_EQ(answer(1), wanted);
  const MqttSubscribed subscribed = client.WaitFor<MqttSubscribed>(2);
  ASSERT_EQ(subscribed.results.size(), 1U);
  EXPECT_TRUE(subscribed.results[0].granted);
}

TEST(Wire, IdentifiersAreLeftOutWhereTheBrokerHasNone) {
  FakeBroker broker;
  MqttHarness client(TestOptions(broker.url(), "id"));
  client.Start({Subscription("a", 1)});
  broker.Accept();
  SendConnack(broker, Session::kNew, Bytes({0x29, 0}));
  Grant(broker, broker.ReadType(8));
  client.WaitFor<MqttSubscribed>();
  client.client().SetSubscriptions({Subscription("b", 1)});
  EXPECT_EQ(broker.ReadType(8).body.substr(2), Bytes({0, 0, 1}) + "b" + Bytes({0x11}));
}

TEST(Wire, ARefusedFilterIsToldWithItsReason) {
  FakeBroker broker;
  MqttHarness client(TestOptions(broker.url(), "id"));
  client.Start({Subscription("a", 1), Subscription("b", 2)});
  broker.Accept();
  SendConnack(broker);
  broker.Send(0x90, PacketId(broker.ReadType(8)) + Bytes({0, 0x87}));
  broker.Send(0x90, PacketId(broker.ReadType(8)) + Bytes({0, 1}));
  const MqttSubscribed subscribed = client.WaitFor<MqttSubscribed>();
  ASSERT_EQ(subscribed.results.size(), 2U);
  EXPECT_FALSE(subscribed.results[0].granted);
  EXPECT_EQ(subscribed.results[0].reason, "not authorized (0x87)");
  EXPECT_TRUE(subscribed.results[1].granted);
  EXPECT_EQ(subscribed.results[1].qos, 1);
}

TEST(Wire, Version311RefusesAFilterWithoutAReason) {
  FakeBroker broker;
  MqttHarness client(TestOptions(broker.url(), "id", MqttVersion::k311));
  client.Start({Subscription("a", 1), Subscription("b", 2)});
  broker.Accept();
  broker.Send(0x20, Bytes({0, 0}));
  broker.Send(0x90, PacketId(broker.ReadType(8)) + Bytes({0x80}));
  broker.Send(0x90, PacketId(broker.ReadType(8)) + Bytes({2}));
  const MqttSubscribed subscribed = client.WaitFor<MqttSubscribed>();
  EXPECT_EQ(subscribed.results[0].reason, "refused without a reason (0x80)");
  EXPECT_EQ(subscribed.results[1].qos, 2);
}

TEST(Wire, PubackFollowsTheHandler) {
  for (const MqttVersion version : {MqttVersion::k5, MqttVersion::k311}) {
    FakeBroker broker;
    MqttHarness client(TestOptions(broker.url(), "id", version));
    std::mutex gate;
    std::unique_lock closed(gate);
    client.on_message = [&](const MqttMessage&) { const std::lock_guard lock(gate); };
    client.Start();
    broker.Accept();
    const bool v5 = version == MqttVersion::k5;
    broker.Send(0x20, v5 ? Bytes({0, 0, 0}) : Bytes({0, 0}));
    broker.Send(0x32, Bytes({0, 1}) + "t" + Bytes({0, 7}) + (v5 ? Bytes({0}) : "") + "x");
    EXPECT_TRUE(broker.IsSilent());
    closed.unlock();
    EXPECT_EQ(broker.ReadType(4).body, Bytes({0, 7}));
  }
}

// The packet identifier and DUP of a repeat, which ingest recognises it by.
TEST(Wire, ARepeatShowsDupAndTheSamePacketIdentifier) {
  for (const MqttVersion version : {MqttVersion::k5, MqttVersion::k311}) {
    FakeBroker broker;
    MqttHarness client(TestOptions(broker.url(), "id", version));
    client.Start();
    broker.Accept();
    const std::string end = version == MqttVersion::k5 ? Bytes({0}) : "";
    broker.Send(0x20, Bytes({0, 0}) + end);
    const std::string publish = Bytes({0, 1}) + "t" + Bytes({0x12, 0x34}) + end + "x";
    broker.Send(0x32, publish);
    client.WaitForMessages(1);
    broker.Accept();  // ends the first connection
    broker.Send(0x20, Bytes({1, 0}) + end);
    broker.Send(0x3a, publish);
    client.WaitForMessages(2);
    EXPECT_TRUE(client.WaitFor<MqttConnected>(2).session_present);
    EXPECT_FALSE(client.messages()[0].dup);
    EXPECT_EQ(client.messages()[0].packet_id, 0x1234);
    EXPECT_TRUE(client.messages()[1].dup);
    EXPECT_EQ(client.messages()[1].packet_id, 0x1234);
  }
}

TEST(Wire, EachSubscriptionIdentifierOfAMessageIsSeen) {
  FakeBroker broker;
  MqttHarness client(TestOptions(broker.url(), "id"));
  client.Start();
  broker.Accept();
  SendConnack(broker);
  broker.Send(0x30, Bytes({0, 1}) + "t" + Bytes({5, 0x0b, 3, 0x0b, 0x80, 0x01}) + "x");
  broker.Send(0x30, Bytes({0, 1}) + "t" + Bytes({0}) + "y");
  client.WaitForMessages(2);
  EXPECT_THAT(client.messages()[0].subscription_ids, ElementsAre(3, 128));
  EXPECT_THAT(client.messages()[1].subscription_ids, ElementsAre());
}

TEST(Wire, ReasonsOfPubackAreSorted) {
  const struct {
    int reason;
    std::optional<MqttFailure> kind;
    std::string words;
  } cases[] = {
      {0x00, std::nullopt, ""},
      {0x10, std::nullopt, ""},
      {0x97, MqttFailure::kRetry, "quota exceeded (0x97)"},
      {0x87, MqttFailure::kRejected, "not authorized (0x87)"},
      {0x95, MqttFailure::kTooLarge, "packet too large (0x95)"},
      {0x99, MqttFailure::kRejected, "payload format invalid (0x99)"},
  };
  for (const int qos : {1, 2}) {
    FakeBroker broker;
    MqttHarness client(TestOptions(broker.url(), "id"));
    client.Start();
    broker.Accept();
    SendConnack(broker);
    client.WaitFor<MqttConnected>();
    std::uint64_t context = 0;
    for (const auto& test : cases) {
      client.Publish("t", "x", qos, context++);
      const std::string id = PacketId(broker.ReadType(3));
      broker.Send(qos == 1 ? 0x40 : 0x50, id + Bytes({test.reason, 0}));
      if (qos == 2 && !test.kind) broker.Send(0x70, PacketId(broker.ReadType(6)));
      client.WaitForResults(context);
      const auto failure = client.results()[context - 1];
      ASSERT_EQ(failure.has_value(), test.kind.has_value()) << test.reason;
      if (!failure) continue;
      EXPECT_EQ(failure->kind, *test.kind);
      EXPECT_EQ(failure->reason_code, test.reason);
      EXPECT_EQ(failure->reason, test.words);
    }
  }
}

TEST(Wire, APublicationInFlightIsSentAgainInTheSameSession) {
  FakeBroker broker;
  MqttHarness client(TestOptions(broker.url(), "id"));
  client.Start();
  broker.Accept();
  SendConnack(broker);
  client.WaitFor<MqttConnected>();
  client.Publish("t", "x", 1, 9);
  const MqttPacket first = broker.ReadType(3);
  broker.Accept();
  SendConnack(broker, Session::kPresent);
  const MqttPacket again = broker.ReadType(3);
  EXPECT_EQ(again.flags, first.flags | 8);
  EXPECT_EQ(again.body, first.body);
  broker.Send(0x40, PacketId(again));
  client.WaitForResults(1);
  EXPECT_FALSE(client.results()[9].has_value());
}

TEST(Wire, APublicationInFlightFailsWithTheSession) {
  FakeBroker broker;
  MqttHarness client(TestOptions(broker.url(), "id"));
  client.Start();
  broker.Accept();
  SendConnack(broker);
  client.WaitFor<MqttConnected>();
  client.Publish("t", "x", 1, 9);
  broker.ReadType(3);
  broker.Accept();
  SendConnack(broker, Session::kNew);
  client.WaitForResults(1);
  ASSERT_TRUE(client.results()[9].has_value());
  EXPECT_EQ(client.results()[9]->kind, MqttFailure::kReconnect);
}

TEST(Wire, TheMostUnfinishedPublicationsIsALimit) {
  FakeBroker broker;
  MqttOptions options = TestOptions(broker.url(), "id");
  options.publications_max = 3;
  MqttHarness client(options);
  client.Start();
  broker.Accept();
  SendConnack(broker);
  client.WaitFor<MqttConnected>();
  for (std::uint64_t i = 0; i < 3; ++i) client.Publish("t", "x", 1, i);
  MqttPublication publication;
  publication.topic = "t";
  const auto failure = client.client().Publish(publication);
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->kind, MqttFailure::kRetry);
  EXPECT_EQ(failure->reason, "too many publications are unfinished");
  broker.Send(0x40, PacketId(broker.ReadType(3)));
  client.WaitForResults(1);
  client.Publish("t", "x", 1, 3);
}

TEST(Wire, ATakenOverSessionIsNamedAndLeftAlone) {
  FakeBroker broker;
  MqttHarness client(TestOptions(broker.url(), "twin"));
  client.Start();
  broker.Accept();
  SendConnack(broker);
  client.WaitFor<MqttConnected>();
  broker.Send(0xe0, Bytes({0x8e, 0}));
  const MqttConnectionLost lost = client.WaitFor<MqttConnectionLost>();
  EXPECT_EQ(lost.loss, MqttLoss::kTakenOver);
  EXPECT_EQ(lost.reason, "another client with the client id `twin` took over the session (0x8e)");
  EXPECT_GE(lost.retry_after, std::chrono::milliseconds(100));  // half of this test's cap
  broker.Accept();
  SendConnack(broker);
  client.WaitFor<MqttConnected>(2);
}

TEST(Wire, TheBrokersOwnWordsAreToldWhenItEndsTheConnection) {
  FakeBroker broker;
  MqttHarness client(TestOptions(broker.url(), "id"));
  client.Start();
  broker.Accept();
  SendConnack(broker);
  client.WaitFor<MqttConnected>();
  broker.Send(0xe0, Bytes({0x8b, 6, 0x1f, 0, 3}) + "bye");
  const MqttConnectionLost lost = client.WaitFor<MqttConnectionLost>();
  EXPECT_EQ(lost.loss, MqttLoss::kByBroker);
  EXPECT_EQ(lost.reason, "the broker ended the connection: server shutting down (0x8b): bye");
}

TEST(Wire, ABusyBrokerIsTriedAgain) {
  FakeBroker broker;
  MqttHarness client(TestOptions(broker.url(), "id"));
  client.Start();
  broker.Accept();
  broker.Send(0x20, Bytes({0, 0x89, 0}));
  const MqttConnectFailed failed = client.WaitFor<MqttConnectFailed>();
  EXPECT_EQ(failed.error.kind, ErrorKind::kRetry);
  EXPECT_EQ(failed.error.message, "connecting to `" + broker.url() +
                                      "`: the broker refused the connection: server busy (0x89)");
  broker.Accept();
  SendConnack(broker);
  client.WaitFor<MqttConnected>();
}

TEST(Wire, ABrokerThatNeverAnswersTimesOut) {
  FakeBroker broker;
  MqttOptions options = TestOptions(broker.url(), "id");
  options.connect_timeout = std::chrono::seconds(1);
  MqttHarness client(options);
  client.Start();
  broker.Accept();
  EXPECT_EQ(client.WaitFor<MqttConnectFailed>().error.message,
            "connecting to `" + broker.url() + "`: no answer within 1 s");
  broker.Accept();
  SendConnack(broker);
  client.WaitFor<MqttConnected>();
}

}  // namespace
}  // namespace runnel

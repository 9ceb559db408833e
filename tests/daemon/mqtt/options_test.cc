#include "daemon/mqtt/options.h"

#include <gtest/gtest.h>

#include "daemon/mqtt/client.h"

namespace runnel {
namespace {

MqttOptions Good() {
  MqttOptions options;
  options.urls = {"mqtt://127.0.0.1"};
  options.client_id = "gw";
  return options;
}

TEST(MqttOptions, RefusesWhatContradictsItself) {
  const struct {
    void (*change)(MqttOptions&);
    std::string_view message;
  } cases[] = {
      {[](MqttOptions&) {}, ""},
      {[](MqttOptions& o) { o.urls.clear(); }, "a connection has no broker address"},
      {[](MqttOptions& o) { o.urls.push_back("mqtts://127.0.0.1"); },
       "the addresses of one broker all begin alike, but `mqtt://127.0.0.1` and "
       "`mqtts://127.0.0.1` differ"},
      {[](MqttOptions& o) { o.client_id.clear(); }, "a persistent session needs a client id"},
      {[](MqttOptions& o) {
         o.client_id.clear();
         o.session = MqttSession::kClean;
       },
       ""},
      {[](MqttOptions& o) { o.inbound_store = "/x"; },
       "MQTT 5 is used without an inbound store: with one, QoS 2 messages are lost"},
      {[](MqttOptions& o) {
         o.version = MqttVersion::k311;
         o.password = "x";
       },
       "MQTT 3.1.1 has no password without a user name"},
      {[](MqttOptions& o) { o.receive_maximum = 0; },
       "the receive maximum is 0, expected at least 1"},
      {[](MqttOptions& o) { o.publications_max = 60'001; },
       "at most 60001 publications is out of range, expected 1 to 60000"},
  };
  for (const auto& test : cases) {
    MqttOptions options = Good();
    test.change(options);
    const Status status = CheckMqttOptions(options);
    EXPECT_EQ(status.ok() ? "" : status.error().message, test.message);
  }
}

TEST(MqttClient, IsNotMadeWithWrongOptions) {
  PahoControl control;
  MqttOptions options = Good();
  options.urls.clear();
  const auto client = MqttClient::Create(control, options, {});
  ASSERT_FALSE(client.ok());
  EXPECT_EQ(client.error().kind, ErrorKind::kFix);
}

TEST(MqttClient, StopsWithoutStart) {
  PahoControl control;
  auto client = MqttClient::Create(control, Good(), {});
  ASSERT_TRUE(client.ok());
  EXPECT_TRUE(client.value()->Stop(std::chrono::steady_clock::now() + std::chrono::seconds(5)));
  MqttPublication publication;
  publication.topic = "a";
  const auto failure = client.value()->Publish(publication);
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->reason, "there is no connection");
}

}  // namespace
}  // namespace runnel

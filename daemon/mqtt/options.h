// MqttOptions: everything about one connection, as plain values.
//
// Defaults are the safe ones: MQTT 5, a persistent session, TLS verification.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/mqtt/backoff.h"
#include "pipelines/base/result.h"

namespace runnel {

enum class MqttVersion { k311, k5 };
enum class MqttSession {
  kPersistent,  // the broker keeps subscriptions and messages while this client is away
  kClean,       // nothing outlives the connection
  kOwn,         // persistent, but begun anew by the first connection of each client object,
                // which knows nothing of the packets that a predecessor had in flight
};
enum class TlsVerification {
  kFull,  // chain and host name
  kNone,  // encrypted, but anybody may be at the other end
};

struct MqttTls {
  std::string ca;            // PEM file; empty: the system's authorities
  std::string cert;          // PEM chain of this client, for mTLS; or empty
  std::string key;           // its private key; empty: in `cert`
  std::string key_password;  // of an encrypted key; or empty
  TlsVerification verification = TlsVerification::kFull;
};

// A retained topic that says whether this client is there: the birth is published after
// each connect, the will by the broker when the connection breaks, and by Stop().
struct MqttStatusTopic {
  std::string topic;
  std::string birth = "online";
  std::string will = "offline";
};

struct MqttOptions {
  // As in config/broker_url.h, tried in turn; all with or all without TLS.
  std::vector<std::string> urls;
  std::string client_id;
  std::optional<std::string> user;
  std::optional<std::string> password;
  MqttTls tls;
  MqttVersion version = MqttVersion::k5;
  MqttSession session = MqttSession::kPersistent;
  std::chrono::seconds session_expiry{7 * 24 * 3600};  // MQTT 5, persistent sessions
  // MQTT 5: how many QoS 1 and 2 messages the broker may send ahead of acknowledgement;
  // after a kill at most so many come again.
  std::uint16_t receive_maximum = 100;
  // While a message handler waits, no pings go out: keep this well above such waits, or
  // the broker ends the connection after one and a half of it (and sends again later).
  std::chrono::seconds keep_alive{60};
  std::chrono::seconds connect_timeout{10};
  std::optional<MqttStatusTopic> status;
  // A folder for MQTT 3.1.1 with QoS 2 subscriptions, where Paho loses messages without
  // one; must be empty for MQTT 5, where Paho loses messages with one.
  std::string inbound_store;
  // Where the filters of the broker's session are remembered, so that those nobody wants
  // any more are unsubscribed after a restart; empty: only while this process lives.
  std::string subscriptions_file;
  // What the session may have beside what that file says, or where it is missing or damaged.
  std::vector<std::string> filters_before = {};
  // The most publications that are ever unfinished at the same time.
  std::uint32_t publications_max = 10'000;
  Backoff::Options backoff;
  std::uint64_t backoff_seed = 0;  // of the jitter; 0: from the system
};

// The first thing that is wrong with the options as a whole.
Status CheckMqttOptions(const MqttOptions& options);

}  // namespace runnel

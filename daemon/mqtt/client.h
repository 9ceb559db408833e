// MqttClient: one MQTT connection that keeps itself up, for ingest and for the uplink.
//
// Promises: a message is acknowledged only after its handler took it; an accepted
// publication ends in exactly one result; after a lost connection it connects again
// (jittered delays of up to 30 s) and has the wanted subscriptions, and no others.
// Refuses to lend Paho's types, to queue messages, and to wait for anything except in
// Stop(). A handler must not call Stop() or destroy the client.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/mqtt/options.h"
#include "daemon/mqtt/paho_control.h"
#include "daemon/mqtt/subscriptions.h"

namespace runnel {

// What a message handler sees; valid until it returns.
struct MqttMessage {
  std::string_view topic;
  std::string_view payload;
  int qos = 0;
  bool retained = false;  // sent because of the subscription, from the broker's store
  // The broker may have sent it before. For QoS 2 Paho hides this (`dup_hidden`).
  bool dup = false;
  bool dup_hidden = false;
  std::uint16_t packet_id = 0;  // QoS 1 and 2
  // MQTT 5: which subscriptions it matched, see KnownSubscription::identifier.
  std::span<const std::uint32_t> subscription_ids;
  // The message before has come once more, because the filters change and an old and a new one
  // want it. Needs MQTT 5 and a broker that says which one does.
  bool copy = false;
};

enum class MessageOutcome {
  kTaken,
  // Must not be acknowledged. The receive thread then waits for the end of the process,
  // which has to come from _exit(): Paho cannot refuse a message. The broker sends again.
  kNotTaken,
};

struct MqttConnected {
  std::string url;
  bool session_present = false;
  std::uint16_t receive_maximum = 65'535;  // the most unacknowledged QoS 1 and 2 publications
  std::uint32_t maximum_packet_size = 0;   // 0: no limit
  int maximum_qos = 2;
  bool retain_available = true;
  bool wildcards_available = true;
  bool shared_subscriptions_available = true;
  bool subscription_identifiers_available = true;
};

struct MqttConnectFailed {
  Error error;  // kFix: a human must change something; it is tried again all the same
  std::chrono::milliseconds retry_after{};
};

enum class MqttLoss {
  kClosed,     // the network, or the broker without a word
  kByBroker,   // MQTT 5: the broker said why
  kTakenOver,  // MQTT 5: another client has the same client id
};

struct MqttConnectionLost {
  MqttLoss loss = MqttLoss::kClosed;
  std::string reason;
  std::chrono::milliseconds retry_after{};
};

struct MqttSubscriptionResult {
  std::string filter;
  bool granted = false;
  int qos = 0;         // granted; may be lower than wanted
  std::string reason;  // of a refusal
};

// All SUBSCRIBEs of one connect, or of one change of the filters, were answered.
struct MqttSubscribed {
  std::vector<MqttSubscriptionResult> results;
};

// Stop() is done; the last event.
struct MqttStopped {};

// Something to log that changes nothing, such as a store that cannot be written.
struct MqttWarning {
  std::string message;
};

using MqttEvent = std::variant<MqttConnected, MqttConnectFailed, MqttConnectionLost, MqttSubscribed,
                               MqttStopped, MqttWarning>;

struct MqttPublication {
  std::string_view topic;
  std::string_view payload;
  int qos = 0;
  bool retain = false;
  std::span<const std::pair<std::string_view, std::string_view>> user_properties;  // MQTT 5
  std::uint64_t context = 0;  // comes back in the result
};

enum class MqttFailure {
  kRetry,      // no room here, or the broker's quota is used up: later, same connection
  kReconnect,  // not connected, or the connection broke and the broker has no session
  // The same, and Paho 1.3 has freed what it still means to send: from the failed write of a QoS 1
  // or 2 on it sends, and frees once more, memory that is not its own. Said before that can happen:
  // the process must end at once.
  kMemoryLost,
  kRejected,  // the broker does not want this message; again would be the same
  kTooLarge,  // larger than the broker's Maximum Packet Size
};

struct MqttPublishFailure {
  MqttFailure kind = MqttFailure::kRetry;
  std::uint8_t reason_code = 0;  // the broker's, MQTT 5
  std::string reason;
};

struct MqttPublishResult {
  std::uint64_t context = 0;
  std::optional<MqttPublishFailure> failure;  // empty: acknowledged (QoS 0: written)
};

struct MqttHandlers {
  // On Paho's receive thread, one at a time; may block (back-pressure), which also
  // blocks every other client of this process. Must not throw.
  std::function<MessageOutcome(const MqttMessage&)> on_message;
  // MqttConnected comes on the receive thread, before the first message of that
  // connection; all others on the control thread. One at a time and in order, except
  // that MqttSubscribed, MqttWarning and messages may come at the same time. Must not block.
  std::function<void(const MqttEvent&)> on_event;
  // On Paho's threads or the control thread, maybe two at a time. Must not block.
  std::function<void(const MqttPublishResult&)> on_published;
};

class MqttClient final {
 public:
  // `control` outlives the client. Refuses options that contradict each other.
  static Result<std::unique_ptr<MqttClient>> Create(PahoControl& control, MqttOptions options,
                                                    MqttHandlers handlers);
  // Calls Stop() where nobody did.
  ~MqttClient();
  MqttClient(const MqttClient&) = delete;
  MqttClient& operator=(const MqttClient&) = delete;

  // What to be subscribed to from now on; before Start() or at any time. Any thread.
  void SetSubscriptions(std::vector<MqttSubscription> subscriptions);
  // Begins to connect, and never stops trying until Stop(). Once.
  void Start();
  // Says goodbye (the status topic, DISCONNECT) and ends. True: no handler is called any
  // more. False: at `deadline` something, such as a message handler that waits, still held
  // Paho; then the client must not be used, and the process has to end with _exit().
  // Publications without a result by then end with kReconnect. Not from a handler.
  [[nodiscard]] bool Stop(std::chrono::steady_clock::time_point deadline);

  // Takes the message, to be followed by one on_published(), or says at once why not.
  // Not limited by the broker's Receive Maximum: the caller keeps a window of at most
  // that, or Paho stalls for a second. Same thread as Stop(). May wait while a message
  // handler of this process waits, so not for a process that has such handlers.
  std::optional<MqttPublishFailure> Publish(const MqttPublication& publication);

  // Accepted publications without a result.
  std::size_t unfinished() const;

 private:
  class Impl;
  explicit MqttClient(std::shared_ptr<Impl> impl);

  std::shared_ptr<Impl> impl_;  // shared with tasks of the control thread
};

}  // namespace runnel

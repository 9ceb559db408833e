// PahoClient: Paho's async_client behind an interface without its types, exceptions
// and traps. Internal to daemon/mqtt; MqttClient is what others use.
//
// Callbacks run on Paho's threads while Paho holds its lock. Connect() to Disconnect()
// are called on the control thread; creation and destruction, too.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "config/broker_url.h"
#include "daemon/mqtt/client.h"
#include "daemon/mqtt/publish_slots.h"

namespace runnel {

// The end of a request other than a publication.
struct PahoAnswer {
  bool ok = false;
  int code = 0;  // ok: granted QoS; else a broker's code where positive, or Paho's own
};

struct PahoCallbacks {
  std::function<MessageOutcome(const MqttMessage&)> on_message;
  std::function<void(const MqttConnected&)> on_connected;
  std::function<void(int code)> on_connect_failed;
  // The broker's reason and words of its own, in MQTT 5.
  std::function<void(std::optional<std::uint8_t> reason, std::string words)> on_lost;
  std::function<void(std::uint32_t tag, PahoAnswer answer)> on_answer;
  std::function<void(PublishSlots::Slot* slot, std::optional<MqttPublishFailure> failure)>
      on_published;
};

class PahoClient final {
 public:
  static Result<std::unique_ptr<PahoClient>> Create(const MqttOptions& options,
                                                    const BrokerUrl& url, PahoCallbacks callbacks);
  ~PahoClient();

  Status Connect(const MqttOptions& options, const BrokerUrl& url);
  // Each gives one on_answer(tag), unless it fails at once.
  // `identifier`: MQTT 5, 1 to 268,435,455; 0: none.
  Status Subscribe(const MqttSubscription& subscription, std::uint32_t identifier,
                   std::uint32_t tag);
  Status Unsubscribe(const std::string& filter, std::uint32_t tag);
  Status Disconnect(std::uint32_t tag);
  // Retained, with QoS 0: each connection says it anew. Another one Paho would keep where the
  // connection is lost first, one more each time; and see MqttFailure::kMemoryLost.
  Status PublishStatus(const MqttStatusTopic& status, const std::string& payload,
                       std::uint32_t tag);
  // Any one thread.
  std::optional<MqttPublishFailure> Publish(const MqttPublication& publication,
                                            PublishSlots::Slot* slot);

 private:
  class Impl;
  explicit PahoClient(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace runnel

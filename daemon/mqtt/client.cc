#include "daemon/mqtt/client.h"

#include <algorithm>

#include "daemon/mqtt/connection.h"
#include "daemon/mqtt/reasons.h"
#include "pipelines/base/utf8.h"

namespace runnel {
namespace {

// The bytes of MQTT's variable byte integer.
std::size_t VarintSize(std::size_t value) {
  return value < 128 ? 1 : value < 16'384 ? 2 : value < 2'097'152 ? 3 : 4;
}

// The whole PUBLISH packet (MQTT 5, section 3.3).
std::size_t PacketSize(MqttVersion version, const MqttPublication& publication) {
  std::size_t size = 2 + publication.topic.size() + publication.payload.size();
  if (publication.qos > 0) size += 2;
  if (version == MqttVersion::k5) {
    std::size_t properties = 0;
    for (const auto& [name, value] : publication.user_properties) {
      properties += 5 + name.size() + value.size();
    }
    size += VarintSize(properties) + properties;
  }
  return 1 + VarintSize(size) + size;
}

MqttPublishFailure Rejected(std::string reason) {
  return {MqttFailure::kRejected, 0, std::move(reason)};
}

}  // namespace

std::optional<MqttPublishFailure> MqttClient::Impl::Refuse(
    const MqttPublication& publication) const {
  // Brokers end the connection for these, and would again after each reconnect.
  if (publication.topic.empty() || publication.topic.size() > 65'535) {
    return Rejected("the topic has " + std::to_string(publication.topic.size()) +
                    " bytes, expected 1 to 65535");
  }
  if (publication.topic.find_first_of(std::string_view("+#\0", 3)) != std::string_view::npos) {
    return Rejected("the topic has `+`, `#` or a NUL character");
  }
  if (IsUnfitTopic(publication.topic)) {
    return Rejected(
        "the topic has a control character, a non-character or bytes that are no UTF-8");
  }
  if (publication.qos < 0 || publication.qos > maximum_qos_) {
    return Rejected("the broker takes at most QoS " + std::to_string(maximum_qos_));
  }
  if (publication.retain && !retain_available_) {
    return Rejected("the broker does not take retained messages");
  }
  constexpr std::size_t kPacketMax = 268'435'455;  // MQTT itself
  const std::size_t announced = maximum_packet_size_;
  const std::size_t broker_max = announced == 0 ? kPacketMax : announced;
  const std::size_t size = PacketSize(options_.version, publication);
  if (size <= std::min(kPacketMax, broker_max)) return std::nullopt;
  return MqttPublishFailure{MqttFailure::kTooLarge, kReasonPacketTooLarge,
                            "a packet of " + std::to_string(size) +
                                " bytes is larger than the broker's maximum of " +
                                std::to_string(broker_max)};
}

std::optional<MqttPublishFailure> MqttClient::Impl::Publish(const MqttPublication& publication) {
  if (stopping_ || !connected_) {
    return MqttPublishFailure{MqttFailure::kReconnect, 0, "there is no connection"};
  }
  if (std::optional<MqttPublishFailure> failure = Refuse(publication)) return failure;
  PublishSlots::Slot* slot = slots_.Take(publication.context, publication.qos);
  if (slot == nullptr) {
    return MqttPublishFailure{MqttFailure::kRetry, 0, "too many publications are unfinished"};
  }
  std::optional<MqttPublishFailure> failure = paho_->Publish(publication, slot);
  if (failure) slots_.Release(slot);
  return failure;
}

MqttClient::MqttClient(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<MqttClient>> MqttClient::Create(PahoControl& control, MqttOptions options,
                                                       MqttHandlers handlers) {
  if (Status checked = CheckMqttOptions(options); !checked.ok()) return checked.error();
  if (!handlers.on_event) handlers.on_event = [](const MqttEvent&) {};
  if (!handlers.on_message) {
    handlers.on_message = [](const MqttMessage&) { return MessageOutcome::kTaken; };
  }
  auto impl = std::make_shared<Impl>(control, std::move(options), std::move(handlers));
  return std::unique_ptr<MqttClient>(new MqttClient(std::move(impl)));
}

MqttClient::~MqttClient() {
  if (Stop(std::chrono::steady_clock::now() + std::chrono::seconds(2))) return;
  // A blocked handler still uses it; left behind on purpose until the process ends.
  static_cast<void>(new std::shared_ptr<Impl>(std::move(impl_)));
}

void MqttClient::Start() { impl_->Start(); }
void MqttClient::SetSubscriptions(std::vector<MqttSubscription> subscriptions) {
  impl_->SetSubscriptions(std::move(subscriptions));
}
bool MqttClient::Stop(std::chrono::steady_clock::time_point deadline) {
  return impl_->Stop(deadline);
}
std::optional<MqttPublishFailure> MqttClient::Publish(const MqttPublication& publication) {
  return impl_->Publish(publication);
}
std::size_t MqttClient::unfinished() const { return impl_->unfinished(); }

}  // namespace runnel

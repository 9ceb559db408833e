#include "daemon/mqtt/paho_client.h"

#include <mqtt/async_client.h>
#include <atomic>

#include <chrono>
#include <thread>

#include "daemon/mqtt/reasons.h"
#include "daemon/posix/files.h"

namespace runnel {
namespace {

// Paho counts QoS 1 and 2 publications itself and stalls for a second at its limit; the
// owner's window is to be the only one that ever binds.
constexpr int kMaxInflight = 60'000;
constexpr int kWillQos = 1;

// mqtt::message keeps the C structure with the packet identifier private and shows it
// only to Paho's own tests. An explicit instantiation may name private members (C++20,
// temp.spec.general, paragraph 6), which gives a pointer to it without a copy of the
// class or a macro over Paho's header.
struct CMessage {
  using Member = MQTTAsync_message mqtt::message::*;
  friend Member MemberOf(CMessage);
};
template <CMessage::Member kMember>
struct ShowCMessage {
  friend CMessage::Member MemberOf(CMessage) { return kMember; }
};
template struct ShowCMessage<&mqtt::message::msg_>;

Error PahoError(const char* what, const std::exception& error) {
  return Error{ErrorKind::kReconnect, std::string(what) + ": " + error.what()};
}

int PahoVersion(MqttVersion version) {
  return version == MqttVersion::k5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
}

mqtt::create_options CreateOptions(const MqttOptions& options) {
  mqtt::create_options create(PahoVersion(options.version));
  // Set by hand: the constructor with a number also turns on buffering while disconnected.
  create.set_max_buffered_messages(static_cast<int>(options.publications_max) + 100);
  return create;
}

mqtt::ssl_options SslOptions(const MqttTls& tls) {
  const bool verify = tls.verification == TlsVerification::kFull;
  mqtt::ssl_options ssl;
  ssl.set_trust_store(tls.ca);
  ssl.set_key_store(tls.cert);
  ssl.set_private_key(tls.key.empty() ? tls.cert : tls.key);
  ssl.set_private_key_password(tls.key_password);
  ssl.set_enable_server_cert_auth(verify);
  ssl.set_verify(verify);  // the host name, which Paho does not check by default
  return ssl;
}

mqtt::properties ConnectProperties(const MqttOptions& options) {
  using mqtt::property;
  mqtt::properties properties;
  const auto expiry = static_cast<std::int32_t>(options.session_expiry.count());
  if (options.session != MqttSession::kClean) {
    properties.add(property(property::SESSION_EXPIRY_INTERVAL, expiry));
  }
  properties.add(property(property::RECEIVE_MAXIMUM, std::int32_t{options.receive_maximum}));
  return properties;
}

MqttConnected Connected(const mqtt::connect_response& response) {
  MqttConnected connected;
  connected.url = response.get_server_uri();
  connected.session_present = response.is_session_present();
  const MQTTProperties& properties = response.get_properties().c_struct();
  for (int i = 0; i < properties.count; ++i) {
    const MQTTProperty& one = properties.array[i];
    switch (one.identifier) {
      case MQTTPROPERTY_CODE_RECEIVE_MAXIMUM:
        connected.receive_maximum = one.value.integer2;
        break;
      case MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE:
        connected.maximum_packet_size = one.value.integer4;
        break;
      case MQTTPROPERTY_CODE_MAXIMUM_QOS:
        connected.maximum_qos = one.value.byte;
        break;
      case MQTTPROPERTY_CODE_RETAIN_AVAILABLE:
        connected.retain_available = one.value.byte != 0;
        break;
      case MQTTPROPERTY_CODE_WILDCARD_SUBSCRIPTION_AVAILABLE:
        connected.wildcards_available = one.value.byte != 0;
        break;
      case MQTTPROPERTY_CODE_SHARED_SUBSCRIPTION_AVAILABLE:
        connected.shared_subscriptions_available = one.value.byte != 0;
        break;
      case MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIERS_AVAILABLE:
        connected.subscription_identifiers_available = one.value.byte != 0;
        break;
      default:
        break;
    }
  }
  return connected;
}

// The result of a failed publication. Paho's own codes come with an unset reason code.
MqttPublishFailure PublishFailure(int code, std::uint8_t reason) {
  if (code != 0) {
    return {MqttFailure::kReconnect, 0, "the connection broke before the broker acknowledged it"};
  }
  const MqttFailure kind = reason == kReasonQuotaExceeded    ? MqttFailure::kRetry
                           : reason == kReasonPacketTooLarge ? MqttFailure::kTooLarge
                                                             : MqttFailure::kRejected;
  return {kind, reason, ReasonWords(reason)};
}

MqttPublishFailure PublishRefused(int code) {
  if (code == MQTTASYNC_MAX_BUFFERED_MESSAGES || code == MQTTASYNC_NO_MORE_MSGIDS) {
    return {MqttFailure::kRetry, 0, "too many publications are unfinished"};
  }
  if (code == MQTTASYNC_BAD_UTF8_STRING) {
    return {MqttFailure::kRejected, 0, "the topic is not valid UTF-8"};
  }
  return {MqttFailure::kReconnect, 0, "there is no connection"};
}

void* AsPointer(std::uint32_t tag) { return reinterpret_cast<void*>(std::uintptr_t{tag}); }
std::uint32_t AsTag(const mqtt::token& token) {
  return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(token.get_user_context()));
}

}  // namespace

class PahoClient::Impl final {
 public:
  Impl(const MqttOptions& options, PahoCallbacks callbacks)
      : version_(options.version),
        callbacks_(std::move(callbacks)),
        connect_listener_(*this),
        answer_listener_(*this),
        publish_listener_(*this) {}

  // May throw mqtt::exception.
  void Open(const MqttOptions& options, const std::string& uri) {
    const mqtt::create_options create = CreateOptions(options);
    if (options.inbound_store.empty()) {
      client_ = std::make_unique<mqtt::async_client>(uri, options.client_id, create);
    } else {
      client_ = std::make_unique<mqtt::async_client>(uri, options.client_id, create,
                                                     options.inbound_store);
    }
    // Before the first connect: later it would take Paho's locks in the wrong order.
    client_->set_message_callback([this](mqtt::const_message_ptr message) { Take(*message); });
    client_->set_connection_lost_handler(
        [this](const std::string&) { callbacks_.on_lost(std::nullopt, {}); });
    client_->set_disconnected_handler(
        [this](const mqtt::properties& properties, mqtt::ReasonCode reason) {
          Disconnected(properties, static_cast<std::uint8_t>(reason));
        });
  }

  mqtt::async_client& client() { return *client_; }
  MqttVersion version() const { return version_; }
  bool has_begun() const { return begun_; }
  mqtt::iaction_listener& connect_listener() { return connect_listener_; }
  mqtt::iaction_listener& answer_listener() { return answer_listener_; }
  mqtt::iaction_listener& publish_listener() { return publish_listener_; }

 private:
  // Runs `ended` with each token and whether it succeeded.
  template <void (Impl::*kEnded)(const mqtt::token&, bool)>
  class Listener final : public mqtt::iaction_listener {
   public:
    explicit Listener(Impl& impl) : impl_(&impl) {}
    void on_success(const mqtt::token& token) override { (impl_->*kEnded)(token, true); }
    void on_failure(const mqtt::token& token) override { (impl_->*kEnded)(token, false); }

   private:
    Impl* impl_;
  };

  void Take(const mqtt::message& message) {
    const MQTTAsync_message& c_message = message.*MemberOf(CMessage());
    subscription_ids_.clear();
    const MQTTProperties& properties = c_message.properties;
    for (int i = 0; i < properties.count; ++i) {
      const MQTTProperty& one = properties.array[i];
      if (one.identifier != MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER) continue;
      subscription_ids_.push_back(one.value.integer4);
    }
    MqttMessage view;
    view.topic = message.get_topic();
    view.payload = message.get_payload();
    view.qos = c_message.qos;
    view.retained = c_message.retained != 0;
    view.dup = c_message.dup != 0;
    view.dup_hidden = c_message.qos == 2;
    view.packet_id =
        c_message.qos == 0 ? std::uint16_t{0} : static_cast<std::uint16_t>(c_message.msgid);
    view.subscription_ids = subscription_ids_;
    if (callbacks_.on_message(view) == MessageOutcome::kTaken) return;
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }

  void Disconnected(const mqtt::properties& properties, std::uint8_t reason) {
    std::string words;
    const MQTTProperties& list = properties.c_struct();
    for (int i = 0; i < list.count; ++i) {
      if (list.array[i].identifier != MQTTPROPERTY_CODE_REASON_STRING) continue;
      const MQTTLenString& text = list.array[i].value.data;
      words.assign(text.data, static_cast<std::size_t>(text.len));
    }
    callbacks_.on_lost(reason, std::move(words));
  }

  void ConnectEnded(const mqtt::token& token, bool ok) {
    if (ok) {
      begun_ = true;
      callbacks_.on_connected(Connected(token.get_connect_response()));
    } else {
      callbacks_.on_connect_failed(token.get_return_code());
    }
  }

  void AnswerCame(const mqtt::token& token, bool ok) {
    PahoAnswer answer{ok, token.get_return_code()};
    if (version_ == MqttVersion::k5 && answer.code == 0) {
      answer.code = static_cast<std::uint8_t>(token.get_reason_code());
    } else if (ok && token.get_type() == mqtt::token::SUBSCRIBE) {
      const auto codes = token.get_subscribe_response().get_reason_codes();
      answer.code = codes.empty() ? 0 : static_cast<std::uint8_t>(codes.front());
    }
    callbacks_.on_answer(AsTag(token), answer);
  }

  void PublishEnded(const mqtt::token& token, bool ok) {
    std::optional<MqttPublishFailure> failure;
    if (!ok) {
      failure = PublishFailure(token.get_return_code(),
                               static_cast<std::uint8_t>(token.get_reason_code()));
    }
    auto* const slot = static_cast<PublishSlots::Slot*>(token.get_user_context());
    // MQTTAsync_processCommand, behind MQTTProtocol_startPublish: the message is in the list of
    // what is in flight, and the command that owns its bytes is freed when this has returned.
    if (!ok && token.get_return_code() == MQTTASYNC_FAILURE && slot->qos > 0) {
      failure->kind = MqttFailure::kMemoryLost;
    }
    callbacks_.on_published(slot, std::move(failure));
  }

  const MqttVersion version_;
  const PahoCallbacks callbacks_;
  std::vector<std::uint32_t> subscription_ids_;  // scratch of Take, on the receive thread
  Listener<&Impl::ConnectEnded> connect_listener_;
  std::atomic<bool> begun_{false};  // whether a connection of this object has been accepted
  Listener<&Impl::AnswerCame> answer_listener_;
  Listener<&Impl::PublishEnded> publish_listener_;
  std::unique_ptr<mqtt::async_client> client_;  // last: its end calls the listeners
};

PahoClient::PahoClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PahoClient::~PahoClient() = default;

Result<std::unique_ptr<PahoClient>> PahoClient::Create(const MqttOptions& options,
                                                       const BrokerUrl& url,
                                                       PahoCallbacks callbacks) {
  if (!options.inbound_store.empty()) {
    if (Status made = MakeFolders(options.inbound_store); !made.ok()) return made.error();
  }
  auto impl = std::make_unique<Impl>(options, std::move(callbacks));
  try {
    impl->Open(options, url.ForPaho());
  } catch (const std::exception& error) {
    return PahoError("making the MQTT client", error);
  }
  return std::unique_ptr<PahoClient>(new PahoClient(std::move(impl)));
}

Status PahoClient::Connect(const MqttOptions& options, const BrokerUrl& url) {
  try {
    // An object of its own for the whole call, with the properties set last: Paho keeps a
    // pointer into it where it is moved or built by its builder.
    mqtt::connect_options connect;
    connect.set_mqtt_version(PahoVersion(options.version));
    connect.set_servers(mqtt::string_collection::create({url.ForPaho()}));
    connect.set_keep_alive_interval(options.keep_alive);
    connect.set_connect_timeout(options.connect_timeout);
    connect.set_max_inflight(kMaxInflight);
    connect.set_automatic_reconnect(false);
    if (options.user) connect.set_user_name(*options.user);
    if (options.password) connect.set_password(*options.password);
    if (url.tls()) connect.set_ssl(SslOptions(options.tls));
    if (options.status) {
      const MqttStatusTopic& status = *options.status;
      connect.set_will(mqtt::will_options(
          mqtt::message(status.topic, status.will, kWillQos, /*retained=*/true)));
    }
    const bool clean = options.session == MqttSession::kClean ||
                       (options.session == MqttSession::kOwn && !impl_->has_begun());
    if (options.version == MqttVersion::k5) {
      connect.set_clean_start(clean);
      connect.set_properties(ConnectProperties(options));
    } else {
      connect.set_clean_session(clean);
    }
    impl_->client().connect(connect, nullptr, impl_->connect_listener());
  } catch (const std::exception& error) {
    return PahoError("connecting", error);
  }
  return {};
}

Status PahoClient::Subscribe(const MqttSubscription& subscription, std::uint32_t identifier,
                             std::uint32_t tag) {
  try {
    mqtt::subscribe_options options;
    mqtt::properties properties;
    if (impl_->version() == MqttVersion::k5) {
      options.set_retain_handling(subscription.retained == RetainedMessages::kNever
                                      ? mqtt::subscribe_options::DONT_SEND_RETAINED
                                      : mqtt::subscribe_options::SEND_RETAINED_ON_NEW);
      if (identifier != 0) {
        properties.add(mqtt::property(mqtt::property::SUBSCRIPTION_IDENTIFIER,
                                      static_cast<std::int32_t>(identifier)));
      }
    }
    impl_->client().subscribe(subscription.filter, subscription.qos, AsPointer(tag),
                              impl_->answer_listener(), options, properties);
  } catch (const std::exception& error) {
    return PahoError("subscribing", error);
  }
  return {};
}

Status PahoClient::Unsubscribe(const std::string& filter, std::uint32_t tag) {
  try {
    impl_->client().unsubscribe(filter, AsPointer(tag), impl_->answer_listener());
  } catch (const std::exception& error) {
    return PahoError("unsubscribing", error);
  }
  return {};
}

Status PahoClient::Disconnect(std::uint32_t tag) {
  try {
    impl_->client().disconnect(0, AsPointer(tag), impl_->answer_listener());
  } catch (const std::exception& error) {
    return PahoError("disconnecting", error);
  }
  return {};
}

Status PahoClient::PublishStatus(const MqttStatusTopic& status, const std::string& payload,
                                 std::uint32_t tag) {
  try {
    impl_->client().publish(mqtt::message::create(status.topic, payload.data(), payload.size(), 0,
                                                  /*retained=*/true),
                            AsPointer(tag), impl_->answer_listener());
  } catch (const std::exception& error) {
    return PahoError("publishing the status", error);
  }
  return {};
}

std::optional<MqttPublishFailure> PahoClient::Publish(const MqttPublication& publication,
                                                      PublishSlots::Slot* slot) {
  try {
    mqtt::properties properties;
    if (impl_->version() == MqttVersion::k5) {
      for (const auto& [name, value] : publication.user_properties) {
        properties.add(
            mqtt::property(mqtt::property::USER_PROPERTY, std::string(name), std::string(value)));
      }
    }
    impl_->client().publish(
        mqtt::message::create(std::string(publication.topic), publication.payload.data(),
                              publication.payload.size(), publication.qos, publication.retain,
                              properties),
        slot, impl_->publish_listener());
  } catch (const mqtt::exception& error) {
    return PublishRefused(error.get_return_code());
  } catch (const std::exception& error) {
    return MqttPublishFailure{MqttFailure::kRetry, 0, error.what()};
  }
  return std::nullopt;
}

}  // namespace runnel

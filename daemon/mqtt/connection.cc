#include "daemon/mqtt/connection.h"

#include <unistd.h>

#include <algorithm>
#include <random>

#include "daemon/mqtt/diagnose.h"
#include "daemon/mqtt/reasons.h"
#include "daemon/posix/files.h"
#include "pipelines/base/check.h"

namespace runnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A connection that stood this long was a good one: the next attempt comes soon.
constexpr std::chrono::seconds kStable{30};
// So many short connections in a row look like two clients with the same client id.
constexpr int kSuspicious = 3;
constexpr milliseconds kDiagnoseTimeout{2'000};
// Beyond the connect timeout, which Paho looks at every three seconds.
constexpr std::chrono::seconds kAttemptGrace{15};
constexpr std::chrono::seconds kSaveAgainAfter{30};

// Tags of requests: a round and an index, or one of these.
constexpr std::uint32_t kGoodbyeTag = 1;
constexpr std::uint32_t kDisconnectTag = 2;
constexpr std::uint32_t kBirthTag = 3;
constexpr int kIndexBits = 20;
constexpr std::uint32_t kRounds = (1U << (32 - kIndexBits)) - 1;

std::uint64_t Seed(std::uint64_t wanted) {
  if (wanted != 0) return wanted;
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

}  // namespace

MqttClient::Impl::Impl(PahoControl& control, MqttOptions options, MqttHandlers handlers)
    : control_(control),
      options_(std::move(options)),
      handlers_(std::move(handlers)),
      slots_(options_.publications_max),
      backoff_(options_.backoff, Seed(options_.backoff_seed)) {}

void MqttClient::Impl::Post(void (Impl::*step)()) {
  control_.Post([self = shared_from_this(), step] { ((*self).*step)(); });
}

void MqttClient::Impl::Start() { Post(&Impl::Open); }

void MqttClient::Impl::SetSubscriptions(std::vector<MqttSubscription> subscriptions) {
  control_.Post([self = shared_from_this(), subscriptions = std::move(subscriptions)]() mutable {
    self->wanted_ = std::move(subscriptions);
    if (self->phase_ == Phase::kConnected) self->BeginRound();
  });
}

PahoCallbacks MqttClient::Impl::MakeCallbacks() {
  PahoCallbacks callbacks;
  callbacks.on_message = [this](const MqttMessage& message) { return TakeOnPahoThread(message); };
  callbacks.on_connected = [this](const MqttConnected& one) { ConnectedOnPahoThread(one); };
  callbacks.on_connect_failed = [this](int code) {
    control_.Post([self = shared_from_this(), code] { self->ConnectEndedWith(code); });
  };
  callbacks.on_lost = [this](std::optional<std::uint8_t> reason, std::string words) {
    if (!connected_.exchange(false)) return;
    control_.Post([self = shared_from_this(), reason, words = std::move(words)] {
      self->Lost(reason, words);
    });
  };
  callbacks.on_answer = [this](std::uint32_t tag, PahoAnswer answer) {
    control_.Post([self = shared_from_this(), tag, answer] { self->Answered(tag, answer); });
  };
  callbacks.on_published = [this](PublishSlots::Slot* slot,
                                  std::optional<MqttPublishFailure> failure) {
    PublishedOnPahoThread(slot, std::move(failure));
  };
  return callbacks;
}

MessageOutcome MqttClient::Impl::TakeOnPahoThread(const MqttMessage& message) {
  if (!has_copies_.load(std::memory_order_relaxed)) return handlers_.on_message(message);
  MqttMessage told = message;
  told.copy =
      copies_.IsCopy(message.topic, message.payload, message.retained, message.subscription_ids);
  return handlers_.on_message(told);
}

void MqttClient::Impl::ConnectedOnPahoThread(MqttConnected connected) {
  // Written before Connect(), and not again before this connection is lost.
  connected.url = options_.urls[url_ % options_.urls.size()];
  maximum_packet_size_ = connected.maximum_packet_size;
  maximum_qos_ = connected.maximum_qos;
  retain_available_ = connected.retain_available;
  connected_ = true;
  Emit(connected);
  control_.Post([self = shared_from_this(), connected] { self->Up(connected); });
}

void MqttClient::Impl::PublishedOnPahoThread(PublishSlots::Slot* slot,
                                             std::optional<MqttPublishFailure> failure) {
  const std::optional<std::uint64_t> context = slots_.Release(slot);
  if (context && handlers_.on_published) handlers_.on_published({*context, std::move(failure)});
}

void MqttClient::Impl::Open() {
  if (phase_ == Phase::kStopped) return;
  LoadSubscriptions();
  Result<std::unique_ptr<PahoClient>> paho = PahoClient::Create(options_, Url(), MakeCallbacks());
  if (!paho.ok()) {
    ConnectFailed(std::move(paho.error()));
    return;
  }
  paho_ = std::move(paho).value();
  Connect();
}

void MqttClient::Impl::Connect() {
  phase_ = Phase::kConnecting;
  attempt_began_ = steady_clock::now();
  const std::uint32_t attempt = ++attempt_;
  control_.PostAfter(options_.connect_timeout + kAttemptGrace, [weak = weak_from_this(), attempt] {
    if (const auto self = weak.lock()) self->GiveUpAttempt(attempt);
  });
  const BrokerUrl url = Url();
  if (Status found = ResolveHost(url); !found.ok()) {
    ConnectFailed(std::move(found.error()));
    return;
  }
  if (Status begun = paho_->Connect(options_, url); !begun.ok()) {
    ConnectFailed(std::move(begun.error()));
  }
}

// Paho drops a CONNECT without a word where it believes that one is going on.
void MqttClient::Impl::GiveUpAttempt(std::uint32_t attempt) {
  if (phase_ != Phase::kConnecting || attempt != attempt_ || connected_) return;
  ConnectFailed({ErrorKind::kRetry, "the MQTT library gave no answer"});
}

void MqttClient::Impl::Up(const MqttConnected& connected) {
  if (phase_ != Phase::kConnecting && phase_ != Phase::kWaiting) return;
  phase_ = Phase::kConnected;
  ++attempt_;  // a retry that is due is void
  connected_since_ = steady_clock::now();
  const bool told =
      options_.version == MqttVersion::k5 && connected.subscription_identifiers_available;
  identifiers_ = told ? Identifiers::kAvailable : Identifiers::kNone;
  if (!connected.session_present) known_.clear();
  BeginRound();
  if (options_.status) {
    const MqttStatusTopic& status = *options_.status;
    static_cast<void>(paho_->PublishStatus(status, status.birth, kBirthTag));
  }
}

void MqttClient::Impl::ConnectEndedWith(int code) {
  if (phase_ == Phase::kConnecting) ConnectFailed(WhyConnectFailed(code));
}

Error MqttClient::Impl::WhyConnectFailed(int code) {
  if (code > 0) {
    const auto reason = static_cast<std::uint8_t>(code);
    return {ConnackNeedsFix(options_.version, reason) ? ErrorKind::kFix : ErrorKind::kRetry,
            "the broker refused the connection: " + ConnackWords(options_.version, reason)};
  }
  if (steady_clock::now() - attempt_began_ >= options_.connect_timeout) {
    return {ErrorKind::kRetry,
            "no answer within " + std::to_string(options_.connect_timeout.count()) + " s"};
  }
  return DiagnoseConnect(Url(), options_.tls, kDiagnoseTimeout);
}

BrokerUrl MqttClient::Impl::Url() const {
  BrokerUrl url;
  BrokerUrlProblem problem;
  CHECK(ParseBrokerUrl(options_.urls[url_ % options_.urls.size()], url, problem));
  return url;
}

void MqttClient::Impl::ConnectFailed(Error error) {
  const std::string& url = options_.urls[url_++ % options_.urls.size()];
  const milliseconds delay = backoff_.Next();
  phase_ = Phase::kWaiting;
  Emit(MqttConnectFailed{std::move(error).In("connecting to `" + url + "`"), delay});
  RetryAfter(delay);
}

void MqttClient::Impl::Lost(std::optional<std::uint8_t> reason, const std::string& words) {
  if (phase_ != Phase::kConnected) return;
  phase_ = Phase::kWaiting;
  ++round_;  // nothing of the current round will be answered
  FailUnfinished(/*qos=*/0, "the connection broke before the message was written");
  if (steady_clock::now() - connected_since_ >= kStable) {
    backoff_.Reset();
    short_connections_ = 0;
  } else {
    ++short_connections_;
  }
  MqttConnectionLost lost;
  if (reason == kReasonTakenOver) {
    // To come back at once would take it over in turn, and so on.
    backoff_.Yield();
    lost.loss = MqttLoss::kTakenOver;
    lost.reason = "another client with the client id `" + options_.client_id +
                  "` took over the session (0x8e)";
  } else if (reason) {
    lost.loss = MqttLoss::kByBroker;
    lost.reason = "the broker ended the connection: " + ReasonWords(*reason);
    if (!words.empty()) lost.reason += ": " + words;
  } else {
    lost.reason = "the broker or the network closed the connection";
    if (short_connections_ >= kSuspicious) {
      lost.reason +=
          ", soon after the connect and again; maybe another client has the client id `" +
          options_.client_id + "`, too";
    }
  }
  lost.retry_after = backoff_.Next();
  const milliseconds delay = lost.retry_after;
  Emit(std::move(lost));
  RetryAfter(delay);
}

void MqttClient::Impl::RetryAfter(milliseconds delay) {
  control_.PostAfter(delay, [weak = weak_from_this(), attempt = attempt_] {
    const auto self = weak.lock();
    if (!self || self->phase_ != Phase::kWaiting || self->attempt_ != attempt) return;
    if (self->paho_ == nullptr) {
      self->Open();
    } else {
      self->Connect();
    }
  });
}

void MqttClient::Impl::LoadSubscriptions() {
  if (options_.subscriptions_file.empty() || !saved_.empty()) return;
  const bool exists = ::access(options_.subscriptions_file.c_str(), F_OK) == 0;
  Result<std::vector<KnownSubscription>> known = ReadSubscriptions(options_.subscriptions_file);
  known_.clear();
  if (known.ok()) {
    known_ = std::move(known).value();
    saved_ = EncodeSubscriptions(known_);
  } else if (exists) {
    Emit(MqttWarning{known.error().message});
  }
  for (const std::string& filter : options_.filters_before) known_.push_back({{filter}, 0, false});
  has_copies_ = HaveCopies(known_);  // before what the broker has kept
}

void MqttClient::Impl::SaveSubscriptions() {
  if (options_.subscriptions_file.empty()) return;
  std::string bytes = EncodeSubscriptions(known_);
  if (bytes == saved_) return;
  Status saved = WriteFileAtomically(options_.subscriptions_file, bytes);
  const bool failed_before = std::exchange(save_failed_, !saved.ok());
  if (saved.ok()) {
    saved_ = std::move(bytes);
    return;
  }
  // The next start needs it to give up what nobody wants any more: until then, again and again.
  if (!failed_before) Emit(MqttWarning{saved.error().message + "; it is tried again"});
  if (std::exchange(save_is_due_, true)) return;
  control_.PostAfter(kSaveAgainAfter, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->save_is_due_ = false;
    self->SaveSubscriptions();
  });
}

void MqttClient::Impl::BeginRound() {
  SubscriptionPlan plan = PlanSubscriptions(options_.version, identifiers_, wanted_, known_);
  known_ = std::move(plan.known);
  has_copies_ = plan.has_copies;
  SaveSubscriptions();
  round_ = round_ % kRounds + 1;
  requests_.clear();
  unanswered_ = plan.unsubscribe.size() + plan.subscribe.size();
  CHECK(unanswered_ < (1U << kIndexBits));
  const auto index_of = [&](const std::string& filter) {
    const auto found = std::find_if(known_.begin(), known_.end(), [&](const auto& one) {
      return one.subscription.filter == filter;
    });
    return static_cast<std::size_t>(found - known_.begin());
  };
  const auto tag = [&] {
    return round_ << kIndexBits | static_cast<std::uint32_t>(requests_.size());
  };
  for (const KnownSubscription& one : plan.subscribe) {
    if (!paho_->Subscribe(one.subscription, one.identifier, tag()).ok()) return;  // lost meanwhile
    requests_.push_back({index_of(one.subscription.filter), /*subscribe=*/true, std::nullopt});
  }
  for (const std::string& filter : plan.unsubscribe) {
    if (!paho_->Unsubscribe(filter, tag()).ok()) return;
    requests_.push_back({index_of(filter), /*subscribe=*/false, std::nullopt});
  }
  if (unanswered_ == 0) EndRound();
}

void MqttClient::Impl::Answered(std::uint32_t tag, PahoAnswer answer) {
  if (tag == kGoodbyeTag && phase_ == Phase::kGoodbye) SayDisconnect();
  if (tag == kDisconnectTag && phase_ == Phase::kDisconnecting) End();
  const std::uint32_t index = tag & ((1U << kIndexBits) - 1);
  if (tag >> kIndexBits != round_ || phase_ != Phase::kConnected) return;
  if (index >= requests_.size() || requests_[index].answer) return;
  if (!answer.ok && answer.code <= 0) return;  // the connection went; the next one asks again
  requests_[index].answer = answer;
  if (--unanswered_ == 0) EndRound();
}

void MqttClient::Impl::EndRound() {
  std::vector<bool> gone(known_.size(), false);
  std::vector<std::string> reasons(known_.size());
  std::vector<int> granted(known_.size());
  bool some_refused = false;
  bool some_given_up = false;
  for (std::size_t i = 0; i < known_.size(); ++i) granted[i] = known_[i].subscription.qos;
  for (const Request& request : requests_) {
    const auto code = static_cast<std::uint8_t>(request.answer->code);
    const bool refused = !request.answer->ok || code >= kReasonFailure;
    gone[request.known] = request.subscribe == refused;
    known_[request.known].certain = request.subscribe && !refused;
    if (!request.subscribe) {
      some_given_up |= !refused;
      continue;
    }
    some_refused |= refused;
    if (refused) reasons[request.known] = SubackWords(options_.version, code);
    granted[request.known] = refused ? 0 : code;
  }
  MqttSubscribed subscribed;
  for (const MqttSubscription& want : wanted_) {
    for (std::size_t i = 0; i < known_.size(); ++i) {
      if (known_[i].subscription.filter != want.filter) continue;
      subscribed.results.push_back({want.filter, reasons[i].empty(), granted[i], reasons[i]});
    }
  }
  std::vector<KnownSubscription> left;
  for (std::size_t i = 0; i < known_.size(); ++i) {
    if (!gone[i]) left.push_back(std::move(known_[i]));
  }
  known_ = std::move(left);
  requests_.clear();
  SaveSubscriptions();
  // A broker may have had no room for both: once more, now that it has.
  if (some_refused && some_given_up) return BeginRound();
  Emit(std::move(subscribed));
}

bool MqttClient::Impl::Stop(steady_clock::time_point deadline) {
  stopping_ = true;
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
  control_.Post([self = shared_from_this(), left] { self->BeginStop(left); });
  std::unique_lock lock(stop_mutex_);
  return stop_changed_.wait_until(lock, deadline, [this] { return stopped_; });
}

void MqttClient::Impl::BeginStop(milliseconds left) {
  stop_step_ = std::max(left, milliseconds(0)) / 3;
  if (phase_ != Phase::kConnected || !connected_) {
    End();
    return;
  }
  phase_ = Phase::kGoodbye;
  if (!options_.status ||
      !paho_->PublishStatus(*options_.status, options_.status->will, kGoodbyeTag).ok()) {
    SayDisconnect();
    return;
  }
  control_.PostAfter(stop_step_, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self && self->phase_ == Phase::kGoodbye) self->SayDisconnect();
  });
}

void MqttClient::Impl::SayDisconnect() {
  phase_ = Phase::kDisconnecting;
  if (!paho_->Disconnect(kDisconnectTag).ok()) {
    End();
    return;
  }
  control_.PostAfter(stop_step_, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self && self->phase_ == Phase::kDisconnecting) self->End();
  });
}

void MqttClient::Impl::End() {
  if (phase_ == Phase::kStopped) return;
  phase_ = Phase::kStopped;
  connected_ = false;
  paho_.reset();
  FailUnfinished(/*qos=*/2, "the client stopped before the broker acknowledged it");
  Emit(MqttStopped{});
  const std::lock_guard lock(stop_mutex_);
  stopped_ = true;
  stop_changed_.notify_all();
}

void MqttClient::Impl::FailUnfinished(int qos, const std::string& reason) {
  for (const std::uint64_t context : slots_.FinishUpTo(qos)) {
    if (!handlers_.on_published) continue;
    handlers_.on_published({context, MqttPublishFailure{MqttFailure::kReconnect, 0, reason}});
  }
}

}  // namespace runnel

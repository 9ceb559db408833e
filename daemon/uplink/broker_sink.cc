#include "daemon/uplink/broker_sink.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace runnel {
namespace {

constexpr std::chrono::milliseconds kShortestPause{100};
constexpr std::chrono::milliseconds kLongestPause{10'000};

bool IsForLater(const MqttPublishFailure& failure) {
  return failure.kind == MqttFailure::kRetry || failure.kind == MqttFailure::kReconnect;
}

Completion ToCompletion(std::uint64_t context, const MqttPublishFailure& failure) {
  Completion completion;
  completion.context = context;
  completion.reason = failure.reason;
  completion.delivered = IsForLater(failure) ? Delivered::kRetry : Delivered::kRejected;
  return completion;
}

// What is not confirmed its successor publishes again, with the same ids.
[[noreturn]] void EndAtOnce(const std::string& broker, const char* why) {
  std::fprintf(stderr, "warn: upstream `%s`: %s: the uplink begins anew\n", broker.c_str(), why);
  std::_Exit(1);
}

}  // namespace

BrokerSink::BrokerSink(PahoControl& control, UplinkBroker broker, const std::string& state,
                       CompletionQueue& completions, Report report)
    : control_(&control),
      broker_(std::move(broker)),
      completions_(&completions),
      report_(std::move(report)),
      suspicion_(state + "/suspicion." + broker_.name, 2 * broker_.window) {}

Result<std::unique_ptr<BrokerSink>> BrokerSink::Connect(PahoControl& control, UplinkBroker broker,
                                                        const std::string& state,
                                                        CompletionQueue& completions,
                                                        Report report) {
  std::unique_ptr<BrokerSink> sink(
      new BrokerSink(control, std::move(broker), state, completions, std::move(report)));
  MqttHandlers handlers;
  handlers.on_message = [](const MqttMessage&) { return MessageOutcome::kTaken; };
  handlers.on_event = [raw = sink.get()](const MqttEvent& event) { raw->OnEvent(event); };
  handlers.on_published = [raw = sink.get()](const MqttPublishResult& result) {
    if (result.failure.has_value() && result.failure->kind == MqttFailure::kMemoryLost) {
      raw->suspicion_.CutOffForGood(Suspicion::Clock::now());
      EndAtOnce(
          raw->broker_.name,
          "the connection broke in the middle of a message, and the MQTT library cannot go on "
          "with it");
    }
    raw->OnPublished(result);
  };
  Result<std::unique_ptr<MqttClient>> client =
      MqttClient::Create(control, sink->broker_.options, std::move(handlers));
  if (!client.ok()) return std::move(client.error()).In("broker `" + sink->broker_.name + "`");
  sink->client_ = std::move(client).value();
  sink->client_->Start();
  return sink;
}

std::size_t BrokerSink::Room() const {
  if (pauses_->load(std::memory_order_acquire)) return 0;
  std::uint32_t window = window_.load(std::memory_order_acquire);
  if (suspicion_.OneAtATime()) window = std::min(window, 1U);
  const std::uint32_t in_flight = in_flight_.load(std::memory_order_acquire);
  return window > in_flight ? window - in_flight : 0;
}

void BrokerSink::Publish(const SinkRecord& record, std::uint64_t context) {
  if (!suspicion_.MayGo(record.id)) {
    return completions_->Push(
        {context, Delivered::kRejected, "the broker ends the connection each time it comes"});
  }
  const std::pair<std::string_view, std::string_view> properties[] = {{"runnel-id", record.id}};
  MqttPublication publication;
  publication.topic = record.topic;
  publication.payload = record.payload;
  publication.qos = record.qos;
  publication.retain = record.retain;
  publication.user_properties = properties;
  publication.context = context;
  in_flight_.fetch_add(1, std::memory_order_acq_rel);
  const std::optional<MqttPublishFailure> refused = client_->Publish(publication);
  if (!refused.has_value()) return;
  in_flight_.fetch_sub(1, std::memory_order_acq_rel);
  HoldBack(*refused);
  completions_->Push(ToCompletion(context, *refused));
}

void BrokerSink::HoldBack(const MqttPublishFailure& failure) {
  if (!IsForLater(failure) || pauses_->exchange(true)) return;
  std::chrono::milliseconds pause = kShortestPause;
  // What a connection takes with it is no refusal.
  if (failure.kind == MqttFailure::kRetry) {
    const std::uint32_t before = refusals_.fetch_add(1);
    if (before == 0 && failure.reason_code != 0) {
      report_("warn " + broker_.name + " the broker refuses results for now: " + failure.reason +
              "; they are tried again");
    }
    pause = std::min(kLongestPause, kShortestPause * (1U << std::min(before, 10U)));
  }
  control_->PostAfter(pause, [weak = std::weak_ptr(pauses_), completions = completions_] {
    const auto pauses = weak.lock();
    if (pauses == nullptr) return;
    pauses->store(false, std::memory_order_release);
    completions->Wake();
  });
}

void BrokerSink::OnPublished(const MqttPublishResult& result) {
  in_flight_.fetch_sub(1, std::memory_order_acq_rel);
  if (!result.failure.has_value()) {
    if (refusals_.load(std::memory_order_relaxed) != 0) refusals_.store(0);
    suspicion_.Acknowledged();
    return completions_->Push({result.context, {}, {}});
  }
  if (result.failure->kind == MqttFailure::kReconnect) {
    suspicion_.CutOff(Suspicion::Clock::now());
  }
  HoldBack(*result.failure);
  completions_->Push(ToCompletion(result.context, *result.failure));
}

void BrokerSink::OnEvent(const MqttEvent& event) {
  if (const auto* connected = std::get_if<MqttConnected>(&event)) {
    suspicion_.Connected(Suspicion::Clock::now());
    window_.store(std::min<std::uint32_t>(broker_.window, connected->receive_maximum),
                  std::memory_order_release);
    completions_->Wake();
    report_("up " + broker_.name);
  } else if (const auto* lost = std::get_if<MqttConnectionLost>(&event)) {
    window_.store(0, std::memory_order_release);
    LookForCulprit();
    report_("down " + broker_.name + " " + lost->reason);
  } else if (const auto* failed = std::get_if<MqttConnectFailed>(&event)) {
    report_("down " + broker_.name + " " + failed->error.message);
  } else if (const auto* warning = std::get_if<MqttWarning>(&event)) {
    report_("warn " + broker_.name + " " + warning->message);
  }
}

// With MQTT 3.1.1 Paho keeps what is on its way and sends it again itself: only a successor can
// publish it one at a time, or give it up.
void BrokerSink::LookForCulprit() {
  if (in_flight_.load(std::memory_order_acquire) == 0) return;
  const auto now = Suspicion::Clock::now();
  suspicion_.CutOff(now);
  if (!suspicion_.IsHeldUp()) return;
  suspicion_.CutOffForGood(now);
  EndAtOnce(broker_.name, "it ends the connection again and again for one of the results");
}

bool BrokerSink::Stop(std::chrono::steady_clock::time_point deadline) {
  return client_->Stop(deadline);
}

}  // namespace runnel

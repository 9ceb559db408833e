#include "tests/support/mqtt_harness.h"

#include <gtest/gtest.h>

#include "pipelines/base/check.h"

namespace runnel::testing {

MqttHarness::MqttHarness(MqttOptions options) {
  MqttHandlers handlers;
  handlers.on_message = [this](const MqttMessage& message) {
    if (on_message) on_message(message);
    const std::lock_guard lock(mutex_);
    messages_.push_back({std::string(message.topic),
                         std::string(message.payload),
                         message.qos,
                         message.retained,
                         message.dup,
                         message.packet_id,
                         {message.subscription_ids.begin(), message.subscription_ids.end()},
                         message.copy});
    changed_.notify_all();
    return MessageOutcome::kTaken;
  };
  handlers.on_event = [this](const MqttEvent& event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
    changed_.notify_all();
  };
  handlers.on_published = [this](const MqttPublishResult& result) {
    if (on_published) on_published(result);
    const std::lock_guard lock(mutex_);
    results_[result.context] = result.failure;
    ++result_count_;
    changed_.notify_all();
  };
  auto client = MqttClient::Create(control_, std::move(options), std::move(handlers));
  CHECK(client.ok());
  client_ = std::move(client).value();
}

MqttHarness::~MqttHarness() { client_.reset(); }

void MqttHarness::Start(std::vector<MqttSubscription> subscriptions) {
  client_->SetSubscriptions(std::move(subscriptions));
  client_->Start();
}

bool MqttHarness::Stop(std::chrono::seconds within) {
  return client_->Stop(std::chrono::steady_clock::now() + within);
}

void MqttHarness::WaitUntil(const std::function<bool()>& done) {
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, std::chrono::seconds(20), done)) return;
  ADD_FAILURE() << "waited in vain; " << messages_.size() << " messages, " << result_count_
                << " results, " << events_.size() << " events";
  for (const MqttEvent& event : events_) {
    if (const auto* failed = std::get_if<MqttConnectFailed>(&event)) {
      ADD_FAILURE() << failed->error.message;
    }
    if (const auto* lost = std::get_if<MqttConnectionLost>(&event)) ADD_FAILURE() << lost->reason;
  }
}

void MqttHarness::WaitForMessages(std::size_t count) {
  WaitUntil([&] { return messages_.size() >= count; });
}

void MqttHarness::WaitForMessageOn(std::string_view topic) {
  WaitUntil([&] {
    return std::any_of(messages_.begin(), messages_.end(),
                       [&](const ReceivedMessage& one) { return one.topic == topic; });
  });
}

void MqttHarness::WaitForResults(std::size_t count) {
  WaitUntil([&] { return result_count_ >= count; });
}

std::vector<ReceivedMessage> MqttHarness::messages() {
  const std::lock_guard lock(mutex_);
  return messages_;
}

std::map<std::uint64_t, std::optional<MqttPublishFailure>> MqttHarness::results() {
  const std::lock_guard lock(mutex_);
  return results_;
}

void MqttHarness::Publish(std::string_view topic, std::string_view payload, int qos,
                          std::uint64_t context, bool retain) {
  MqttPublication publication;
  publication.topic = topic;
  publication.payload = payload;
  publication.qos = qos;
  publication.retain = retain;
  publication.context = context;
  const std::optional<MqttPublishFailure> failure = client_->Publish(publication);
  EXPECT_FALSE(failure.has_value()) << failure->reason;
}

MqttOptions TestOptions(const std::string& url, const std::string& client_id, MqttVersion version) {
  MqttOptions options;
  options.urls = {url};
  options.client_id = client_id;
  options.version = version;
  options.backoff = {std::chrono::milliseconds(20), std::chrono::milliseconds(200)};
  options.backoff_seed = 1;
  return options;
}

MqttSubscription Subscription(std::string filter, int qos) {
  MqttSubscription subscription;
  subscription.filter = std::move(filter);
  subscription.qos = qos;
  return subscription;
}

}  // namespace runnel::testing

// MqttHarness: a client whose messages, events and results are recorded and waited for.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/mqtt/client.h"

namespace runnel::testing {

struct ReceivedMessage {
  std::string topic;
  std::string payload;
  int qos = 0;
  bool retained = false;
  bool dup = false;
  std::uint16_t packet_id = 0;
  std::vector<std::uint32_t> subscription_ids;
  bool copy = false;
};

class MqttHarness final {
 public:
  explicit MqttHarness(MqttOptions options);
  ~MqttHarness();

  MqttClient& client() { return *client_; }
  void Start(std::vector<MqttSubscription> subscriptions = {});
  // True when it stopped cleanly.
  bool Stop(std::chrono::seconds within = std::chrono::seconds(10));

  // Each waits for up to 20 s and then fails the test.
  void WaitForMessages(std::size_t count);
  void WaitForMessageOn(std::string_view topic);
  void WaitForResults(std::size_t count);
  // The `count`th event (from 1) of this kind.
  template <typename Event>
  Event WaitFor(std::size_t count = 1) {
    Event event;
    WaitUntil([&] {
      std::size_t seen = 0;
      for (const MqttEvent& one : events_) {
        if (const Event* found = std::get_if<Event>(&one); found != nullptr && ++seen == count) {
          event = *found;
          return true;
        }
      }
      return false;
    });
    return event;
  }
  template <typename Event>
  std::size_t Count() {
    const std::lock_guard lock(mutex_);
    std::size_t seen = 0;
    for (const MqttEvent& one : events_) seen += std::holds_alternative<Event>(one) ? 1 : 0;
    return seen;
  }

  std::vector<ReceivedMessage> messages();
  // By context.
  std::map<std::uint64_t, std::optional<MqttPublishFailure>> results();
  // Publishes, or fails the test.
  void Publish(std::string_view topic, std::string_view payload, int qos, std::uint64_t context = 0,
               bool retain = false);

  // Run in the message handler, before the message is recorded.
  std::function<void(const MqttMessage&)> on_message;
  // Run in the results' handler.
  std::function<void(const MqttPublishResult&)> on_published;

 private:
  void WaitUntil(const std::function<bool()>& done);

  PahoControl control_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ReceivedMessage> messages_;
  std::vector<MqttEvent> events_;
  std::map<std::uint64_t, std::optional<MqttPublishFailure>> results_;
  std::size_t result_count_ = 0;
  std::unique_ptr<MqttClient> client_;
};

// Options for a broker of the test, with reconnects that come soon.
MqttOptions TestOptions(const std::string& url, const std::string& client_id,
                        MqttVersion version = MqttVersion::k5);
MqttSubscription Subscription(std::string filter, int qos = 1);

}  // namespace runnel::testing

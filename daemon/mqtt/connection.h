// Connection: the state machine of MqttClient; runs on the control thread.
//
// Idle → connecting ⇄ waiting, connecting → connected → waiting, and from each of them
// to stopped, through goodbye and disconnecting where it was connected. What Paho's
// threads report is posted to the control thread, except what must come before the next
// message or is too frequent: messages, MqttConnected and results of publications.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "daemon/mqtt/backoff.h"
#include "daemon/mqtt/client.h"
#include "daemon/mqtt/copies.h"
#include "daemon/mqtt/paho_client.h"
#include "daemon/mqtt/publish_slots.h"
#include "daemon/mqtt/subscriptions.h"

namespace runnel {

class MqttClient::Impl final : public std::enable_shared_from_this<Impl> {
 public:
  Impl(PahoControl& control, MqttOptions options, MqttHandlers handlers);

  void Start();
  void SetSubscriptions(std::vector<MqttSubscription> subscriptions);
  bool Stop(std::chrono::steady_clock::time_point deadline);
  std::optional<MqttPublishFailure> Publish(const MqttPublication& publication);
  std::size_t unfinished() const { return slots_.unfinished(); }

 private:
  enum class Phase {
    kIdle,
    kConnecting,
    kConnected,
    kWaiting,
    kGoodbye,
    kDisconnecting,
    kStopped,
  };
  // One SUBSCRIBE or UNSUBSCRIBE of the current round.
  struct Request {
    std::size_t known;  // index in known_
    bool subscribe = false;
    std::optional<PahoAnswer> answer;
  };

  // On Paho's threads.
  PahoCallbacks MakeCallbacks();
  MessageOutcome TakeOnPahoThread(const MqttMessage& message);
  void ConnectedOnPahoThread(MqttConnected connected);
  void PublishedOnPahoThread(PublishSlots::Slot* slot, std::optional<MqttPublishFailure> failure);

  // On the control thread.
  void Open();
  void Connect();
  void GiveUpAttempt(std::uint32_t attempt);
  void Up(const MqttConnected& connected);
  void ConnectEndedWith(int code);
  void ConnectFailed(Error error);
  void Lost(std::optional<std::uint8_t> reason, const std::string& words);
  void RetryAfter(std::chrono::milliseconds delay);
  Error WhyConnectFailed(int code);
  BrokerUrl Url() const;

  void LoadSubscriptions();
  void SaveSubscriptions();
  void BeginRound();
  void Answered(std::uint32_t tag, PahoAnswer answer);
  void EndRound();

  void BeginStop(std::chrono::milliseconds left);
  void SayDisconnect();
  void End();

  // The first reason why this can never be sent on this connection.
  std::optional<MqttPublishFailure> Refuse(const MqttPublication& publication) const;
  void FailUnfinished(int qos, const std::string& reason);
  void Emit(MqttEvent event) { handlers_.on_event(event); }
  void Post(void (Impl::*step)());

  PahoControl& control_;
  const MqttOptions options_;
  const MqttHandlers handlers_;

  // Counts failed attempts, modulo the addresses: which one is used. Written on the
  // control thread, read on Paho's.
  std::atomic<std::size_t> url_{0};
  // Written on Paho's threads and the control thread, read by Publish().
  std::atomic<bool> connected_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint32_t> maximum_packet_size_{0};
  std::atomic<int> maximum_qos_{2};
  std::atomic<bool> retain_available_{true};
  PublishSlots slots_;
  std::atomic<bool> has_copies_{false};
  Copies copies_;

  std::unique_ptr<PahoClient> paho_;  // made before the first connect, gone in End()

  // Control thread only.
  Phase phase_ = Phase::kIdle;
  Backoff backoff_;
  std::uint32_t attempt_ = 0;
  std::chrono::steady_clock::time_point attempt_began_;
  std::chrono::steady_clock::time_point connected_since_;
  int short_connections_ = 0;               // in a row
  std::chrono::milliseconds stop_step_{0};  // how long goodbye and DISCONNECT may take each
  Identifiers identifiers_ = Identifiers::kNone;
  std::vector<MqttSubscription> wanted_;
  std::vector<KnownSubscription> known_;  // what the broker's session may have
  std::string saved_;                     // the file's content
  bool save_failed_ = false;
  bool save_is_due_ = false;
  std::vector<Request> requests_;  // of the current round
  std::uint32_t round_ = 0;
  std::size_t unanswered_ = 0;

  std::mutex stop_mutex_;
  std::condition_variable stop_changed_;
  bool stopped_ = false;  // under stop_mutex_
};

}  // namespace runnel

// BrokerSink: an MQTT broker as a sink, with a window of its own.
//
// Keeps at most min(window, the broker's Receive Maximum) results in flight: Paho
// stalls for a second where its own limit binds. Every result carries its `runnel-id`
// as a user property (MQTT 5).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "daemon/mqtt/client.h"
#include "daemon/uplink/protocol.h"
#include "daemon/uplink/sink.h"
#include "daemon/uplink/suspicion.h"

namespace runnel {

class BrokerSink final : public Sink {
 public:
  // Lines for the daemon: `up NAME`, `down NAME REASON`, `warn NAME TEXT`. Any thread.
  using Report = std::function<void(const std::string&)>;

  // `control` and `completions` outlive the sink. Begins to connect.
  // `state`: the folder for what it has to remember.
  static Result<std::unique_ptr<BrokerSink>> Connect(PahoControl& control, UplinkBroker broker,
                                                     const std::string& state,
                                                     CompletionQueue& completions, Report report);

  std::size_t Room() const override;
  void Publish(const SinkRecord& record, std::uint64_t context) override;
  // Says goodbye; false where that did not end before `deadline`.
  bool Stop(std::chrono::steady_clock::time_point deadline);
  const std::string& client_id() const { return broker_.options.client_id; }

 private:
  BrokerSink(PahoControl& control, UplinkBroker broker, const std::string& state,
             CompletionQueue& completions, Report report);
  void OnEvent(const MqttEvent& event);
  void OnPublished(const MqttPublishResult& result);
  void LookForCulprit();
  // Nothing is published for a moment, longer each time in a row.
  void HoldBack(const MqttPublishFailure& failure);

  PahoControl* control_;
  UplinkBroker broker_;
  CompletionQueue* completions_;
  Report report_;
  std::atomic<std::uint32_t> window_{0};  // 0: not connected
  std::atomic<std::uint32_t> in_flight_{0};
  Suspicion suspicion_;
  // Whether a pause lasts; the control thread ends it, unless the sink has gone.
  std::shared_ptr<std::atomic<bool>> pauses_ = std::make_shared<std::atomic<bool>>(false);
  std::atomic<std::uint32_t> refusals_{0};  // in a row
  std::unique_ptr<MqttClient> client_;
};

}  // namespace runnel

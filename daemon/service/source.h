// Source: one MQTT session of the daemon, and the way of its messages.
//
// Owns the client and the dispatcher. What happens to the connection is handed to the
// loop; what happens to messages stays on Paho's thread.
#pragma once

#include <asio.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/ingest/dispatcher.h"
#include "daemon/ingest/sessions.h"
#include "daemon/mqtt/client.h"
#include "daemon/service/log.h"

namespace runnel {

class Source final {
 public:
  struct Options {
    std::string broker;  // name, for messages
    MqttOptions mqtt;
    PlannedSession session;
    Dispatcher::Options dispatcher;
    // The broker has answered to everything that the session wants and gives up. The loop.
    std::function<void()> on_subscribed;
  };

  // All are borrowed and outlive the source. Does not connect yet, and tells its tasks so.
  static Result<std::unique_ptr<Source>> Create(asio::io_context& loop, PahoControl& control,
                                                TaskSet& tasks, std::vector<Ringer*> workers,
                                                Log& log, Options options);

  void Start() { client_->Start(); }
  // Ends all waits and says goodbye. False: the process has to end with _exit().
  bool Stop(std::chrono::steady_clock::time_point deadline);
  // While the receive thread waits, since then, messages come late or not at all, whatever the
  // devices do: their silence does not count. The loop.
  void Hold(bool held, Time since);
  // Tells all tasks once more whether messages can come. The loop.
  void TellAgain();
  // What the client tells of its connection. Any of Paho's threads.
  void OnEvent(const MqttEvent& event);
  // Work is done: tell of the next that begins.
  void ReArm() { dispatcher_->ReArm(); }
  bool connected() const { return connected_; }
  // Whether it was so since the start.
  bool subscribed() const { return subscribed_; }
  const Options& options() const { return options_; }

 private:
  Source(asio::io_context& loop, TaskSet& tasks, Log& log, Options options);

  MessageOutcome OnMessage(const MqttMessage& message);
  void BeginSession(bool present);
  // A task that is told whether messages can come.
  struct Listener {
    RunningTask* task;
    bool is_told;  // as it is now
  };
  void Listen();
  // To all tasks, since when it is so; those whose journal is full are told when it is not.
  void TellTasks(Time since);
  void TellTheRest();
  bool Tell(const Listener& listener);
  void Handle(const MqttEvent& event);  // the loop
  void LogSubscriptions(const MqttSubscribed& subscribed);

  asio::io_context* loop_;
  TaskSet* tasks_;
  Log* log_;
  Options options_;
  std::vector<Ringer*> workers_;
  std::uint16_t session_number_ = 0;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<MqttClient> client_;
  std::mutex mutex_;  // guards what is below, and that the tasks hear of it in order
  bool is_up_ = false;
  bool is_held_ = false;
  Time since_{};
  std::vector<Listener> listeners_;
  std::chrono::milliseconds retry_after_;
  asio::steady_timer retry_;  // the loop
  std::string last_failure_;  // the loop: not logged twice in a row
  bool connected_ = false;    // the loop
  bool subscribed_ = false;   // the loop
};

}  // namespace runnel

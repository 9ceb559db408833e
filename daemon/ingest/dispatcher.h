// Dispatcher: a message of one session into the journals of all who want it.
//
// Runs on Paho's receive thread. Matches the topic, picks each pipeline's task by
// the shard key, copies the message once into that task's journal, and returns; then
// Paho acknowledges. Parses nothing. Where a journal is full it waits (QoS 1, 2: the
// broker holds what follows) or drops and counts, as the pipeline's `overload:` says.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/ingest/task_set.h"
#include "daemon/ingest/topic_filter.h"
#include "daemon/ingest/topic_levels.h"
#include "daemon/posix/doorbell.h"

namespace runnel {

struct IncomingMessage {
  std::string_view topic;
  std::string_view payload;
  bool retained = false;
  bool copy = false;  // of the one before
  Delivery delivery;
};

class Dispatcher final {
 public:
  struct Options {
    std::chrono::nanoseconds max_delay{2'000'000};
    // The wall clock; arrival times come from here.
    std::function<Time()> now;
    // A bell that workers ring when a journal has room again.
    const Doorbell* room_bell = nullptr;
    // Called when a wait for room begins (true) and ends (false), with the pipeline. Until then no
    // dispatcher of this process gets a message: Paho has one receive thread.
    std::function<void(std::size_t pipeline, bool waiting)> on_wait;
    // Called once after a worker was woken, until ReArm(): work has begun.
    std::function<void()> on_activity;
  };

  // `tasks` and the ringers (one per worker) outlive the dispatcher.
  Dispatcher(TaskSet& tasks, std::vector<Ringer*> workers, Options options);

  // The pipelines whose messages come over this session. Before the first message.
  Status AddPipeline(std::size_t pipeline);
  // A connection begins: what comes first may be repeats. Before its first message.
  void SessionBegins() { may_be_of_another_.store(kRepeats, std::memory_order_relaxed); }
  // Takes one message; returns when it is in every journal that it belongs in, or
  // was dropped by policy, or Stop() was called (false: it must not be acknowledged).
  bool Take(const IncomingMessage& message);
  // Ends all waits.
  void Stop();
  void ReArm() { activity_seen_.store(false, std::memory_order_release); }

 private:
  struct Route {
    std::size_t pipeline = 0;
    const MqttSource* source = nullptr;
    std::vector<RunningTask*> tasks;  // by partition
    // Where messages of another configuration may be: all of the first stage, those that end too.
    std::vector<RunningTask*> siblings;
    bool by_topic = false;                   // the shard key is the whole topic
    std::vector<std::size_t> key_levels;     // otherwise these levels of it
    std::optional<TopicFilter::Around> key;  // or the one level that the filter leaves open
  };

  bool IsOfAnother(const Route& route, const RunningTask& task, const IncomingMessage& message,
                   const Delivery& delivery);
  RunningTask& Pick(const Route& route, std::string_view topic);
  std::string_view JoinLevels(const Route& route);
  bool Append(const Route& route, RunningTask& task, const IncomingMessage& message);
  bool Overflow(const Route& route, RunningTask& task, const IncomingMessage& message,
                const Delivery& delivery);
  bool WaitForRoom(RunningTask& task, const IncomingMessage& message, const Delivery& delivery);
  void Notify(const RunningTask& task);

  TaskSet* tasks_;
  std::vector<Ringer*> workers_;
  Options options_;
  std::vector<Route> routes_;
  std::vector<TopicFilter> filters_;  // of the routes
  std::unique_ptr<TopicMatcher> matcher_;
  std::vector<std::uint32_t> matches_;  // scratch of Take
  TopicLevels levels_;                  // scratch of Take: of the message's topic
  std::string key_;                     // scratch of JoinLevels
  std::atomic<bool> stopped_{false};
  // So many messages of this connection may still be repeats of what another task has: as many as
  // a journal knows. A packet identifier that comes later is another's.
  static constexpr std::uint64_t kRepeats = TaskSizes{}.redelivery;
  std::atomic<std::uint64_t> may_be_of_another_{0};
  std::atomic<bool> activity_seen_{false};
};

}  // namespace runnel

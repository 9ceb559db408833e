#include "daemon/service/source.h"

#include <algorithm>
#include <utility>

namespace runnel {

namespace {

using std::chrono::milliseconds;

// How soon a full journal is tried again: twice as late each time.
constexpr milliseconds kRetryFirst{50};
constexpr milliseconds kRetryLongest{1'000};

}  // namespace

Source::Source(asio::io_context& loop, TaskSet& tasks, Log& log, Options options)
    : loop_(&loop),
      tasks_(&tasks),
      log_(&log),
      options_(std::move(options)),
      retry_after_(kRetryFirst),
      retry_(loop) {}

Result<std::unique_ptr<Source>> Source::Create(asio::io_context& loop, PahoControl& control,
                                               TaskSet& tasks, std::vector<Ringer*> workers,
                                               Log& log, Options options) {
  std::unique_ptr<Source> source(new Source(loop, tasks, log, std::move(options)));
  source->workers_ = workers;
  source->session_number_ = SessionNumber(source->options_.mqtt.client_id);
  source->dispatcher_ =
      std::make_unique<Dispatcher>(tasks, std::move(workers), source->options_.dispatcher);
  for (const std::size_t pipeline : source->options_.session.pipelines) {
    if (Status added = source->dispatcher_->AddPipeline(pipeline); !added.ok()) {
      return added.error();
    }
  }
  MqttHandlers handlers;
  handlers.on_message = [raw = source.get()](const MqttMessage& m) { return raw->OnMessage(m); };
  handlers.on_event = [raw = source.get()](const MqttEvent& event) { raw->OnEvent(event); };
  handlers.on_published = [](const MqttPublishResult&) {};
  Result<std::unique_ptr<MqttClient>> client =
      MqttClient::Create(control, source->options_.mqtt, std::move(handlers));
  if (!client.ok()) {
    return std::move(client.error()).In("broker `" + source->options_.broker + "`");
  }
  source->client_ = std::move(client).value();
  std::vector<MqttSubscription> subscriptions;
  for (const PlannedSubscription& planned : source->options_.session.subscriptions) {
    MqttSubscription subscription;
    subscription.filter = planned.filter.wire();
    subscription.qos = planned.qos;
    subscriptions.push_back(std::move(subscription));
  }
  source->client_->SetSubscriptions(std::move(subscriptions));
  source->Listen();
  return source;
}

// From what came last, perhaps to a daemon before this one, until it is connected nothing can come.
void Source::Listen() {
  const std::lock_guard lock(mutex_);
  for (const std::size_t pipeline : options_.session.pipelines) {
    const std::uint32_t partitions = tasks_->pipelines()[pipeline].plan->partitions(0);
    for (std::uint32_t partition = 0; partition < partitions; ++partition) {
      RunningTask& task = tasks_->at(pipeline, 0, partition);
      listeners_.push_back({&task, false});
      since_ = std::max(since_, task.journal->up_before());
    }
  }
  TellTheRest();
}

MessageOutcome Source::OnMessage(const MqttMessage& message) {
  IncomingMessage incoming;
  incoming.topic = message.topic;
  incoming.payload = message.payload;
  incoming.retained = message.retained;
  incoming.copy = message.copy;
  incoming.delivery.packet_id = message.packet_id;
  incoming.delivery.may_repeat = message.dup || message.dup_hidden;
  incoming.delivery.session = session_number_;
  return dispatcher_->Take(incoming) ? MessageOutcome::kTaken : MessageOutcome::kNotTaken;
}

void Source::OnEvent(const MqttEvent& event) {
  if (const auto* connected = std::get_if<MqttConnected>(&event)) {
    // Here and not on the loop: before the first message of this connection.
    BeginSession(connected->session_present);
    const std::lock_guard lock(mutex_);
    is_up_ = true;
    TellTasks(options_.dispatcher.now());
  } else if (std::holds_alternative<MqttConnectionLost>(event)) {
    const std::lock_guard lock(mutex_);
    is_up_ = false;
    TellTasks(options_.dispatcher.now());
  }
  asio::post(*loop_, [this, event] { Handle(event); });
}

void Source::BeginSession(bool present) {
  dispatcher_->SessionBegins();
  for (RunningTask& task : tasks_->tasks()) {
    if (task.id.stage != 0) continue;
    task.journal->SessionBegins(session_number_,
                                present ? SessionState::kPresent : SessionState::kNew);
  }
}

void Source::Hold(bool held, Time since) {
  const std::lock_guard lock(mutex_);
  is_held_ = held;
  TellTasks(since);
}

void Source::TellAgain() {
  const std::lock_guard lock(mutex_);
  TellTasks(since_);
}

// REQUIRES: the lock is held.
void Source::TellTasks(Time since) {
  since_ = since;
  for (Listener& listener : listeners_) listener.is_told = false;
  retry_after_ = kRetryFirst;
  TellTheRest();
}

// REQUIRES: the lock is held. False: there is no room.
bool Source::Tell(const Listener& listener) {
  const InputKind kind = is_up_ && !is_held_ ? InputKind::kResume : InputKind::kPause;
  const Time now = options_.dispatcher.now();
  if (listener.task->journal->AppendNews(kind, now, since_) == Appended::kFull) return false;
  workers_[listener.task->worker]->Notify({});
  return true;
}

// REQUIRES: the lock is held.
void Source::TellTheRest() {
  bool all = true;
  for (Listener& listener : listeners_) {
    if (!listener.is_told) listener.is_told = Tell(listener);
    all &= listener.is_told;
  }
  if (all) return;
  const std::chrono::milliseconds after = retry_after_;
  retry_after_ = std::min(2 * retry_after_, kRetryLongest);
  asio::post(*loop_, [this, after] {
    retry_.expires_after(after);
    retry_.async_wait([this](const asio::error_code& error) {
      if (error) return;
      const std::lock_guard lock(mutex_);
      TellTheRest();
    });
  });
}

void Source::Handle(const MqttEvent& event) {
  const std::string name = "broker `" + options_.broker + "`";
  if (const auto* connected = std::get_if<MqttConnected>(&event)) {
    connected_ = true;
    last_failure_.clear();
    log_->Info(name + ": connected to " + connected->url + " as `" + options_.mqtt.client_id +
               (connected->session_present ? "`, session resumed" : "`, new session"));
  } else if (const auto* lost = std::get_if<MqttConnectionLost>(&event)) {
    connected_ = false;
    log_->Warn(name + ": connection lost: " + lost->reason);
  } else if (const auto* failed = std::get_if<MqttConnectFailed>(&event)) {
    if (failed->error.message != last_failure_) {
      log_->Warn(name + ": " + failed->error.message + "; it is tried again");
    }
    last_failure_ = failed->error.message;
  } else if (const auto* subscribed = std::get_if<MqttSubscribed>(&event)) {
    LogSubscriptions(*subscribed);
    subscribed_ = true;
    options_.on_subscribed();
  } else if (const auto* warning = std::get_if<MqttWarning>(&event)) {
    log_->Warn(name + ": " + warning->message);
  }
}

void Source::LogSubscriptions(const MqttSubscribed& subscribed) {
  if (options_.session.pipelines.empty()) {
    log_->Info("broker `" + options_.broker + "`: no pipeline needs the session `" +
               options_.mqtt.client_id + "`; it has no subscriptions any more");
  }
  for (const MqttSubscriptionResult& result : subscribed.results) {
    if (!result.granted) {
      log_->Error("broker `" + options_.broker + "`: subscription to `" + result.filter +
                  "` was refused: " + result.reason);
    }
  }
}

bool Source::Stop(std::chrono::steady_clock::time_point deadline) {
  dispatcher_->Stop();
  return client_->Stop(deadline);
}

}  // namespace runnel

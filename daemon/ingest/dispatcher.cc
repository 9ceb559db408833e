#include "daemon/ingest/dispatcher.h"

#include <poll.h>

#include <utility>

#include "pipelines/base/hash.h"

namespace runnel {
namespace {

// A wait ends at the latest after this long to see whether the daemon stops.
constexpr int kSliceMilliseconds = 200;

}  // namespace

Dispatcher::Dispatcher(TaskSet& tasks, std::vector<Ringer*> workers, Options options)
    : tasks_(&tasks), workers_(std::move(workers)), options_(std::move(options)) {}

Status Dispatcher::AddPipeline(std::size_t pipeline) {
  const Plan& plan = *tasks_->pipelines()[pipeline].plan;
  Result<TopicFilter> filter = TopicFilter::Parse(plan.source().topic);
  if (!filter.ok()) return filter.error();
  Route route;
  route.pipeline = pipeline;
  route.filter = std::move(filter).value();
  route.partitions = plan.sharding().partitions;
  captures_.resize(std::max(captures_.size(), route.filter.captures().size()));
  routes_.push_back(std::move(route));
  std::vector<TopicFilter> filters;
  for (const Route& each : routes_) filters.push_back(each.filter);
  matcher_ = std::make_unique<TopicMatcher>(filters);
  matches_.resize(routes_.size());
  return {};
}

bool Dispatcher::Take(const IncomingMessage& message) {
  for (const std::uint32_t match : matcher_->Match(message.topic, matches_)) {
    const Route& route = routes_[match];
    const MqttSource& source = tasks_->pipelines()[route.pipeline].plan->source();
    if (message.retained && source.retained == RetainedPolicy::kIgnore) continue;
    if (!Append(route, Pick(route, message.topic), message)) return false;
  }
  return true;
}

RunningTask& Dispatcher::Pick(const Route& route, std::string_view topic) {
  if (route.partitions == 1) return tasks_->at(route.pipeline, 0, 0);
  const Sharding& sharding = tasks_->pipelines()[route.pipeline].plan->sharding();
  std::string_view key = topic;
  if (!sharding.captures.empty()) {
    route.filter.Match(topic, captures_);
    key = captures_[sharding.captures[0]];
    if (sharding.captures.size() > 1) {
      key_.assign(key);
      for (std::size_t i = 1; i < sharding.captures.size(); ++i) {
        key_.append(1, '/').append(captures_[sharding.captures[i]]);
      }
      key = key_;
    }
  }
  return tasks_->at(route.pipeline, 0, static_cast<std::uint32_t>(Hash(key) % route.partitions));
}

bool Dispatcher::Append(const Route& route, RunningTask& task, const IncomingMessage& message) {
  const MqttSource& source = tasks_->pipelines()[route.pipeline].plan->source();
  Delivery delivery = message.delivery;
  if (source.redelivery == RedeliveryPolicy::kKeep) delivery.may_repeat = false;
  const Appended appended =
      task.journal->AppendMessage(message.topic, message.payload, options_.now(), delivery);
  if (appended == Appended::kDone) Notify(task);
  if (appended != Appended::kFull) return true;
  if (source.overload == Overload::kDropNewest) {
    task.journal->CountOverloadDrop();
    return true;
  }
  options_.on_wait(route.pipeline, true);
  const bool taken = WaitForRoom(task, message, delivery);
  if (taken) {
    // Time in which nothing could come in does not make a device silent.
    task.journal->AppendTime(InputKind::kResume, options_.now());
    Notify(task);
  }
  options_.on_wait(route.pipeline, false);
  return taken;
}

// The back-pressure of the source: Paho does not acknowledge, so the broker waits.
// Holds no lock. The loop needs none of Paho's, so whatever frees the room goes on.
bool Dispatcher::WaitForRoom(RunningTask& task, const IncomingMessage& message,
                             const Delivery& delivery) {
  bool taken = false;
  while (!taken && !stopped_.load(std::memory_order_acquire)) {
    task.journal->StartWaiting(kSourceWaits);
    taken = task.journal->AppendMessage(message.topic, message.payload, options_.now(), delivery) !=
            Appended::kFull;
    if (taken) break;
    Notify(task);
    pollfd bell{options_.room_bell->fd(), POLLIN, 0};
    if (poll(&bell, 1, kSliceMilliseconds) > 0) options_.room_bell->Clear();
  }
  task.journal->StopWaiting(kSourceWaits);
  return taken;
}

void Dispatcher::Notify(const RunningTask& task) {
  if (!workers_[task.worker]->Notify(options_.max_delay)) return;
  if (!activity_seen_.exchange(true, std::memory_order_acq_rel)) options_.on_activity();
}

void Dispatcher::Stop() { stopped_.store(true, std::memory_order_release); }

}  // namespace runnel

#include "daemon/ingest/dispatcher.h"

#include <poll.h>

#include <array>
#include <utility>

#include "pipelines/base/hash.h"

namespace runnel {
namespace {

// A wait ends at the latest after this long to see whether the daemon stops.
constexpr int kSliceMilliseconds = 200;

}  // namespace

Dispatcher::Dispatcher(TaskSet& tasks, std::vector<Ringer*> workers, Options options)
    : tasks_(&tasks),
      workers_(std::move(workers)),
      options_(std::move(options)),
      matcher_(std::make_unique<TopicMatcher>(filters_)) {}

Status Dispatcher::AddPipeline(std::size_t pipeline) {
  const Plan& plan = *tasks_->pipelines()[pipeline].plan;
  Result<TopicFilter> filter = TopicFilter::Parse(plan.source().topic);
  if (!filter.ok()) return filter.error();
  const Sharding& sharding = plan.sharding();
  Route route;
  route.pipeline = pipeline;
  route.source = &plan.source();
  route.by_topic = sharding.captures.empty();
  for (const std::size_t capture : sharding.captures) {
    route.key_levels.push_back(filter.value().capture_levels()[capture]);
  }
  if (!route.by_topic) route.key = filter.value().around();
  for (std::uint32_t i = 0; i < sharding.partitions; ++i) {
    route.tasks.push_back(&tasks_->at(pipeline, 0, i));
  }
  for (RunningTask& task : tasks_->tasks()) {
    const bool sibling = task.id.pipeline == plan.name() && task.id.stage == 0;
    if (sibling && tasks_->pipelines()[pipeline].moved) route.siblings.push_back(&task);
  }
  routes_.push_back(std::move(route));
  filters_.push_back(std::move(filter).value());
  matcher_ = std::make_unique<TopicMatcher>(filters_);
  matches_.resize(routes_.size());
  return {};
}

bool Dispatcher::Take(const IncomingMessage& message) {
  levels_.Of(message.topic);
  for (const std::uint32_t match : matcher_->Match(levels_, matches_)) {
    const Route& route = routes_[match];
    if (message.retained && route.source->retained == RetainedPolicy::kIgnore) continue;
    if (!Append(route, Pick(route, message.topic), message)) return false;
  }
  return true;
}

inline RunningTask& Dispatcher::Pick(const Route& route, std::string_view topic) {
  if (route.tasks.size() == 1) return *route.tasks[0];
  std::string_view key = topic;
  if (route.key.has_value()) {
    key = route.key->Level(topic);
  } else if (!route.by_topic) {
    key = levels_[route.key_levels[0]];
  }
  if (route.key_levels.size() > 1) [[unlikely]]
    key = JoinLevels(route);
  return *route.tasks[Remainder(Hash(key), route.tasks.size())];
}

// The key of several levels.
std::string_view Dispatcher::JoinLevels(const Route& route) {
  key_.assign(levels_[route.key_levels[0]]);
  for (std::size_t i = 1; i < route.key_levels.size(); ++i) {
    key_.append(1, '/').append(levels_[route.key_levels[i]]);
  }
  return key_;
}

inline bool Dispatcher::Append(const Route& route, RunningTask& task,
                               const IncomingMessage& message) {
  if (message.copy) {
    task.journal->TakeCopy(message.topic, message.payload, message.delivery);
    return true;
  }
  const MqttSource& source = *route.source;
  Delivery delivery = message.delivery;
  if (source.redelivery == RedeliveryPolicy::kKeep) delivery.may_repeat = false;
  if (delivery.may_repeat && !route.siblings.empty() &&
      IsOfAnother(route, task, message, delivery)) {
    return true;
  }
  const Appended appended =
      task.journal->AppendMessage(message.topic, message.payload, options_.now(), delivery);
  if (appended == Appended::kDone) [[likely]]
    Notify(task);
  if (appended != Appended::kFull) [[likely]]
    return true;
  return Overflow(route, task, message, delivery);
}

// There is no room for a message: it is dropped, or waits until there is. False if the daemon
// stops before that.
bool Dispatcher::Overflow(const Route& route, RunningTask& task, const IncomingMessage& message,
                          const Delivery& delivery) {
  if (route.source->overload == Overload::kDropNewest) {
    task.journal->CountOverloadDrop(options_.now());
    return true;
  }
  options_.on_wait(route.pipeline, true);
  const bool taken = WaitForRoom(task, message, delivery);
  if (taken) Notify(task);
  options_.on_wait(route.pipeline, false);
  return taken;
}

// Whether another task has the message already. The journal of one that has ended still knows.
bool Dispatcher::IsOfAnother(const Route& route, const RunningTask& task,
                             const IncomingMessage& message, const Delivery& delivery) {
  const std::uint64_t left = may_be_of_another_.load(std::memory_order_relaxed);
  if (left == 0) return false;
  may_be_of_another_.store(left - 1, std::memory_order_relaxed);
  return std::any_of(route.siblings.begin(), route.siblings.end(), [&](RunningTask* sibling) {
    return sibling != &task &&
           sibling->journal->TakeRepeat(message.topic, message.payload, delivery);
  });
}

// The back-pressure of the source: Paho does not acknowledge, so the broker waits.
// Holds no lock. The loop needs none of Paho's, so whatever frees the room goes on.
bool Dispatcher::WaitForRoom(RunningTask& task, const IncomingMessage& message,
                             const Delivery& delivery) {
  bool taken = false;
  task.journal->WaitBegins(options_.now());
  while (!taken && !stopped_.load(std::memory_order_acquire)) {
    task.journal->StartWaiting(kSourceWaits);
    taken = task.journal->AppendMessage(message.topic, message.payload, options_.now(), delivery) !=
            Appended::kFull;
    if (taken) break;
    Notify(task);
    std::array<pollfd, 2> bell = options_.room_bell->sources();
    if (poll(bell.data(), bell.size(), kSliceMilliseconds) > 0) options_.room_bell->Clear();
  }
  task.journal->StopWaiting(kSourceWaits);
  task.journal->WaitEnds(options_.now(), taken);
  return taken;
}

void Dispatcher::Notify(const RunningTask& task) {
  if (!workers_[task.worker]->Notify(options_.max_delay)) return;
  if (!activity_seen_.exchange(true, std::memory_order_acq_rel)) options_.on_activity();
}

void Dispatcher::Stop() { stopped_.store(true, std::memory_order_release); }

}  // namespace runnel

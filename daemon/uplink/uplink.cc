#include "daemon/uplink/uplink.h"

#include <poll.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace runnel {
namespace {

using Clock = std::chrono::steady_clock;

// How long the goodbye to the brokers may take.
constexpr std::chrono::milliseconds kGoodbye{1500};

}  // namespace

Uplink::Uplink(Doorbell bell, Fd stop, std::function<void(const std::string&)> say)
    : bell_(std::move(bell)),
      stop_(std::move(stop)),
      say_(std::move(say)),
      completions_(bell_),
      publisher_([this](const Error& error) { say_("error " + error.message); }) {}

Result<std::unique_ptr<Uplink>> Uplink::Create(UplinkAssignment assignment, Fd stop,
                                               std::function<void(const std::string&)> say) {
  std::unique_ptr<Uplink> uplink(
      new Uplink(std::move(assignment.bell), std::move(stop), std::move(say)));
  Result<Mapping> page = Mapping::Map(assignment.page.get(), 0, PageSize(), Access::kWrite);
  if (!page.ok()) return page.error();
  uplink->page_ = std::move(page).value();
  uplink->page().sleep.Reset();
  uplink->state_ = assignment.settings.state;
  uplink->dead_letters_max_ = assignment.settings.dead_letters_max;
  for (UplinkBroker& broker : assignment.settings.brokers) {
    Result<std::unique_ptr<BrokerSink>> sink = BrokerSink::Connect(
        uplink->control_, std::move(broker), uplink->state_, uplink->completions_, uplink->say_);
    if (!sink.ok()) return sink.error();
    uplink->sinks_.push_back(std::move(sink).value());
  }
  uplink->BindSinks(assignment.settings);
  for (UplinkAssignment::OneTask& task : assignment.tasks) {
    if (Status added = uplink->AddTask(std::move(task)); !added.ok()) return added.error();
  }
  return uplink;
}

void Uplink::BindSinks(const UplinkSettings& settings) {
  for (const std::vector<UplinkSink>& pipeline : settings.pipelines) {
    std::vector<SinkBinding> bindings;
    for (const UplinkSink& sink : pipeline) {
      SinkBinding binding;
      binding.tag = sink.tag;
      binding.sink = sinks_[sink.broker].get();
      binding.id_prefix = sinks_[sink.broker]->client_id() + "/";
      binding.qos = sink.qos;
      binding.retain = sink.retain;
      bindings.push_back(std::move(binding));
    }
    bindings_.push_back(std::move(bindings));
  }
}

Status Uplink::AddTask(UplinkAssignment::OneTask task) {
  // A predecessor that is still dying has the lock; it is gone in a moment.
  while (flock(task.settle.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return Errno("locking the outputs of `" + task.id.Name() + "`");
  }
  Publisher::Source source;
  Result<std::unique_ptr<OutReader>> reader = OutReader::Open(task.work.get(), task.settle.get());
  if (!reader.ok()) return std::move(reader.error()).In("`" + task.id.Name() + "`");
  source.id = task.id;
  source.reader = std::move(reader).value();
  locks_.push_back(std::move(task.settle));
  source.worker_bell = std::move(task.bell);
  source.sinks = &bindings_[task.pipeline];
  std::unique_ptr<DeadLetterFile>& letters = letters_[task.id.pipeline];
  if (letters == nullptr) {
    letters = std::make_unique<DeadLetterFile>(state_, task.id.pipeline, dead_letters_max_);
  }
  source.dead_letters = letters.get();
  publisher_.Add(std::move(source));
  return {};
}

void Uplink::TakeCompletions() {
  completions_.Take(taken_);
  for (const Completion& completion : taken_) publisher_.Complete(completion);
}

bool Uplink::Round() {
  page().rounds.fetch_add(1, std::memory_order_relaxed);
  TakeCompletions();
  return publisher_.Run() || !taken_.empty();
}

bool Uplink::Sleep(const Clock::time_point* until) {
  SleepWord& word = page().sleep;
  word.GoToSleep();
  // Half of what is in flight where least is: whatever becomes of the others, these come,
  // and what is on its way meanwhile keeps the broker busy.
  const std::size_t half = std::max<std::size_t>(1, (publisher_.LeastInFlight() + 1) / 2);
  if (publisher_.HasMore() || !completions_.SleepFor(half)) {
    word.WakeUp();
    bell_.Clear();  // perhaps it was rung for in between
    return false;
  }
  int milliseconds = -1;
  if (until != nullptr) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - Clock::now());
    milliseconds = static_cast<int>(std::max<std::int64_t>(left.count(), 0));
  }
  // While draining, `stop` is readable all the time.
  const auto [event, timer] = bell_.sources();
  pollfd sources[] = {event, timer, {stop_.get(), POLLIN, 0}};
  poll(sources, until == nullptr ? 3 : 2, milliseconds);
  word.WakeUp();
  bell_.Clear(sources[0], sources[1]);
  return sources[2].revents != 0;
}

bool Uplink::Run(std::chrono::milliseconds drain) {
  bool stop = false;
  while (!stop) {
    if (Round()) continue;
    stop = Sleep(nullptr);
  }
  const Clock::time_point end = Clock::now() + drain;
  while (!publisher_.Drained() && Clock::now() < end) {
    if (!Round()) Sleep(&end);
  }
  // What was acknowledged while the last sleep waited for more.
  TakeCompletions();
  publisher_.Settle();
  bool goodbye = true;
  for (const auto& sink : sinks_) goodbye &= sink->Stop(Clock::now() + kGoodbye);
  return goodbye;
}

}  // namespace runnel

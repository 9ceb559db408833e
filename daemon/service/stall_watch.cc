#include "daemon/service/stall_watch.h"

#include <algorithm>
#include <utility>

#include "pipelines/base/time.h"

namespace runnel {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLook{250};
// Held up: it waits for half of so long; not any more: for less than a tenth of so long.
constexpr milliseconds kBegins{1'000};
constexpr milliseconds kEnds{2'000};
constexpr double kHalf = 0.5;
constexpr double kTenth = 0.1;
// Closest that two lines about it stand.
constexpr std::chrono::minutes kBetween{1};

}  // namespace

StallWatch::StallWatch(asio::io_context& loop, const TaskSet& tasks, Log& log, Options options)
    : tasks_(&tasks), log_(&log), options_(std::move(options)), timer_(loop) {}

void StallWatch::Noticed() {
  if (looks_) return;
  looks_ = true;
  samples_.assign(1, Take());
  LookSoon();
}

StallWatch::Sample StallWatch::Take() const {
  Sample sample{Clock::now(), std::vector<Duration>(tasks_->pipelines().size())};
  const Time now = options_.now();
  for (const RunningTask& task : tasks_->tasks()) {
    if (!task.gone && task.id.stage == 0) sample.waited[task.pipeline] += task.journal->Waited(now);
  }
  return sample;
}

void StallWatch::LookSoon() {
  timer_.expires_after(kLook);
  timer_.async_wait([this](const asio::error_code& error) {
    if (!error) Look();
  });
}

void StallWatch::Look() {
  samples_.push_back(Take());
  // One stays that is old enough to compare with.
  while (samples_.size() > 2 && samples_.back().at - samples_[1].at >= kEnds) samples_.pop_front();
  if (!held_since_.has_value() && ShareSince(kBegins) >= kHalf) Begin();
  const bool long_enough = samples_.back().at - samples_.front().at >= kEnds;
  if (long_enough && ShareSince(kEnds) < kTenth) {
    if (held_since_.has_value()) End();
    if (ShareSince(kEnds) <= 0) {
      looks_ = false;
      return;
    }
  }
  LookSoon();
}

// The latest sample that is that old, or the oldest.
const StallWatch::Sample& StallWatch::Earlier(milliseconds ago) const {
  std::size_t i = samples_.size() - 1;
  while (i > 0 && samples_.back().at - samples_[i].at < ago) --i;
  return samples_[i];
}

// Which part of that time a message waited.
double StallWatch::ShareSince(milliseconds ago) const {
  Duration waited{};
  const Sample& earlier = Earlier(ago);
  for (std::size_t i = 0; i < earlier.waited.size(); ++i) {
    waited += std::max(samples_.back().waited[i] - earlier.waited[i], Duration());
  }
  return std::chrono::duration<double>(waited) / std::chrono::duration<double>(ago);
}

// The pipeline whose messages waited longest.
std::size_t StallWatch::MostSince(milliseconds ago) const {
  const Sample& earlier = Earlier(ago);
  std::size_t most = 0;
  for (std::size_t i = 1; i < earlier.waited.size(); ++i) {
    const auto waited = [&](std::size_t at) {
      return samples_.back().waited[at] - earlier.waited[at];
    };
    if (waited(i) > waited(most)) most = i;
  }
  return most;
}

std::string StallWatch::NameOf(std::size_t pipeline) const {
  return "`" + tasks_->pipelines()[pipeline].plan->name() + "`";
}

void StallWatch::Begin() {
  const Clock::time_point now = Clock::now();
  held_since_ = now - kBegins;
  options_.hold(true, options_.now() - kBegins);
  if (told_.has_value() && now - *told_ < kBetween) return;
  told_ = now;
  const std::size_t pipeline = MostSince(kBegins);
  telling_ = pipeline;
  const bool upstream =
      std::any_of(tasks_->tasks().begin(), tasks_->tasks().end(), [&](const RunningTask& task) {
        return task.pipeline == pipeline && task.last_stage && !task.gone &&
               task.journal->WaitsForRoom();
      });
  const auto wanted = std::count_if(tasks_->pipelines().begin(), tasks_->pipelines().end(),
                                    [](const RunningPipeline& one) { return !one.retired; });
  std::string text =
      NameOf(pipeline) + ": its journal is full, " +
      (upstream ? "its results wait for upstream" : "more comes in than its workers get done") +
      "; its messages wait at the broker";
  if (wanted > 1) {
    text +=
        ", and those of all other pipelines behind them (`overload: drop_newest` in its source "
        "lets the others go on)";
  }
  log_->Warn(text);
}

void StallWatch::End() {
  const auto held = std::chrono::floor<std::chrono::seconds>(Clock::now() - *held_since_);
  held_since_.reset();
  options_.hold(false, options_.now());
  if (!telling_.has_value()) return;
  log_->Info(NameOf(*std::exchange(telling_, std::nullopt)) + ": there is room after " +
             FormatDuration(held) + ", messages come in again");
}

}  // namespace runnel

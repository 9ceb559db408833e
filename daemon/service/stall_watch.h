// StallWatch: notices when a pipeline holds up the source, and says why.
//
// A journal that is full for a moment is how back-pressure works; where the source waits for
// most of the time, in one wait or in many, no message comes as it was sent: silence must not
// count, and somebody has to hear of it. Looks only while there are waits. On the loop.
#pragma once

#include <asio.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "daemon/ingest/task_set.h"
#include "daemon/service/log.h"

namespace runnel {

class StallWatch final {
 public:
  struct Options {
    std::function<Time()> now;  // the wall clock, as of the journals' waits
    // The source is held up (true), or not any more, since then.
    std::function<void(bool, Time)> hold;
  };

  // All are borrowed.
  StallWatch(asio::io_context& loop, const TaskSet& tasks, Log& log, Options options);

  // A message has begun to wait for room.
  void Noticed();
  void Stop() { timer_.cancel(); }

 private:
  using Clock = std::chrono::steady_clock;
  // How long the pipelines' messages had waited, at a time.
  struct Sample {
    Clock::time_point at;
    std::vector<Duration> waited;
  };

  Sample Take() const;
  void LookSoon();
  void Look();
  double ShareSince(std::chrono::milliseconds ago) const;
  std::size_t MostSince(std::chrono::milliseconds ago) const;
  const Sample& Earlier(std::chrono::milliseconds ago) const;
  void Begin();
  void End();
  std::string NameOf(std::size_t pipeline) const;

  const TaskSet* tasks_;
  Log* log_;
  Options options_;
  asio::steady_timer timer_;
  bool looks_ = false;
  std::deque<Sample> samples_;  // the latest last
  std::optional<Clock::time_point> held_since_;
  std::optional<Clock::time_point> told_;  // the last stall that was told
  std::optional<std::size_t> telling_;     // the pipeline of one that was told and lasts
};

}  // namespace runnel

// Doorbell: wakes a process that sleeps, now or after a delay.
//
// Two file descriptors that the sleeper polls: an event for now, a timer for later.
// With the timer the kernel does the waiting, so a batch that builds up for
// `max_delay` costs one wake-up, however many records it has and whoever wrote them.
// A timer that fires at once would cost who arms it four times an event.
//
// SleepWord: says whether a process sleeps. Written by that process alone, read
// by those who ring; even is awake. A writer publishes its record first, then
// looks (Dekker's pattern: a full fence on both sides).
#pragma once

#include <poll.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "daemon/posix/fd.h"
#include "pipelines/base/result.h"

namespace runnel {

class Doorbell final {
 public:
  static Result<Doorbell> Create();
  Doorbell() = default;  // no bell yet; assign one before use
  // Takes over the descriptors of a bell that another process has made, see fds().
  Doorbell(Fd event, Fd timer) : event_(std::move(event)), timer_(std::move(timer)) {}
  // The same bell once more, on descriptors of its own.
  Result<Doorbell> Duplicate() const;

  // Wakes the sleeper. Any thread.
  void Ring() const;
  // Wakes the sleeper after `delay`. An earlier RingAfter that has not been heard may
  // be put off, by at most `delay`. Any thread.
  void RingAfter(std::chrono::nanoseconds delay) const;
  // The sleeper has woken: the bell is silent again.
  void Clear() const;
  // The same of what poll has said of sources(): what has not rung costs no call.
  void Clear(const pollfd& event, const pollfd& timer) const;

  // Event and timer, in the order of the constructor: what to hand over.
  std::array<int, 2> fds() const { return {event_.get(), timer_.get()}; }
  // The same for poll(2).
  std::array<pollfd, 2> sources() const {
    return {pollfd{event_.get(), POLLIN, 0}, pollfd{timer_.get(), POLLIN, 0}};
  }

 private:
  Fd event_;
  Fd timer_;
};

struct SleepWord {
  std::atomic<std::uint64_t> sleeps;  // writer: the owner; odd while it sleeps

  // For the owner: about to sleep. Look once more for work after this.
  void GoToSleep() {
    sleeps.fetch_add(1, std::memory_order_seq_cst);
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  void WakeUp() { sleeps.fetch_add(1, std::memory_order_release); }
  // For the owner's successor, whatever its predecessor left.
  void Reset() { sleeps.fetch_and(~std::uint64_t{1}, std::memory_order_seq_cst); }
};

// One who publishes records and rings for them, once for each sleep of the other: at
// once if the last time is as long ago as the delay or longer, for records so far apart
// would not meet in a batch; else after the delay.
class Ringer final {
 public:
  // Both are borrowed. Several threads may share a Ringer: then a bell may ring twice.
  Ringer(const SleepWord& word, const Doorbell& bell) : word_(&word), bell_(&bell) {}

  // Call after publishing. Costs a fence and a load while the other is awake. Whether
  // the other sleeps and this is the first to ring for it.
  bool Notify(std::chrono::nanoseconds delay) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const std::uint64_t sleep = word_->sleeps.load(std::memory_order_relaxed);
    if ((sleep & 1) == 0 || sleep == ended_.load(std::memory_order_relaxed)) return false;
    RingFor(sleep, delay);
    return true;
  }
  // A ring that is still to come, comes now.
  void Hurry() const {
    const std::uint64_t sleep = word_->sleeps.load(std::memory_order_relaxed);
    if ((sleep & 1) != 0 && sleep == ended_.load(std::memory_order_relaxed)) bell_->Ring();
  }

 private:
  void RingFor(std::uint64_t sleep, std::chrono::nanoseconds delay);

  const SleepWord* word_;
  const Doorbell* bell_;
  std::atomic<std::uint64_t> ended_{0};
  std::atomic<std::int64_t> rings_{0};  // when the bell rang last or will, steady clock, ns
};

}  // namespace runnel

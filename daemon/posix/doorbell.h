// Doorbell: wakes a process that sleeps, now or after a delay.
//
// A timer file descriptor: the sleeper polls it, whoever has work for it arms it.
// The kernel does the waiting, so a batch that builds up for `max_delay` costs one
// system call and one wake-up, however many records it has and whoever wrote them.
//
// SleepWord: says whether a process sleeps. Written by that process alone, read
// by those who ring; even is awake. A writer publishes its record first, then
// looks (Dekker's pattern: a full fence on both sides).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "daemon/posix/fd.h"
#include "pipelines/base/result.h"

namespace runnel {

class Doorbell final {
 public:
  static Result<Doorbell> Create();
  // Takes over a descriptor that another process has made.
  explicit Doorbell(Fd fd) : fd_(std::move(fd)) {}

  // Wakes the sleeper after `delay`. An earlier ring that has not been heard may be
  // put off, by at most `delay`. Any thread.
  void Ring(std::chrono::nanoseconds delay = {}) const;
  // The sleeper has woken: the bell is silent again.
  void Clear() const;
  int fd() const { return fd_.get(); }

 private:
  Fd fd_;
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

// One who may ring: remembers which sleep it has ended, so that it rings once.
class Ringer final {
 public:
  // Both are borrowed. Several threads may share a Ringer: then a bell may ring twice.
  Ringer(const SleepWord& word, const Doorbell& bell) : word_(&word), bell_(&bell) {}

  // Call after publishing. Costs a fence and a load while the other is awake. Whether
  // the bell was rung.
  bool Notify(std::chrono::nanoseconds delay) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const std::uint64_t sleep = word_->sleeps.load(std::memory_order_relaxed);
    if ((sleep & 1) == 0 || sleep == ended_.load(std::memory_order_relaxed)) return false;
    ended_.store(sleep, std::memory_order_relaxed);
    bell_->Ring(delay);
    return true;
  }
  // A ring that is still to come, comes now.
  void Hurry() const {
    const std::uint64_t sleep = word_->sleeps.load(std::memory_order_relaxed);
    if ((sleep & 1) != 0 && sleep == ended_.load(std::memory_order_relaxed)) bell_->Ring();
  }

 private:
  const SleepWord* word_;
  const Doorbell* bell_;
  std::atomic<std::uint64_t> ended_{0};
};

}  // namespace runnel

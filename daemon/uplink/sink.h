// Sink: somewhere that results go, with an acknowledgement for each.
//
// One object per destination (a broker). Publishing never waits; what became of a
// record comes back through a CompletionQueue, from whatever thread the sink has.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/posix/doorbell.h"

namespace runnel {

// One result on its way: borrowed until the call returns.
struct SinkRecord {
  std::string_view topic;
  std::string_view payload;
  std::string_view id;  // runnel-id
  int qos = 1;
  bool retain = false;
};

enum class Delivered {
  kAcknowledged,  // the other side has it
  kRetry,         // refused for now (quota) or cut off: publish it again
  kRejected,      // refused for good, with a reason
};

struct Completion {
  std::uint64_t context = 0;
  Delivered delivered = Delivered::kAcknowledged;
  std::string reason;  // kRejected
};

// Completions from the sinks' threads for the uplink's loop. A loop that woke up for each
// would take longer for that than for all it does with it: it says how many it sleeps for.
class CompletionQueue final {
 public:
  // `bell` wakes the loop; outlives the queue.
  explicit CompletionQueue(const Doorbell& bell) : bell_(&bell) {}

  // Rings where the loop sleeps for no more than there are now, or it was no success. Any
  // thread.
  void Push(Completion completion) {
    bool ring;
    {
      const std::lock_guard lock(mutex_);
      const bool urgent = completion.delivered != Delivered::kAcknowledged;
      completions_.push_back(std::move(completion));
      ring = completions_.size() == wanted_ || (urgent && wanted_ != kAwake);
    }
    if (ring) bell_->Ring();
  }
  // There may be room again. Any thread.
  void Wake() { bell_->Ring(); }
  // Takes all. The loop's thread, as all below; `into` is emptied first and keeps its memory.
  void Take(std::vector<Completion>& into) {
    into.clear();
    const std::lock_guard lock(mutex_);
    completions_.swap(into);
    wanted_ = kAwake;
  }
  // The loop goes to sleep until there are `wanted`, at least 1. False where there is one
  // already.
  bool SleepFor(std::size_t wanted) {
    const std::lock_guard lock(mutex_);
    if (!completions_.empty()) return false;
    wanted_ = wanted;
    return true;
  }

 private:
  static constexpr std::size_t kAwake = SIZE_MAX;

  const Doorbell* bell_;
  std::mutex mutex_;
  std::vector<Completion> completions_;
  std::size_t wanted_ = kAwake;
};

class Sink {
 public:
  virtual ~Sink() = default;
  // How many more records it takes now; 0 while it is not connected.
  virtual std::size_t Room() const = 0;
  // REQUIRES: Room() > 0. `context` comes back in exactly one completion.
  virtual void Publish(const SinkRecord& record, std::uint64_t context) = 0;
};

}  // namespace runnel

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

// Completions from the sinks' threads for the uplink's loop.
class CompletionQueue final {
 public:
  // `bell` wakes the loop; outlives the queue.
  explicit CompletionQueue(const Doorbell& bell) : bell_(&bell) {}

  // Any thread.
  void Push(Completion completion) {
    bool first;
    {
      const std::lock_guard lock(mutex_);
      first = completions_.empty();
      completions_.push_back(std::move(completion));
    }
    if (first) bell_->Ring();
  }
  // There may be room again. Any thread.
  void Wake() { bell_->Ring(); }
  // Takes all. The loop's thread; `into` is emptied first and keeps its memory.
  void Take(std::vector<Completion>& into) {
    into.clear();
    const std::lock_guard lock(mutex_);
    completions_.swap(into);
  }

 private:
  const Doorbell* bell_;
  std::mutex mutex_;
  std::vector<Completion> completions_;
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

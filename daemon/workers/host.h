// Host: runs the tasks of one worker, sleeping when there is nothing to do.
//
// The same code in a worker process and, with `workers: 0`, on a thread of the
// daemon. Tasks of later stages go first, so that what an earlier stage waits for is
// always done; a task without room for its outputs never stops the others.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "daemon/posix/doorbell.h"
#include "daemon/posix/mapping.h"
#include "daemon/workers/task.h"

namespace runnel {

// What the daemon writes for all hosts: whether its loop sleeps, and for each task a count
// of the records appended to its journal. A host that wakes up for three messages reads
// one line of it, not the journals of all its tasks.
struct DaemonPage {
  static constexpr std::size_t kTasksMax = 1000;  // those behind them are always looked at

  SleepWord sleep;
  alignas(64) std::array<std::atomic<std::uint32_t>, kTasksMax> appends;
};
static_assert(sizeof(DaemonPage) <= 4096);

// What a host shares with the other processes. Made from descriptors by the two
// ends of a channel, see protocol.h.
struct HostLinks {
  Fd own_page;  // SleepWord of this host, for writing
  Doorbell own_bell;
  Fd uplink_page;  // SleepWord of the uplink, for reading
  Doorbell uplink_bell;
  Fd daemon_page;  // DaemonPage, for reading
  Doorbell daemon_bell;
  Doorbell room_bell;  // wakes the daemon's source thread that waits for room
  Fd stop;             // readable or closed: finish
};

// How long results wait for others to leave with them: to publish one that comes alone wakes
// three threads (the uplink's and Paho's two), each of which costs as much as ten messages.
std::chrono::nanoseconds ResultDelay(std::chrono::nanoseconds max_delay);

struct HostedTask {
  std::unique_ptr<Task> task;
  bool last_stage = true;   // outputs go to the uplink, else to the exchange
  std::size_t appends = 0;  // its place in DaemonPage
  // Nothing is to be done unless `seen` is not the count any more.
  bool rests = false;
  std::uint32_t seen = 0;
  bool moved = true;       // since the last checkpoint
  bool announced = false;  // when it wants a tick, since it moved
};

class Host final {
 public:
  static Result<std::unique_ptr<Host>> Create(HostLinks links, std::chrono::nanoseconds max_delay);
  void Add(HostedTask task);

  // Works until `stop` is readable or closed; then checkpoints everything. A task that
  // cannot go on is reported and left alone. `started` is called once, when there is
  // nothing to do for the first time: the plans are compiled and what was left is done.
  void Run(
      const std::function<void(const Error&)>& report,
      const std::function<void()>& started = [] {});

 private:
  Host(HostLinks links, std::chrono::nanoseconds max_delay);

  bool Round();  // whether there may be more to do at once
  std::uint32_t AppendsOf(const HostedTask& hosted) const;
  bool MayHaveWork(HostedTask& hosted) const;
  void CheckpointAndRing(HostedTask& hosted);
  void Announce(HostedTask& hosted);
  void Sleep();
  bool StopRequested() const;

  HostLinks links_;
  std::chrono::nanoseconds max_delay_;
  std::vector<HostedTask> tasks_;  // later stages first
  std::function<void(const Error&)> report_;
  bool stop_ = false;
  Mapping own_page_;
  Mapping uplink_page_;
  Mapping daemon_page_;
  const DaemonPage* daemon_ = nullptr;
  std::unique_ptr<Ringer> uplink_;
  std::unique_ptr<Ringer> exchange_;
};

}  // namespace runnel

// Supervisor: keeps the workers and the uplink running.
//
// Starts them, hands over files and settings, sees them die, finds whose fault it
// was, starts them again with back-off, and kills a worker that makes no progress on
// one record for `record_timeout`, and a worker or an uplink that stands still. All on the loop;
// the mechanism is child_process.h, the policy restart_policy.h.
#pragma once

#include <asio.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/ingest/task_set.h"
#include "daemon/service/liveness.h"
#include "daemon/service/local_host.h"
#include "daemon/service/log.h"
#include "daemon/service/switchboard.h"
#include "daemon/uplink/protocol.h"
#include "daemon/workers/child_process.h"
#include "daemon/workers/protocol.h"
#include "daemon/workers/restart_policy.h"

namespace runnel {

class Supervisor final {
 public:
  struct Options {
    std::size_t workers = 1;  // processes; 0: a thread of the daemon does the work
    std::string worker_executable;
    std::string uplink_executable;
    HostSettings host;
    std::chrono::milliseconds record_timeout{5000};
    UplinkSettings uplink;
  };

  // All are borrowed and outlive the supervisor.
  Supervisor(asio::io_context& loop, TaskSet& tasks, Switchboard& board, Log& log, Options options);
  ~Supervisor();

  // Starts the processes; they do nothing before Begin.
  Status StartProcesses();
  // Gives them their work; `on_ready` is called once, when all are ready for records.
  Status Begin(std::function<void()> on_ready);
  // A worker has been woken: watches for hung records, and for an uplink that hangs, until all
  // sleep again. Loop.
  void Watch();
  // Whether every process lives, and every worker with something to read has moved
  // since the last call or waits at a declared bound.
  bool MakesProgress();

  // Workers finish what they do, checkpoint and end; `done` is called when all have,
  // or when `deadline` has killed the rest.
  void StopWorkers(std::chrono::milliseconds deadline, std::function<void()> done);
  void StopUplink(std::chrono::milliseconds deadline, std::function<void()> done);

  // What the uplink says on its channel (see uplink/protocol.h).
  std::function<void(std::string_view)> on_uplink_message;
  // Called when a worker has been started again.
  std::function<void()> on_restart;
  // Called when a worker may now be asleep, so that a new wake-up calls Watch again.
  std::function<void()> on_quiet;

 private:
  struct Child {
    std::string name;  // `worker 1`, `uplink`
    std::optional<ChildProcess> process;
    std::optional<asio::posix::stream_descriptor> death;    // the pidfd
    std::optional<asio::posix::stream_descriptor> channel;  // a duplicate, for reading
    std::unique_ptr<asio::steady_timer> timer;              // restart, or deadline of a stop
    RestartPolicy policy;
    bool ready = false;
    bool timed_out = false;  // killed by us for a hung record
    bool stopping = false;
    std::function<void()> stopped;
  };
  // The turn that a task was in when it was looked at, what it had consumed, and since when.
  struct RunningTurn {
    std::uint64_t turn = 0;
    std::uint64_t consumed = 0;
    std::chrono::steady_clock::time_point since{};
  };
  // How far a task was when the watchdog was last fed.
  struct Fed {
    std::uint64_t consumed = 0;
    bool unread = false;
  };

  Status StartLocal();
  Status StartProcess(Child& child, std::size_t index);
  Status GiveWork(std::size_t index);
  Status SendToWorker(Child& child, std::size_t index);
  Status SendToUplink(Child& child);
  void WaitForDeath(Child& child, std::size_t index);
  void ReadChannel(Child& child);
  void Died(Child& child, std::size_t index);
  bool BlameRecord(const ChildEnd& end, pid_t pid, const Child& child, std::size_t index);
  void Restart(Child& child, std::size_t index);
  void CheckReady();
  void LookSoon();
  void Look();
  bool CheckHungRecords();
  void KillHung(Child& child, const RunningTask& task, bool in_turn);
  bool CheckUplink();
  void Stop(Child& child, std::chrono::milliseconds deadline);
  bool IsRestarting(std::size_t task) const;
  // A worker's index, or behind them the uplink's.
  bool IsUplink(std::size_t index) const { return index == workers_.size(); }
  Child& ChildAt(std::size_t index) { return IsUplink(index) ? uplink_ : *workers_[index]; }

  asio::io_context* loop_;
  TaskSet* tasks_;
  Switchboard* board_;
  Log* log_;
  Options options_;
  std::vector<std::unique_ptr<Child>> workers_;
  Child uplink_;
  Liveness uplink_liveness_;
  std::unique_ptr<LocalHost> local_;  // workers: 0
  std::function<void()> on_ready_;
  asio::steady_timer watch_;
  bool watching_ = false;
  std::vector<RunningTurn> running_;  // by task
  std::vector<Fed> fed_;              // by task
};

}  // namespace runnel

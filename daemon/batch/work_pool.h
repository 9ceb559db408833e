// WorkPool: worker processes, the slots they read, and whose turn it is.
//
// A phase fills slots with tasks; any free worker takes the next one. What a task gives is
// taken in the order of the tasks where the phase wants that: a worker that is ahead waits,
// or, if all it has fits its out area, is freed and its frames are kept. So nothing depends
// on how many workers there are. A worker that dies is started anew and its task repeated;
// the frames that were taken already are passed over.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/posix/mapping.h"
#include "daemon/workers/batch_protocol.h"
#include "daemon/workers/child_process.h"

namespace runnel {

class WorkPool;

// Tasks are numbered from `first()` on.
class WorkPhase {
 public:
  virtual ~WorkPhase() = default;
  virtual std::uint64_t first() const { return 0; }
  virtual bool in_order() const { return true; }
  // Fills `slot` with a part of a task and describes it in `job` (slot and number are
  // set); false: there is no such task. Parts of a task come one after the other, and
  // begin anew where a worker has died; a task of one part is asked for once.
  virtual Result<bool> Fill(std::uint64_t task, std::uint64_t part, char* slot,
                            batch::Job& job) = 0;
  virtual Status Take(std::uint64_t task, const batch::Frame& frame) = 0;
  virtual Status Done(std::uint64_t task, const batch::Reply& reply) = 0;
  // What a worker says when nothing can be made of the task.
  virtual Error Refused(std::uint64_t task, const std::string& reason) = 0;
};

struct WorkPoolOptions {
  std::string executable;
  std::size_t workers = 1;
  std::size_t slot_bytes = 0;
  std::uint64_t region_bytes = 0;
  std::chrono::milliseconds row_timeout{};  // a worker that stays on one row is killed
  std::string poison_text;                  // tests
  int stop_fd = -1;                         // readable: stop
  std::function<void()> tick;               // called now and then
};

class WorkPool final {
 public:
  explicit WorkPool(WorkPoolOptions options) : options_(std::move(options)) {}

  // Starts the workers on a pipeline (BatchSpec, encoded); ends those that there were.
  Status Start(const std::string& spec);
  Status Run(WorkPhase& phase);
  // Whether Run ended because stop_fd is readable.
  bool stopped() const { return stopped_; }
  std::size_t restarts() const { return restarts_; }
  std::vector<pid_t> pids() const;

 private:
  struct Task {
    std::uint64_t number = 0;
    std::size_t slot = 0;
    std::uint64_t part = 0;
    batch::Job job;
    std::uint64_t taken = 0;  // frames, in this attempt and before
    std::uint64_t seen = 0;   // in this attempt
    int deaths = 0;
    bool careful = false;
    std::vector<std::uint64_t> skip;
  };
  struct Worker {
    std::optional<ChildProcess> child;
    Fd out_fd;
    Mapping out;
    bool ready = false;
    std::optional<Task> task;
    std::optional<batch::Reply> waits;  // a reply whose turn has not come
    std::uint64_t progress = 0;
    std::chrono::steady_clock::time_point moved{};
    bool overdue = false;
  };
  // What a task gave before its turn.
  struct Held {
    std::string frames;
    std::uint64_t passed = 0;
    batch::Reply reply;
  };

  Status MakeMemory(const std::string& spec);
  Status StartWorker(std::size_t index);
  Status SendSetup(Worker& worker);
  Status FillSlots(WorkPhase& phase);
  bool CanFill() const;
  Status Dispatch(WorkPhase& phase);
  Status SendPart(Worker& worker, WorkPhase& phase);
  Status Wait(WorkPhase& phase);
  Status HandleReply(std::size_t index, WorkPhase& phase);
  Status HandleTurn(Worker& worker, WorkPhase& phase);
  Status HandleDeath(std::size_t index, WorkPhase& phase);
  Status TakeFrames(std::string_view frames, Task& task, WorkPhase& phase);
  Status Finish(Task task, const batch::Reply& reply, WorkPhase& phase);
  Status CommitHeld(WorkPhase& phase);
  bool HasTurn(const Task& task, const WorkPhase& phase) const {
    return !phase.in_order() || task.number == next_commit_;
  }
  bool IsIdle() const;
  void CheckProgress();
  std::string_view OutOf(const Worker& worker, const batch::Reply& reply) const;
  char* SlotAt(std::size_t slot) const;

  WorkPoolOptions options_;
  std::string spec_;
  Fd spec_fd_;
  Fd slots_fd_;
  Fd slots_read_fd_;
  Mapping slots_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::size_t> free_slots_;
  std::deque<Task> prepared_;
  std::map<std::uint64_t, Held> held_;
  std::uint64_t next_fill_ = 0;
  std::uint64_t next_commit_ = 0;
  bool exhausted_ = false;
  bool stopped_ = false;
  std::size_t restarts_ = 0;
  std::size_t starts_failed_ = 0;  // in a row
};

}  // namespace runnel

// Task: one stage of a pipeline on one partition, as the worker runs it.
//
// The unit of determinism, state and recovery: reads one journal in order, drives a
// Pipeline in turns, appends what it says to the ring of outputs, and checkpoints.
// A successor that opens the same files goes on where the last checkpoint was and
// writes nothing twice. Owned and used by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/journal/ring.h"
#include "daemon/journal/task_files.h"
#include "daemon/posix/mapping.h"
#include "daemon/workers/plan_cache.h"
#include "pipelines/base/state.h"
#include "pipelines/plan/pipeline.h"

namespace runnel {

// The descriptors of a task's files as a worker gets them.
struct TaskDescriptors {
  Fd in;      // open for reading only
  Fd work;    // for writing
  Fd settle;  // for reading only
};

struct TaskOptions {
  // The encoded plan, for a task that finds its state damaged; otherwise the plan
  // comes from the journal.
  std::string plan;
  std::uint64_t plan_fingerprint = 0;
  // Only in builds with test hooks: a message that contains this text kills the
  // process with SIGABRT. Empty: none.
  std::string poison_text;
};

class Task final : private OutputSink {
 public:
  // Waits until no other process hosts the task, then takes it over.
  static Result<std::unique_ptr<Task>> Open(TaskId id, TaskDescriptors files,
                                            std::shared_ptr<PlanCache> plans, TaskOptions options);

  enum class Progress {
    kIdle,     // nothing to read
    kWorked,   // at least one turn
    kBlocked,  // no room for outputs; waits_for_room is set
  };
  // Does up to `turns_max` turns, checkpointing in between as needed. An error: the
  // journal is damaged, or the task cannot go on.
  Result<Progress> Run(int turns_max);

  // Makes everything done so far durable and frees its inputs. Cheap when there is
  // nothing new. Also announces the deadline. Whether inputs were freed since the last
  // call, by Run too.
  bool Checkpoint();

  // Whether Run would do a turn now. Where only room is missing it asks to be rung.
  bool CanWork() { return HasWork() && HasRoomForTurn(); }
  // Who waits for room among the inputs: kSourceWaits, kExchangeWaits.
  std::uint32_t RoomWaiters() const { return in_->waits_for_room.load(std::memory_order_relaxed); }
  // Whether outputs were published since the last call.
  bool TakePublished();
  // Says when it wants a tick. Each checkpoint does so, too.
  void AnnounceDeadline();
  // Whether the deadline is before the daemon looks next.
  bool DeadlineIsEarlier() const;

  const TaskId& id() const { return id_; }
  // What went wrong when the task was taken over, for the log; empty if nothing.
  const std::string& incident() const { return incident_; }

 private:
  Task(TaskId id, std::shared_ptr<PlanCache> plans, TaskOptions options);

  Status MapFiles(const TaskDescriptors& files);
  Status TakeOver();
  Status AttachAndStart();
  Status AttachRegion();
  Status Restart(const std::string& why);
  Status FinishImage(CheckpointSlot& slot);
  static bool StorePlan(StateRegion& region, std::uint64_t fingerprint, std::string_view encoded);
  Status StartStoredPlan();
  void FindLastOutput();
  void LoadPoisonTurns();

  bool HasWork() { return (pipeline_ != nullptr && pipeline_->HasPending()) || reader_->HasMore(); }
  bool Turn();
  bool PushRecord(const RecordView& record);
  // Apart, so that a turn keeps its record in registers.
  bool FailOfKind(int kind);
  bool FailOfDamage();
  bool FailWithoutPlan();
  bool Fail(Error error);
  bool PlanTurn();
  Status PlanRecord(const RecordView& record);
  Status SwitchPlan(const RecordView& record);
  Status InstallImage(const StateRegion& image, const Ledger& ledger);
  void EndWindows(Time now);
  TurnMode BeginTurn();
  void EndTurn();
  bool HasRoomForTurn() { return writer_->HasRoom(out_room_) || AskForRoom(); }
  bool AskForRoom();
  void Write(const Output& output) override;
  void MakeCheckpoint();
  void WriteCheckpoint(const CheckpointSlot& slot);

  TaskId id_;
  std::shared_ptr<PlanCache> plans_;  // of the process
  TaskOptions options_;
  std::string incident_;

  Fd lock_;  // the work file, locked while this process hosts the task
  Mapping in_pages_;
  Mapping in_ring_;
  Mapping work_page_;
  Mapping out_ring_;
  Mapping undo_;
  Mapping state_;
  Mapping settle_page_;
  const InPage* in_ = nullptr;
  WorkPage* work_ = nullptr;
  const SettlePage* settle_ = nullptr;
  std::optional<RingReader> reader_;
  std::optional<RingWriter> writer_;

  std::optional<StateRegion> region_;
  std::shared_ptr<LoadedPlan> plan_;
  std::uint64_t plan_fingerprint_ = 0;
  std::unique_ptr<Pipeline> pipeline_;

  CheckpointSlot current_{};        // the last checkpoint
  std::uint64_t turn_ = 0;          // of the next turn
  std::uint64_t out_sequence_ = 0;  // of the next output
  std::uint64_t out_written_ = 0;   // outputs below are in the ring already
  std::uint64_t out_room_ = 0;      // bytes that one turn may need
  bool published_ = false;
  bool freed_ = false;              // inputs, since the last Checkpoint()
  bool ending_ = false;             // kEnd was pushed because the plan changes
  std::vector<PoisonTurn> poison_;  // turns to skip
  bool skipped_ = false;            // a turn of these, since the last checkpoint
  std::string prefix_;              // scratch of Write
  std::optional<Error> failure_;    // why Turn() could not go on
};

}  // namespace runnel

// InJournal: the daemon's end of a task's inputs.
//
// Everything that a task ever learns is appended here: messages, time, resumption
// of the source, plans, records of an earlier stage. A lock of the daemon's own
// orders the writers (Paho's thread, the loop); no process shares it and nobody
// waits while holding it.
//
// Also the daemon's view of the task's progress, read from the worker's page: each
// word copied once and checked against what the daemon knows.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "daemon/journal/redelivery.h"
#include "daemon/journal/ring.h"
#include "daemon/journal/task_files.h"
#include "daemon/posix/mapping.h"
#include "pipelines/base/time.h"
#include "pipelines/plan/pipeline.h"

namespace runnel {

// Where a message came from, as far as redelivery needs to know.
struct Delivery {
  std::uint16_t packet_id = 0;  // 0: QoS 0, never redelivered
  bool may_repeat = false;      // the broker says that it may have sent this before
  std::uint16_t session = 0;    // see Session in redelivery.h
};

enum class Appended {
  kDone,
  kFull,         // no room; try again when the worker has checkpointed
  kRedelivered,  // was here already; counted
};

// What one worker owes for a turn that did not end.
struct Blame {
  std::uint64_t turn = 0;
  std::uint32_t deaths = 0;
  bool skipped = false;  // from now on
};

// How long messages of the source have waited for room, up to now. Any process.
Duration WaitedIn(const InPage& page, Time now);

class InJournal final {
 public:
  struct Options {
    std::uint64_t record_max = 64 * 1024;  // bytes of topic and payload of one message
  };

  // Maps the files. `files` may be closed afterwards.
  static Result<std::unique_ptr<InJournal>> Open(const TaskFiles& files, const Options& options);

  // One message, copied once. A message over record_max is appended as kOversize with
  // its first kilobyte. Thread-safe, as all of the Append functions.
  Appended AppendMessage(std::string_view topic, std::string_view payload, Time arrival,
                         const Delivery& delivery);
  // kTick or kEnd. Time fits even where messages do not.
  Appended AppendTime(InputKind kind, Time arrival);
  // kPause or kResume: it is so since then. A pause that finds no room, a wait for room, dropped
  // messages and a daemon that stood still are told in front of whatever is appended next: kStood.
  Appended AppendNews(InputKind kind, Time arrival, Time since);
  // Whether the journal has this message already; counts it, and does not know it again.
  bool TakeRepeat(std::string_view topic, std::string_view payload, const Delivery& delivery);
  // A tick of `source`, or a record, of the stage before. kRedelivered: taken before. A source
  // of another incarnation than before has been made anew, and counts from 0.
  struct ExchangeOrigin {
    std::uint32_t source = 0;
    std::uint64_t incarnation = 0;
    std::uint64_t sequence = 0;
  };
  Appended AppendExchange(InputKind kind, const ExchangeOrigin& origin, Time arrival,
                          std::string_view payload);
  // Whether that was the last one taken from there.
  bool HasAsLast(const ExchangeOrigin& origin);
  // The plan from here on, unless it is the one already. Where it is full, room is kept for the
  // plan until it has been appended: what comes in would take all that there ever is.
  Appended AppendPlan(std::uint64_t fingerprint, std::string_view encoded, Time arrival);
  // A counter that changes with every record appended from now on, behind its head: tells
  // a worker that hosts many tasks which of them to look at. Outlives the journal.
  void CountAppendsIn(std::atomic<std::uint32_t>& count) { appends_ = &count; }
  // Counts a message that came directly behind itself, and knows it when it is redelivered.
  void TakeCopy(std::string_view topic, std::string_view payload, const Delivery& delivery);
  // Counts a message that `overload: drop_newest` dropped.
  void CountOverloadDrop(Time now);

  // Asks the worker to ring when it frees room: kSourceWaits or kExchangeWaits. Try
  // once more after StartWaiting, then wait.
  void StartWaiting(std::uint32_t waiter);
  void StopWaiting(std::uint32_t waiter);
  // A message begins and ends to wait for room, and no other can come meanwhile; `taken`: it has
  // been appended.
  void WaitBegins(Time now);
  void WaitEnds(Time now, bool taken);
  Duration Waited(Time now) const { return WaitedIn(*in_, now); }
  // Tells the worker when the daemon looks for deadlines next.
  void Arm(Time when) { in_->armed.store(Microseconds(when), std::memory_order_seq_cst); }

  // A connection of `session` begins; `present`: the broker kept it.
  void SessionBegins(std::uint16_t session, SessionState state);

  // Of the worker's page, checked.
  CheckpointSlot checkpoint() const { return CurrentCheckpoint(*work_); }
  bool Drained() const;                  // every input is in a checkpoint
  std::optional<Time> Deadline() const;  // when the task wants a tick
  // The turn that `worker` is in, plus 1; 0: none, or it has not taken over from one that
  // was killed in a turn.
  std::uint64_t TurnRunning(pid_t worker) const;
  bool WaitsForRoom() const { return work_->waits_for_room.load(std::memory_order_relaxed) != 0; }
  bool HasUnread() const;
  std::uint64_t consumed() const { return work_->consumed.load(std::memory_order_acquire); }

  // `worker` died while a turn was running: remembers it, and from the second
  // death on has the turn skipped. None if no turn was running.
  std::optional<Blame> BlameRunningTurn(pid_t worker, int signal);

  std::uint64_t received() const { return in_->received; }
  std::uint64_t redelivered() const { return in_->redelivered; }
  std::uint64_t overload_dropped() const { return in_->overload_dropped; }
  std::uint64_t plan_fingerprint() const { return in_->plan_fingerprint; }
  std::uint64_t incarnation() const { return in_->header.incarnation; }
  // The loop is there: what came until now was taken, if the source is connected. Where it is not
  // there when it said with Arm(), the machine or the process stood still, or the clock was set: no
  // message could come since it was there last.
  void NoteUp(Time now);
  // Until when a daemon before this one took what came.
  Time up_before() const { return up_before_; }
  std::uint64_t end() const { return in_->head.load(std::memory_order_relaxed); }

 private:
  InJournal() = default;
  bool Shorten(std::string_view& topic, std::string_view& payload) const;
  bool IsRepeat(const Delivery& delivery, std::uint32_t digest);
  void AccountForTheRest();
  void Account(const RecordHeader& header);
  // REQUIRES: the lock is held and there is room.
  void AppendOwn(InputKind kind, Time arrival, std::string_view payload);
  void AppendStood(InputKind kind, Time arrival, std::int64_t since, std::int64_t until);
  void TellUntold(Time arrival);
  std::uint64_t RoomOfUntold() const;
  void Append(RecordHeader header, Time arrival, std::string_view topic, std::string_view payload);
  // REQUIRES: the lock is held.
  void NoteStood(std::int64_t since, std::int64_t until);
  void LookForAbsence(std::int64_t now);

  Options options_;
  Mapping pages_;  // in page and redelivery entries
  Mapping ring_;
  Mapping work_page_;
  InPage* in_ = nullptr;
  const WorkPage* work_ = nullptr;
  Time up_before_{};
  std::mutex mutex_;  // guards all below, and what the daemon writes in the file
  std::optional<RingWriter> writer_;
  std::uint64_t plan_room_ = 0;  // kept for a plan that found none
  std::optional<Redelivery> redelivery_;
  std::atomic<std::uint32_t> nobodys_appends_{0};
  std::atomic<std::uint32_t>* appends_ = &nobodys_appends_;
};

}  // namespace runnel

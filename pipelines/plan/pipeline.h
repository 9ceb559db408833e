// Pipeline: the running state of one stage of a plan on one partition.
//
// A state machine that is driven in turns. A turn is one Push, or one Step of what
// a Push has left to do (a window that is due). Each turn writes a bounded number
// of outputs, and all that must be remembered between turns is in the StateRegion:
// the host may checkpoint between any two turns, die in any of them, roll back,
// and by doing the same turns again get the same outputs, byte for byte.
//
// Reads no clock, allocates nothing that grows per record, throws nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "pipelines/base/bytes.h"
#include "pipelines/base/result.h"
#include "pipelines/base/state.h"
#include "pipelines/base/time.h"
#include "pipelines/plan/ledger.h"
#include "pipelines/plan/plan.h"

namespace runnel {

enum class InputKind : std::uint8_t {
  kMessage = 1,   // a message of the source: topic and payload
  kTick = 2,      // time has come: arrival is now
  kResume = 3,    // messages can come in again (start, reconnect, end of a stall)
  kExchange = 4,  // a record of an earlier stage, encoded by codecs/exchange
  kPlan = 5,      // the plan from here on; handled by the host, never pushed
  kEnd = 6,       // the plan does not have this task any more: emit what is open
  kOversize = 7,  // a message larger than limits.record; the payload is its beginning
  kPause = 8,     // no message can come in for now: silence does not count until kResume
  kStood = 9,     // no message could come in for a time: silence did not count
};

struct Input {
  InputKind kind = InputKind::kMessage;
  Time arrival{};          // never goes back within one journal
  std::string_view topic;  // kMessage, kOversize
  // kMessage, kOversize: the message; at least 64 readable bytes follow it.
  // kExchange: see codecs/exchange.
  // kPause, kResume, kStood: since when and until when (of what is not over, of what has not begun
  // the arrival), 8 bytes each; another size: both the arrival.
  std::string_view payload;
  std::uint32_t source =
      0;  // kExchange: the task of the earlier stage; kTick from a stage: the same
};

enum class OutputKind : std::uint8_t {
  kResult = 1,      // for a sink: topic and payload as they are to be published
  kDeadLetter = 2,  // for the dead-letter file
  kExchange = 3,    // for the task of the next stage that owns `shard`
  kTick = 4,        // time, passed on to every task of the next stage
};

struct Output {
  OutputKind kind = OutputKind::kResult;
  std::uint16_t sink = 0;    // kResult: index into Plan::sinks
  std::uint64_t shard = 0;   // kExchange: hash of the key; the task is shard % partitions
  Time time{};               // kResult: of the result; else arrival of the input
  std::string_view topic;    // kDeadLetter: of the message
  std::string_view payload;  // kDeadLetter: the original bytes
  std::string_view reason;   // kDeadLetter: literal
  std::string_view stage;    // kDeadLetter: `decode`, `steps[2].filter`, `sink`, …
  int signal = 0;            // kDeadLetter of a poison record: what killed the worker
};

// Where outputs go; made by the host, which has seen to it that there is room.
class OutputSink {
 public:
  virtual ~OutputSink() = default;
  // The views end with the call.
  virtual void Write(const Output& output) = 0;
};

// Whether a turn is done, or given up because it killed the process twice.
struct TurnMode {
  bool poison = false;
  int signal = 0;
};

struct StageTools;

class Pipeline {
 public:
  // Starts on `region`: takes up the state that is in it or begins anew; `ledger` belongs
  // to that state. `plan` and `region` outlive the pipeline. Fails when the state is not
  // of this plan.
  static Result<std::unique_ptr<Pipeline>> Create(const Plan& plan, std::size_t stage,
                                                  StateRegion& region, const Ledger& ledger) {
    return Create(plan, stage, region, ledger, MakeTools(plan, stage));
  }
  // The same with tools that other pipelines of this stage and this thread have too.
  static Result<std::unique_ptr<Pipeline>> Create(const Plan& plan, std::size_t stage,
                                                  StateRegion& region, const Ledger& ledger,
                                                  std::shared_ptr<StageTools> tools);
  // `plan` outlives them.
  static std::shared_ptr<StageTools> MakeTools(const Plan& plan, std::size_t stage);
  virtual ~Pipeline() = default;

  // Takes one record. REQUIRES: !HasPending(). Writes at most kOutputsMax outputs.
  // Poison: settles the record as dead-lettered with reason `poison`, changing
  // nothing else.
  virtual void Push(const Input& input, const TurnMode& mode, OutputSink& out) = 0;
  // Whether earlier pushes left work (windows that are due).
  virtual bool HasPending() const = 0;
  // Does one piece of it: at most one window closes. Poison: drops that window to a
  // dead letter. REQUIRES: HasPending().
  virtual void Step(const TurnMode& mode, OutputSink& out) = 0;

  // When the pipeline next wants a tick, if nothing arrives before.
  virtual std::optional<Time> NextDeadline() const = 0;
  // What has been settled so far. The only part of the state that is not in the region:
  // the host keeps it with each checkpoint.
  virtual const Ledger& ledger() const = 0;

  // The state in a form that does not depend on memory layout: for a changed plan,
  // for tests. Load replaces the state; it takes over operators whose key, window
  // and aggregates are the same and fails on bytes that Save has not made.
  virtual void Save(ByteWriter& writer) const = 0;
  virtual Status Load(ByteReader& reader) = 0;

  static constexpr int kOutputsMax = 2;
};

}  // namespace runnel

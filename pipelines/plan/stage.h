// Stage: the Pipeline of one stage; see pipeline.h for what it promises.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pipelines/plan/compiled_plan.h"
#include "pipelines/plan/pipeline.h"
#include "pipelines/plan/stage_tools.h"

namespace runnel {

class Stage final : public Pipeline {
 public:
  static Result<std::unique_ptr<Pipeline>> Create(const CompiledPlan& plan, std::size_t stage,
                                                  StateRegion& region, const Ledger& ledger,
                                                  std::shared_ptr<StageTools> tools);

  void Push(const Input& input, const TurnMode& mode, OutputSink& out) override;
  bool HasPending() const override { return pending_; }
  void Step(const TurnMode& mode, OutputSink& out) override;
  std::optional<Time> NextDeadline() const override;
  const Ledger& ledger() const override { return ledger_; }
  void Save(ByteWriter& writer) const override;
  Status Load(ByteReader& reader) override;

 private:
  static constexpr std::size_t kSourcesMax = SilenceClock::kSources;
  static constexpr std::int64_t kNever = INT64_MIN;
  // From when to when no message could come in, microseconds.
  struct Stood {
    std::int64_t since;
    std::int64_t until;
  };
  struct State {
    StateRegion::Ref clock;    // a SilenceClock
    StateRegion::Ref batch;    // a payload with more records
    std::uint32_t batch_size;  // bytes
    std::uint32_t forward;     // InputKind of what is to be passed on of time; 0: nothing
    std::uint32_t ending;      // so many of the stateful steps have been told the end
    std::uint32_t reserved;
    std::int64_t forward_time;  // microseconds, as all below
    Stood forward_stood;
    std::int64_t sources[kSourcesMax];  // time of each source; stage 1 and later
  };
  // A payload that has more records than one turn takes; topic and payload follow.
  struct Batch {
    DecodeCursor cursor;
    std::int64_t arrival;
    std::uint32_t topic_size;
    std::uint32_t payload_size;
  };
  enum class Origin { kInput, kResult };

  Stage(const CompiledPlan& plan, std::size_t stage, StateRegion& region,
        std::shared_ptr<StageTools> tools);
  Status StartRuns();
  Status KeepSources();
  bool FindPending() const {
    if (state().batch != StateRegion::kNone || state().forward != 0) return true;
    for (const OperatorRun* run : stateful_) {
      if (run->HasPending()) return true;
    }
    return false;
  }
  void Settle();
  void EndNext();
  void GoOn();
  void DoStep(const TurnMode& mode, OutputSink& out);
  State& ChangeState();
  const State& state() const { return *region_->Get<State>(state_block_); }
  const SilenceClock& silence() const { return *region_->Get<SilenceClock>(state().clock); }
  bool last() const { return stage_ + 1 == plan_->stages(); }

  void PushMessage(const Input& input, const TurnMode& mode, OutputSink& out);
  void PushTime(const Input& input, OutputSink& out);
  const char* Decode(const Input& input, DecodeCursor& cursor);
  const char* DecodeExchange(const Input& input, DecodeCursor& cursor);
  bool KeepBatch(const Input& input, const DecodeCursor& cursor);
  void NextOfBatch(const TurnMode& mode, OutputSink& out);
  void EndBatch();
  void TakeRecord(const char* reason, const TurnMode& mode, OutputSink& out);
  static Stood StoodOf(const Input& input);
  void SetClock(const Input& input, const Stood& stood);
  void PassTime(InputKind kind, Time time, const Stood& stood, OutputSink& out);
  Record& InputRecord() { return *tools_->input; }
  void ForgetInput(Time arrival);
  void HideCaptures();
  void ApplyCaptures(std::string_view topic);
  void Advance(const Input& input);
  std::int64_t SlowestSource(const Input& input);
  void RunSteps(std::size_t from, Record& record, Origin origin, OutputSink& out);
  void Finish(const Verdict& verdict, std::size_t step, Record& record, Origin origin,
              OutputSink& out);
  void Deliver(Record& record, Origin origin, OutputSink& out);
  const char* Publish(Record& record, std::uint16_t sink, OutputSink& out);
  const char* PassOn(Record& record, OutputSink& out);
  void DeadLetter(const char* reason, std::string_view stage, int signal, OutputSink& out);
  void Count(Origin origin, std::uint64_t Ledger::*input, std::uint64_t Ledger::*result) {
    ++(ledger_.*(origin == Origin::kInput ? input : result));
  }

  const CompiledPlan* plan_;
  std::size_t stage_;
  bool has_captures_;    // a record of this stage takes values of its topic
  bool hides_captures_;  // which expressions see and the output does not
  StateRegion* region_;
  StateRegion::Ref state_block_ = StateRegion::kNone;
  Ledger ledger_;
  std::vector<std::unique_ptr<OperatorRun>> runs_;  // of this stage's steps
  std::vector<OperatorRun*> stateful_;              // those that make records of their own
  bool pending_ = false;                            // whether one of these has something due
  std::int64_t advanced_ = INT64_MIN;               // what AdvanceTo was called with last
  std::shared_ptr<StageTools> tools_;
  const Input* input_ = nullptr;    // of the turn; for dead letters
  const Record* result_ = nullptr;  // that the turn has produced; for dead letters
};

}  // namespace runnel

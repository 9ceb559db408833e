// The parts of Stage that do what earlier turns have left: results that are due, the rest
// of a payload, time that is to be passed on.
#include <algorithm>
#include <cstring>

#include "pipelines/plan/stage.h"

namespace runnel {

// Keeps what is left of a payload for the turns to come.
bool Stage::KeepBatch(const Input& input, const DecodeCursor& cursor) {
  const std::size_t size =
      sizeof(Batch) + input.topic.size() + input.payload.size() + Decoder::kPadding;
  const StateRegion::Ref ref = region_->Allocate(size);
  if (ref == StateRegion::kNone) return false;
  auto* batch = region_->Get<Batch>(ref);
  *batch = {cursor, Microseconds(input.arrival), static_cast<std::uint32_t>(input.topic.size()),
            static_cast<std::uint32_t>(input.payload.size())};
  auto* bytes = reinterpret_cast<char*>(batch + 1);
  std::memcpy(bytes, input.topic.data(), input.topic.size());
  std::memcpy(bytes + input.topic.size(), input.payload.data(), input.payload.size());
  State& changed = ChangeState();
  changed.batch = ref;
  changed.batch_size = static_cast<std::uint32_t>(size);
  return true;
}

void Stage::NextOfBatch(const TurnMode& mode, OutputSink& out) {
  auto* batch = region_->Change<Batch>(state().batch);
  const auto* bytes = reinterpret_cast<const char*>(batch + 1);
  Input input;
  input.arrival = TimeFromMicroseconds(batch->arrival);
  input.topic = {bytes, batch->topic_size};
  input.payload = {bytes + batch->topic_size, batch->payload_size};
  input_ = &input;
  if (mode.poison) {
    // Which record it was nobody knows: the rest of the payload goes with it.
    InputRecord().Clear();
    TakeRecord("poison", mode, out);
    EndBatch();
  } else {
    const char* reason = Decode(input, batch->cursor);
    TakeRecord(reason, mode, out);
    if (batch->cursor.AtEnd()) EndBatch();
  }
  input_ = nullptr;
}

void Stage::EndBatch() {
  State& changed = ChangeState();
  region_->Free(changed.batch, changed.batch_size);
  changed.batch = StateRegion::kNone;
}

bool Stage::FindPending() const {
  if (state().batch != StateRegion::kNone || state().forward != 0) return true;
  for (const OperatorRun* run : stateful_) {
    if (run->HasPending()) return true;
  }
  return false;
}

void Stage::Step(const TurnMode& mode, OutputSink& out) {
  DoStep(mode, out);
  pending_ = FindPending();
}

void Stage::DoStep(const TurnMode& mode, OutputSink& out) {
  arena_.Reset();
  // Later steps first: what one produces in several turns is behind them in order.
  for (std::size_t i = runs_.size(); i-- > 0;) {
    if (!runs_[i]->HasPending()) continue;
    const CompiledStep& step = plan_->steps[plan_->FirstStep(stage_) + i];
    Record& result = *records_[step.produced_table];
    result.Clear();
    result.sink = 0;
    result.is_result = true;
    result_ = &result;
    const OperatorRun::Product product =
        mode.poison ? runs_[i]->Discard(result, arena_) : runs_[i]->Produce(result, arena_);
    if (!product.made) return;
    Count(Origin::kResult, &Ledger::received, &Ledger::results);
    if (mode.poison || product.failure != nullptr) {
      Count(Origin::kResult, &Ledger::dead_lettered, &Ledger::results_dead_lettered);
      return DeadLetter(mode.poison ? "poison" : product.failure, step.label, mode.signal, out);
    }
    return RunSteps(i + 1, result, Origin::kResult, out);
  }
  if (state().batch != StateRegion::kNone) return NextOfBatch(mode, out);
  if (state().forward == 0) return;
  const auto kind = static_cast<InputKind>(state().forward);
  PassTime(kind, TimeFromMicroseconds(state().forward_time), out);
  ChangeState().forward = 0;
}

}  // namespace runnel

#include "pipelines/plan/stage.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "pipelines/base/scan.h"
#include "pipelines/plan/admission.h"

namespace runnel {

Stage::State& Stage::ChangeState() { return *region_->Change<State>(state_block_); }

void Stage::Push(const Input& input, const TurnMode& mode, OutputSink& out) {
  tools_->arena.Reset();
  input_ = &input;
  if (state().ending != 0) [[unlikely]]
    GoOn();
  switch (input.kind) {
    case InputKind::kMessage:
    case InputKind::kExchange:
    case InputKind::kOversize:
      PushMessage(input, mode, out);
      break;
    case InputKind::kTick:
    case InputKind::kPause:
    case InputKind::kResume:
    case InputKind::kStood:
      PushTime(input, out);
      break;
    case InputKind::kEnd:
      if (!stateful_.empty()) EndNext();
      break;
    case InputKind::kPlan:
      break;
  }
  input_ = nullptr;
  Settle();
}

// What is to be done before the next input. The end goes from step to step: a later one has all
// that an earlier one had open before it ends itself.
inline void Stage::Settle() {
  pending_ = FindPending();
  if (state().ending == 0) [[likely]]
    return;
  while (!pending_ && state().ending < stateful_.size()) {
    EndNext();
    pending_ = FindPending();
  }
}

void Stage::EndNext() { stateful_[ChangeState().ending++]->End(); }

// Something comes behind the end.
void Stage::GoOn() {
  for (OperatorRun* run : stateful_) run->GoOn();
  ChangeState().ending = 0;
}

inline void Stage::PushMessage(const Input& input, const TurnMode& mode, OutputSink& out) {
  const char* reason = nullptr;
  DecodeCursor cursor;
  if (mode.poison) {
    reason = "poison";
    ForgetInput(input.arrival);
    InputRecord().is_result =
        input.kind == InputKind::kExchange && ExchangeDecoder::IsResult(input.payload);
  } else if (input.kind == InputKind::kOversize) {
    reason = "larger_than_limits_record";
  } else {
    reason = Decode(input, cursor);
    if (!cursor.AtEnd() && input.kind == InputKind::kMessage && !KeepBatch(input, cursor)) {
      reason = "state_full";
    }
  }
  Advance(input);
  if (input.kind != InputKind::kExchange) ++ledger_.messages;
  TakeRecord(reason, mode, out);
}

// A record that has been decoded, or could not be.
[[gnu::always_inline]] inline void Stage::TakeRecord(const char* reason, const TurnMode& mode,
                                                     OutputSink& out) {
  const Origin origin = InputRecord().is_result ? Origin::kResult : Origin::kInput;
  Count(origin, &Ledger::received, &Ledger::results_received);
  if (reason != nullptr) {
    Count(origin, &Ledger::dead_lettered, &Ledger::results_dead_lettered);
    return DeadLetter(reason, mode.poison ? "worker" : "decode", mode.signal, out);
  }
  RunSteps(0, InputRecord(), origin, out);
}

// The record of what comes in was another's, perhaps of another task.
inline void Stage::ForgetInput(Time arrival) {
  Record& record = InputRecord();
  record.Clear();
  record.sink = 0;
  record.is_result = false;
  record.topic = {};
  record.arrival = arrival;
  record.time = arrival;
}

[[gnu::always_inline]] inline const char* Stage::Decode(const Input& input, DecodeCursor& cursor) {
  Record& record = InputRecord();
  ForgetInput(input.arrival);
  if (hides_captures_) HideCaptures();
  if (input.kind == InputKind::kExchange) return DecodeExchange(input, cursor);
  const Outcome outcome = tools_->decoder->Next(input.payload, cursor, tools_->arena, record);
  if (!outcome.ok()) return outcome.reason();
  record.topic = input.topic;
  if (has_captures_) ApplyCaptures(input.topic);
  if (const char* reason = ApplySchema(*plan_, record)) return reason;
  return SetEventTime(*plan_, record);
}

const char* Stage::DecodeExchange(const Input& input, DecodeCursor& cursor) {
  Record& record = InputRecord();
  cursor.at = DecodeCursor::kEnd;
  const Outcome outcome = tools_->from_exchange->Decode(input.payload, tools_->arena, record);
  if (outcome.ok() && hides_captures_) ApplyCaptures(record.topic);
  return outcome.reason();
}

// What the last record has left.
void Stage::HideCaptures() {
  for (const std::uint16_t field : plan_->capture_fields)
    tools_->records[0]->SetHidden(field, Value());
}

// Where the level of `topic` that begins at `at` ends.
inline std::size_t EndOfLevel(std::string_view topic, std::size_t at) {
  constexpr std::size_t kBlock = 16;
  if (topic.size() - at >= kBlock) {
    const std::uint32_t slashes = scan::Find16(topic.data() + at, '/');
    if (slashes != 0) return at + static_cast<std::size_t>(std::countr_zero(slashes));
  }
  return std::min(topic.find('/', at), topic.size());
}

// Captures win over fields of the payload of the same name. Where the record passes on
// whole they are seen by expressions and not by the output.
[[gnu::always_inline]] inline void Stage::ApplyCaptures(std::string_view topic) {
  Record& record = *tools_->records[0];
  const std::size_t captures = plan_->capture_levels.size();
  std::size_t capture = 0;
  std::size_t at = std::min(plan_->captures_at, topic.size());
  for (std::uint32_t level = plan_->captures_from;; ++level) {
    const std::size_t begin = at;
    at = EndOfLevel(topic, begin);
    if (level == plan_->capture_levels[capture]) {
      const std::uint16_t field = plan_->capture_fields[capture];
      const Value value = Value::String({topic.data() + begin, at - begin});
      if (hides_captures_ && record.Get(field).IsMissing()) {
        record.SetHidden(field, value);
      } else if (stage_ == 0) {
        record.Set(field, value);
      }
      if (++capture == captures) return;
    }
    if (at == topic.size()) return;
    ++at;
  }
}

// Time as this stage sees it: of its journal, or of the slowest of its sources.
inline void Stage::Advance(const Input& input) {
  const std::int64_t now = stage_ == 0 ? Microseconds(input.arrival) : SlowestSource(input);
  if (now == kNever || (now == advanced_ && input.kind == InputKind::kMessage)) return;
  advanced_ = now;
  for (OperatorRun* run : stateful_) run->AdvanceTo(TimeFromMicroseconds(now));
}

std::int64_t Stage::SlowestSource(const Input& input) {
  State& changed = ChangeState();
  if (input.source < kSourcesMax) {
    std::int64_t& source = changed.sources[input.source];
    source = std::max(source, Microseconds(input.arrival));
  }
  const std::size_t sources = std::min<std::size_t>(plan_->partitions(stage_ - 1), kSourcesMax);
  return *std::min_element(changed.sources, changed.sources + sources);
}

void Stage::PushTime(const Input& input, OutputSink& out) {
  const Stood stood = StoodOf(input);
  if (input.kind != InputKind::kTick) SetClock(input, stood);
  Advance(input);
  if (last()) return;
  if (!FindPending()) return PassTime(input.kind, input.arrival, stood, out);
  // Behind the results that this time brings.
  State& changed = ChangeState();
  changed.forward = static_cast<std::uint32_t>(input.kind);
  changed.forward_time = Microseconds(input.arrival);
  changed.forward_stood = stood;
}

// A worker may have written them: they are put into the bounds that there are.
Stage::Stood Stage::StoodOf(const Input& input) {
  const std::int64_t arrival = std::max<std::int64_t>(Microseconds(input.arrival), 0);
  Stood stood{arrival, arrival};
  if (input.payload.size() == sizeof stood) {
    std::memcpy(&stood, input.payload.data(), sizeof stood);
    stood.since = std::clamp<std::int64_t>(stood.since, 0, arrival);
    stood.until = std::clamp<std::int64_t>(stood.until, 0, arrival);
  }
  return stood;
}

// What a source says of itself: of the first stage there is one, of a later one each task before.
void Stage::SetClock(const Input& input, const Stood& stood) {
  auto* clock = region_->Change<SilenceClock>(state().clock);
  const std::uint32_t source = stage_ == 0 ? 0 : input.source % kSourcesMax;
  if (input.kind == InputKind::kPause) clock->Stop(source, stood.since);
  if (input.kind == InputKind::kResume) clock->GoOn(source, stood.until);
  if (input.kind == InputKind::kStood) clock->LeaveOut(stood.since, stood.until);
}

void Stage::PassTime(InputKind kind, Time time, const Stood& stood, OutputSink& out) {
  char text[sizeof stood];
  std::memcpy(text, &stood, sizeof stood);
  Output tick;
  tick.kind = OutputKind::kTick;
  tick.shard = static_cast<std::uint64_t>(kind);
  tick.time = time;
  if (kind != InputKind::kTick) tick.payload = {text, sizeof text};
  out.Write(tick);
}

inline void Stage::RunSteps(std::size_t from, Record& record, Origin origin, OutputSink& out) {
  for (std::size_t i = from; i < runs_.size(); ++i) {
    const Verdict verdict = runs_[i]->Apply(record, tools_->arena);
    if (verdict.kind == Verdict::Kind::kAbsorbed) {
      return Count(origin, &Ledger::absorbed, &Ledger::results_absorbed);
    }
    if (verdict.kind != Verdict::Kind::kPass) return Finish(verdict, i, record, origin, out);
  }
  Deliver(record, origin, out);
}

void Stage::Finish(const Verdict& verdict, std::size_t step, Record& record, Origin origin,
                   OutputSink& out) {
  const std::size_t at = plan_->FirstStep(stage_) + step;
  const std::string& label = plan_->steps[at].label;
  switch (verdict.kind) {
    case Verdict::Kind::kPass:
    case Verdict::Kind::kAbsorbed:
      return;
    case Verdict::Kind::kFiltered:
      return Count(origin, &Ledger::filtered, &Ledger::results_filtered);
    case Verdict::Kind::kDropped:
      return Count(origin, &Ledger::dropped, &Ledger::results_dead_lettered);
    case Verdict::Kind::kLate:
      Count(origin, &Ledger::late, &Ledger::results_dead_lettered);
      if (plan_->late.has_value() &&
          plan_->compiled_sinks[*plan_->late].table == plan_->steps[at].table &&
          Publish(record, *plan_->late, out) == nullptr) {
        return;
      }
      return DeadLetter(verdict.reason, label, 0, out);
    case Verdict::Kind::kFailed:
      Count(origin, &Ledger::dead_lettered, &Ledger::results_dead_lettered);
      return DeadLetter(verdict.reason, label, 0, out);
  }
}

void Stage::Deliver(Record& record, Origin origin, OutputSink& out) {
  if (record.sink >= plan_->compiled_sinks.size()) record.sink = 0;  // as the exchange said
  const char* reason = last() ? Publish(record, record.sink, out) : PassOn(record, out);
  if (reason == nullptr) return Count(origin, &Ledger::passed, &Ledger::results_passed);
  Count(origin, &Ledger::dead_lettered, &Ledger::results_dead_lettered);
  DeadLetter(reason, last() ? "sink" : "exchange", 0, out);
}

const char* Stage::Publish(Record& record, std::uint16_t sink, OutputSink& out) {
  if (const char* reason = plan_->compiled_sinks[sink].topic.Render(record, tools_->topic))
    return reason;
  tools_->payload.clear();
  if (const Outcome encoded = tools_->encoder->Encode(record, tools_->payload); !encoded.ok()) {
    return encoded.reason();
  }
  if (tools_->topic.size() + tools_->payload.size() > plan_->limits.record_max)
    return "result_too_large";
  Output output;
  output.sink = sink;
  output.time = record.time;
  output.topic = tools_->topic;
  output.payload = tools_->payload;
  out.Write(output);
  return nullptr;
}

const char* Stage::PassOn(Record& record, OutputSink& out) {
  const Result<std::uint64_t> hash =
      plan_->steps[plan_->FirstStep(stage_ + 1)].op->KeyHash(record, tools_->arena);
  if (!hash.ok()) return "key_is_missing";
  tools_->payload.clear();
  if (const Outcome encoded = tools_->to_exchange->Encode(record, tools_->payload); !encoded.ok()) {
    return encoded.reason();
  }
  if (tools_->payload.size() > plan_->limits.record_max) return "result_too_large";
  Output output;
  output.kind = OutputKind::kExchange;
  output.shard = hash.value();
  output.time = record.arrival;
  output.payload = tools_->payload;
  out.Write(output);
  return nullptr;
}

// The original bytes where this stage has them; of a result, the result.
void Stage::DeadLetter(const char* reason, std::string_view stage, int signal, OutputSink& out) {
  Output output;
  output.kind = OutputKind::kDeadLetter;
  output.reason = reason;
  output.stage = stage;
  output.signal = signal;
  if (input_ != nullptr && input_->kind != InputKind::kExchange) {
    output.time = input_->arrival;
    output.topic = input_->topic;
    output.payload = input_->payload;
  } else {
    const Record& record = input_ == nullptr ? *result_ : InputRecord();
    tools_->payload.clear();
    static_cast<void>(tools_->encoder->Encode(record, tools_->payload).ok());
    if (tools_->payload.size() > plan_->limits.record_max)
      tools_->payload.resize(plan_->limits.record_max);
    output.time = record.arrival;
    output.topic = input_ == nullptr ? std::string_view() : record.topic;
    output.payload = tools_->payload;
  }
  out.Write(output);
}

std::optional<Time> Stage::NextDeadline() const {
  std::optional<Time> next;
  for (const auto& run : runs_) {
    const std::optional<Time> deadline = run->NextDeadline();
    if (deadline.has_value() && (!next.has_value() || *deadline < *next)) next = deadline;
  }
  return next;
}

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
    ForgetInput(input.arrival);
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

void Stage::Step(const TurnMode& mode, OutputSink& out) {
  DoStep(mode, out);
  Settle();
}

void Stage::DoStep(const TurnMode& mode, OutputSink& out) {
  tools_->arena.Reset();
  // Later steps first: what one produces in several turns is behind them in order.
  for (std::size_t i = runs_.size(); i-- > 0;) {
    if (!runs_[i]->HasPending()) continue;
    const CompiledStep& step = plan_->steps[plan_->FirstStep(stage_) + i];
    Record& result = *tools_->records[step.produced_table];
    result.Clear();
    result.sink = 0;
    result.is_result = true;
    result_ = &result;
    const OperatorRun::Product product = mode.poison ? runs_[i]->Discard(result, tools_->arena)
                                                     : runs_[i]->Produce(result, tools_->arena);
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
  PassTime(kind, TimeFromMicroseconds(state().forward_time), state().forward_stood, out);
  ChangeState().forward = 0;
}

}  // namespace runnel

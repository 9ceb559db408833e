#include "pipelines/plan/stage.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "pipelines/codecs/codecs.h"
#include "pipelines/codecs/json.h"
#include "pipelines/plan/admission.h"

namespace runnel {
namespace {

constexpr int kStateRoot = 0;
constexpr int kFirstStepRoot = 1;
constexpr std::size_t kArenaBytes = 256 * 1024;
constexpr std::int64_t kNever = INT64_MIN;

}  // namespace

Result<std::unique_ptr<Pipeline>> Pipeline::Create(const Plan& plan, std::size_t stage,
                                                   StateRegion& region, const Ledger& ledger) {
  return Stage::Create(static_cast<const CompiledPlan&>(plan), stage, region, ledger);
}

Stage::Stage(const CompiledPlan& plan, std::size_t stage, StateRegion& region)
    : plan_(&plan),
      stage_(stage),
      region_(&region),
      arena_(kArenaBytes),
      captures_(plan.captures.size()) {}

Result<std::unique_ptr<Pipeline>> Stage::Create(const CompiledPlan& plan, std::size_t stage,
                                                StateRegion& region, const Ledger& ledger) {
  std::unique_ptr<Stage> created(new Stage(plan, stage, region));
  created->ledger_ = ledger;
  const FieldTable& table = plan.TableOf(stage);
  if (stage == 0) {
    created->decoder_ = plan.decode_format->MakeDecoder(table, plan.unmentioned);
  } else {
    created->from_exchange_ = std::make_unique<ExchangeDecoder>(table, table, plan.unmentioned);
  }
  if (!created->last()) {
    created->to_exchange_ = std::make_unique<ExchangeEncoder>(plan.TableOf(stage + 1));
  }
  created->encoder_ = plan.encode_format->MakeEncoder();
  for (const auto& fields : plan.tables) {
    created->records_.push_back(std::make_unique<Record>(*fields));
  }
  if (Status started = created->StartRuns(); !started.ok()) return started.error();
  return std::unique_ptr<Pipeline>(std::move(created));
}

Status Stage::StartRuns() {
  state_block_ = region_->root(kStateRoot);
  if (state_block_ == StateRegion::kNone) {
    state_block_ = region_->Allocate(sizeof(State));
    if (state_block_ == StateRegion::kNone) {
      return Error{ErrorKind::kFix, "limits.state has no room for a pipeline"};
    }
    auto* fresh = region_->Get<State>(state_block_);
    fresh->now = kNever;
    std::fill(std::begin(fresh->sources), std::end(fresh->sources), kNever);
    region_->SetRoot(kStateRoot, state_block_);
  } else if (!region_->Contains(state_block_, sizeof(State))) {
    return Error{ErrorKind::kGiveUp, "the state of a pipeline is out of the region"};
  }
  for (std::size_t i = plan_->FirstStep(stage_); i < plan_->EndStep(stage_); ++i) {
    Result<std::unique_ptr<OperatorRun>> run =
        plan_->steps[i].op->Start(*region_, kFirstStepRoot + static_cast<int>(i));
    if (!run.ok()) return run.error();
    runs_.push_back(std::move(run).value());
    if (plan_->steps[i].op->ProducesRecords()) stateful_.push_back(runs_.back().get());
  }
  pending_ = FindPending();
  return {};
}

Stage::State& Stage::ChangeState() { return *region_->Change<State>(state_block_); }

void Stage::Push(const Input& input, const TurnMode& mode, OutputSink& out) {
  arena_.Reset();
  input_ = &input;
  switch (input.kind) {
    case InputKind::kMessage:
    case InputKind::kExchange:
    case InputKind::kOversize:
      PushMessage(input, mode, out);
      break;
    case InputKind::kTick:
    case InputKind::kPause:
    case InputKind::kResume:
      PushTime(input, out);
      break;
    case InputKind::kEnd:
      for (OperatorRun* run : stateful_) run->End();
      break;
    case InputKind::kPlan:
      break;
  }
  input_ = nullptr;
  pending_ = FindPending();
}

inline void Stage::PushMessage(const Input& input, const TurnMode& mode, OutputSink& out) {
  const char* reason = nullptr;
  DecodeCursor cursor;
  if (mode.poison) {
    reason = "poison";
    InputRecord().Clear();
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
void Stage::TakeRecord(const char* reason, const TurnMode& mode, OutputSink& out) {
  const Origin origin = InputRecord().is_result ? Origin::kResult : Origin::kInput;
  Count(origin, &Ledger::received, &Ledger::results_received);
  if (reason != nullptr) {
    Count(origin, &Ledger::dead_lettered, &Ledger::results_dead_lettered);
    return DeadLetter(reason, mode.poison ? "worker" : "decode", mode.signal, out);
  }
  RunSteps(0, InputRecord(), origin, out);
}

const char* Stage::Decode(const Input& input, DecodeCursor& cursor) {
  Record& record = InputRecord();
  record.Clear();
  record.sink = 0;
  record.is_result = false;
  if (plan_->whole_record && plan_->InputTable(stage_) == 0) {
    for (const std::uint16_t field : plan_->capture_fields) record.SetHidden(field, Value());
  }
  if (input.kind == InputKind::kExchange) {
    cursor.at = DecodeCursor::kEnd;
    const Outcome outcome = from_exchange_->Decode(input.payload, arena_, record);
    if (outcome.ok() && plan_->whole_record) ApplyCaptures(record.topic);
    return outcome.reason();
  }
  const Outcome outcome = decoder_->Next(input.payload, cursor, arena_, record);
  if (!outcome.ok()) return outcome.reason();
  record.arrival = input.arrival;
  record.time = input.arrival;
  record.topic = input.topic;
  ApplyCaptures(input.topic);
  if (const char* reason = ApplySchema(*plan_, record)) return reason;
  return SetEventTime(*plan_, record, ZonelessText::kRefused);
}

// Captures win over fields of the payload of the same name. Where the record passes on
// whole they are seen by expressions and not by the output.
inline void Stage::ApplyCaptures(std::string_view topic) {
  if (plan_->captures.empty() || plan_->InputTable(stage_) != 0) return;
  Record& record = *records_[0];
  std::size_t capture = 0;
  std::size_t at = std::min(plan_->captures_at, topic.size());
  for (std::uint32_t level = plan_->captures_from;; ++level) {
    const std::size_t begin = at;
    at = std::min(topic.find('/', begin), topic.size());
    if (level == plan_->capture_levels[capture]) {
      const std::uint16_t field = plan_->capture_fields[capture++];
      const Value value = Value::String({topic.data() + begin, at - begin});
      if (plan_->whole_record && record.Get(field).IsMissing()) {
        record.SetHidden(field, value);
      } else if (stage_ == 0) {
        record.Set(field, value);
      }
    }
    if (at == topic.size() || capture == plan_->captures.size()) return;
    ++at;
  }
}

// Time as this stage sees it: of its journal, or of the slowest of its sources.
void Stage::Advance(const Input& input) {
  const std::int64_t arrival = Microseconds(input.arrival);
  std::int64_t now = arrival;
  if (stage_ > 0) {
    State& changed = ChangeState();
    if (input.source < kSourcesMax) {
      std::int64_t& source = changed.sources[input.source];
      source = std::max(source, arrival);
    }
    const std::size_t sources = std::min<std::size_t>(plan_->partitions(stage_ - 1), kSourcesMax);
    now = *std::min_element(changed.sources, changed.sources + sources);
  }
  if (now == kNever || (now == advanced_ && input.kind == InputKind::kMessage)) return;
  advanced_ = now;
  for (OperatorRun* run : stateful_) {
    run->AdvanceTo(TimeFromMicroseconds(now), state().paused == 0);
  }
}

void Stage::PushTime(const Input& input, OutputSink& out) {
  if (input.kind == InputKind::kPause) ChangeState().paused = 1;
  if (input.kind == InputKind::kResume) {
    ChangeState().paused = 0;
    for (OperatorRun* run : stateful_) run->Resume(input.arrival);
  }
  Advance(input);
  if (last()) return;
  if (!FindPending()) return PassTime(input.kind, input.arrival, out);
  // Behind the results that this time brings.
  State& changed = ChangeState();
  changed.forward = static_cast<std::uint32_t>(input.kind);
  changed.forward_time = Microseconds(input.arrival);
}

void Stage::PassTime(InputKind kind, Time time, OutputSink& out) {
  Output tick;
  tick.kind = OutputKind::kTick;
  tick.shard = static_cast<std::uint64_t>(kind);
  tick.time = time;
  out.Write(tick);
}

void Stage::RunSteps(std::size_t from, Record& record, Origin origin, OutputSink& out) {
  for (std::size_t i = from; i < runs_.size(); ++i) {
    const Verdict verdict = runs_[i]->Apply(record, arena_);
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
  if (const char* reason = plan_->compiled_sinks[sink].topic.Render(record, topic_)) return reason;
  payload_.clear();
  if (const Outcome encoded = encoder_->Encode(record, payload_); !encoded.ok()) {
    return encoded.reason();
  }
  if (topic_.size() + payload_.size() > plan_->limits.record_max) return "result_too_large";
  Output output;
  output.sink = sink;
  output.time = record.time;
  output.topic = topic_;
  output.payload = payload_;
  out.Write(output);
  return nullptr;
}

const char* Stage::PassOn(Record& record, OutputSink& out) {
  const Result<std::uint64_t> hash =
      plan_->steps[plan_->FirstStep(stage_ + 1)].op->KeyHash(record, arena_);
  if (!hash.ok()) return "key_is_missing";
  payload_.clear();
  if (const Outcome encoded = to_exchange_->Encode(record, payload_); !encoded.ok()) {
    return encoded.reason();
  }
  if (payload_.size() > plan_->limits.record_max) return "result_too_large";
  Output output;
  output.kind = OutputKind::kExchange;
  output.shard = hash.value();
  output.time = record.arrival;
  output.payload = payload_;
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
    payload_.clear();
    static_cast<void>(encoder_->Encode(record, payload_).ok());
    if (payload_.size() > plan_->limits.record_max) payload_.resize(plan_->limits.record_max);
    output.time = record.arrival;
    output.topic = input_ == nullptr ? std::string_view() : record.topic;
    output.payload = payload_;
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

void Stage::Save(ByteWriter& writer) const {
  writer.Raw({reinterpret_cast<const char*>(&ledger_), sizeof(Ledger)});
  writer.Raw({reinterpret_cast<const char*>(&state()), sizeof(State)});
  writer.Varint(runs_.size());
  for (const auto& run : runs_) {
    ByteWriter inner;
    run->Save(inner);
    writer.String(inner.bytes());
  }
}

// Steps without state may differ; the one with state must be the same.
Status Stage::Load(ByteReader& reader) {
  const std::string_view counts = reader.Raw(sizeof(Ledger));
  const std::string_view saved = reader.Raw(sizeof(State));
  std::vector<std::string_view> with_state;
  for (std::uint64_t i = reader.Varint(); i > 0 && reader.ok(); --i) {
    const std::string_view inner = reader.String();
    if (!inner.empty()) with_state.push_back(inner);
  }
  if (!reader.ok()) return Error{ErrorKind::kGiveUp, "a saved pipeline is cut off"};
  std::memcpy(&ledger_, counts.data(), sizeof(Ledger));
  std::memcpy(&ChangeState(), saved.data(), sizeof(State));
  advanced_ = kNever;
  std::size_t next = 0;
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    if (plan_->steps[plan_->FirstStep(stage_) + i].op->StateMark().empty()) continue;
    if (next == with_state.size()) return Error{ErrorKind::kFix, "a step with state is new"};
    ByteReader inner(with_state[next++]);
    if (Status loaded = runs_[i]->Load(inner); !loaded.ok()) return loaded;
  }
  if (next != with_state.size()) return Error{ErrorKind::kFix, "a step with state is gone"};
  return {};
}

}  // namespace runnel

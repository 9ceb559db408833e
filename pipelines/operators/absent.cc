// absent: tells when a key has fallen silent, and when it is back.
//
// Records are absorbed; what comes out has the key's fields, `absent` (true or false) and
// `since` (arrival of its last record before the silence, milliseconds since 1970 UTC). Silence
// counts by arrival, and only while messages can come in, as `idle` of a window does.
#include <algorithm>

#include "pipelines/base/hash.h"
#include "pipelines/operators/keyed.h"

namespace runnel {
namespace {

using Ref = StateRegion::Ref;

struct Options : KeyedOptions {
  Duration after{};
  static void Describe(Schema<Options>& schema) {
    schema
        .Required("after", &Options::after,
                  "How long a key must be silent, not counting while no message can come in (a "
                  "restart, an outage); one message may be lost, so more than twice as long as it "
                  "takes to the next.")
        .AtLeast(std::chrono::milliseconds(10))
        .Example("5m");
    DescribeKey(schema);
  }
};

struct AbsentPlan {
  KeyedPlan keyed;
  std::int64_t after = 0;  // microseconds
  std::int64_t grid = 1;   // deadlines are multiples of this; keys are in order to within it
  std::uint16_t absent_field = 0;
  std::uint16_t since_field = 0;
  std::string text;
};

class AbsentRun final : public OperatorRun {
 public:
  struct Root {
    KeyTableState keys;  // the open ones are present, the closed ones absent
    Ref back;            // a key that is back and has not been told
    std::uint32_t reserved;
    std::int64_t now;  // microseconds, as all times here
  };
  struct State {
    std::int64_t last;   // arrival of the latest record
    std::int64_t since;  // of the last one before the silence
  };

  AbsentRun(const AbsentPlan& plan, StateRegion& region, Ref block)
      : plan_(&plan), region_(&region), block_(block), keys_(region, block, 0, sizeof(State)) {}

  Verdict Apply(Record& record, Arena& arena) override {
    key_.Clear();
    if (const char* reason = plan_->keyed.key.Encode(record, arena, key_)) {
      return Verdict::Failed(reason);
    }
    const std::uint64_t hash = Hash(key_.bytes());
    const std::int64_t arrival = Microseconds(record.arrival);
    Ref ref = keys_.Find(key_.bytes(), hash);
    if (ref == StateRegion::kNone) {
      if (!MakeRoom()) return Verdict::Dropped("keys_full");
      ref = keys_.Insert(key_.bytes(), hash);
      if (ref == StateRegion::kNone) return Verdict::Dropped("state_full");
      keys_.MoveTo(ref, KeyTable::List::kOpen, arrival);
    } else if (keys_.Get(ref)->list == 0) {
      State* state = ChangeState(ref);
      state->since = state->last;
      ChangeRoot()->back = ref;
      keys_.MoveTo(ref, KeyTable::List::kOpen, arrival);
    } else if (Elapsed(keys_.Get(ref)->listed, arrival) >= plan_->grid) {
      keys_.MoveTo(ref, KeyTable::List::kOpen, arrival);
    }
    State* state = ChangeState(ref);
    state->last = std::max(state->last, arrival);
    return Verdict::Absorbed();
  }

  void UseClock(const SilenceClock& clock) override { clock_ = &clock; }
  void AdvanceTo(Time now) override {
    const std::int64_t time = Microseconds(now);
    if (time > root().now) ChangeRoot()->now = time;
  }

  bool HasPending() const override {
    if (root().back != StateRegion::kNone) return true;
    const Ref first = keys_.First(KeyTable::List::kOpen);
    if (first == StateRegion::kNone) return false;
    const std::int64_t last = keys_.User<State>(first)->last;
    // Far from due in nearly every record: no division.
    return last + plan_->after <= root().now && DueAt(last) <= root().now;
  }
  std::optional<Time> NextDeadline() const override {
    const Ref first = keys_.First(KeyTable::List::kOpen);
    if (first == StateRegion::kNone) return std::nullopt;
    const std::int64_t due = DueAt(keys_.User<State>(first)->last);
    if (due == SilenceClock::kForever) return std::nullopt;
    return TimeFromMicroseconds(due);
  }

  Product Produce(Record& out, Arena& arena) override {
    if (const Ref back = root().back; back != StateRegion::kNone) {
      ChangeRoot()->back = StateRegion::kNone;
      return Tell(back, false, keys_.User<State>(back)->since, out, arena);
    }
    const Ref first = keys_.First(KeyTable::List::kOpen);
    const std::int64_t last = keys_.User<State>(first)->last;
    keys_.MoveTo(first, KeyTable::List::kClosed, last);
    return Tell(first, true, last, out, arena);
  }
  Product Discard(Record& out, Arena& arena) override { return Produce(out, arena); }

  void Save(ByteWriter& writer) const override {
    writer.String(plan_->text);
    writer.Signed(root().now);
    for (const KeyTable::List list : {KeyTable::List::kClosed, KeyTable::List::kOpen}) {
      for (Ref ref = keys_.First(list); ref != StateRegion::kNone; ref = keys_.Get(ref)->next) {
        writer.U8(1);
        writer.String(keys_.KeyOf(ref));
        writer.Signed(keys_.Get(ref)->listed);
        writer.Signed(keys_.User<State>(ref)->last);
        writer.Signed(keys_.User<State>(ref)->since);
        writer.U8(root().back == ref ? 1 : 0);
      }
      writer.U8(0);
    }
  }

  Status Load(ByteReader& reader) override {
    if (reader.String() != plan_->text) return Error{ErrorKind::kFix, "a step has changed"};
    ChangeRoot()->now = reader.Signed();
    for (const KeyTable::List list : {KeyTable::List::kClosed, KeyTable::List::kOpen}) {
      while (reader.U8() != 0 && reader.ok()) {
        const std::string_view key = reader.String();
        const std::int64_t listed = reader.Signed();
        const Ref ref = reader.ok() ? keys_.Insert(key, Hash(key)) : StateRegion::kNone;
        if (ref == StateRegion::kNone) {
          return Error{ErrorKind::kGiveUp, "a saved step does not fit"};
        }
        State* state = ChangeState(ref);
        state->last = reader.Signed();
        state->since = reader.Signed();
        if (reader.U8() != 0) ChangeRoot()->back = ref;
        keys_.MoveTo(ref, list, listed);
      }
    }
    return reader.ok() ? Status() : Error{ErrorKind::kGiveUp, "a saved step is cut off"};
  }

 private:
  const Root& root() const { return *region_->Get<Root>(block_); }
  Root* ChangeRoot() { return region_->Change<Root>(block_); }
  State* ChangeState(Ref ref) {
    State* state = keys_.User<State>(ref);
    region_->Touch(state, sizeof *state);
    return state;
  }
  std::int64_t DueAt(std::int64_t last) const {
    return clock_->DueAt(last, plan_->after, plan_->grid);
  }

  // Absent keys go first, then the one that was silent longest.
  bool MakeRoom() {
    if (keys_.state().keys < plan_->keyed.keys_max) return true;
    if (plan_->keyed.keys_full == KeyLimit::kReject) return false;
    Ref oldest = keys_.First(KeyTable::List::kClosed);
    if (oldest == StateRegion::kNone) oldest = keys_.First(KeyTable::List::kOpen);
    keys_.Remove(oldest);
    return true;
  }

  Product Tell(Ref ref, bool absent, std::int64_t since, Record& out, Arena& arena) const {
    std::string_view rest = keys_.KeyOf(ref);
    for (const KeyPart& part : plan_->keyed.key.parts) {
      const Value value = CopyTo(arena, KeyPlan::TakePart(rest));
      out.Set(part.result_field, value.IsError() ? Value::Null() : value);
    }
    out.Set(plan_->absent_field, Value::Bool(absent));
    out.Set(plan_->since_field, Value::Int(Milliseconds(TimeFromMicroseconds(since))));
    out.time = out.arrival = TimeFromMicroseconds(root().now);
    return {true, nullptr};
  }

  const AbsentPlan* plan_;
  StateRegion* region_;
  Ref block_;
  KeyTable keys_;
  const SilenceClock* clock_ = nullptr;
  KeyBuffer key_;  // scratch
};

class Absent final : public Operator {
 public:
  explicit Absent(AbsentPlan plan) : plan_(std::move(plan)) {}
  Result<std::unique_ptr<OperatorRun>> Start(StateRegion& region, int root) const override {
    Ref block = region.root(root);
    if (block == StateRegion::kNone) {
      block = region.Allocate(sizeof(AbsentRun::Root));
      if (block == StateRegion::kNone) {
        return Error{ErrorKind::kFix, "limits.state has no room for `absent`"};
      }
      region.Get<AbsentRun::Root>(block)->now = INT64_MIN;
      region.SetRoot(root, block);
    } else if (!region.Contains(block, sizeof(AbsentRun::Root))) {
      return Error{ErrorKind::kGiveUp, "the state of a step is out of the region"};
    }
    return std::unique_ptr<OperatorRun>(std::make_unique<AbsentRun>(plan_, region, block));
  }
  std::string Explain() const override { return plan_.text; }
  std::string StateMark() const override { return plan_.text; }
  std::uint64_t StateBytesMax() const override { return plan_.keyed.keys_max * StateBytesPerKey(); }
  std::uint64_t StateBytesPerKey() const override {
    return KeyTable::BytesFor(64, sizeof(AbsentRun::State));
  }
  bool MakesRecords() const override { return true; }
  std::optional<std::vector<std::string>> Key() const override { return plan_.keyed.key.Texts(); }
  Result<std::uint64_t> KeyHash(const Record& record, Arena& arena) const override {
    return plan_.keyed.key.Hash(record, arena);
  }

 private:
  AbsentPlan plan_;
};

std::unique_ptr<const Operator> Compile(StepContext& context) {
  const auto options = Read<Options>(context.node, "absent", context.diagnostics, &context.at);
  AbsentPlan plan;
  if (!options.has_value() || !plan.keyed.Compile(context, *options)) return nullptr;
  plan.after = options->after.count();
  plan.grid = std::clamp<std::int64_t>(plan.after / 8, 1000, 1'000'000);
  FieldTable& fields = *context.produced_fields;
  KnownFields produced;
  for (KeyPart& part : plan.keyed.key.parts) {
    if (part.name == "absent" || part.name == "since") {
      context.diagnostics.Error(context.at, "`" + part.name + "` is a field of what comes out");
      return nullptr;
    }
    part.result_field = fields.Intern(part.name);
    produced.Set(part.name, part.expression->type());
  }
  plan.absent_field = fields.Intern("absent");
  plan.since_field = fields.Intern("since");
  produced.Set("absent", Type::kBool);
  produced.Set("since", Type::kInt);
  context.produces = std::move(produced);
  plan.text = "absent  after " + FormatDuration(options->after) + ", " + plan.keyed.key.Explain();
  return std::make_unique<Absent>(std::move(plan));
}

}  // namespace

OperatorSpec operators::absent() {
  return {"absent", "Tells when a key has fallen silent, and when it is back.", Compile,
          Describe<Options>,
          R"(steps:
  - absent: { key: device, after: 5m }
tests:
  - send:
      - { topic: in/a, at: 0s, json: { temp: 20 } }
      - { topic: in/a, at: 7m, json: { temp: 20 } }
    until: 8m
    expect:
      - { topic: out/a, json: { device: a, absent: true, since: 1704067200000 } }
      - { topic: out/a, json: { device: a, absent: false, since: 1704067200000 } }
)"};
}

}  // namespace runnel

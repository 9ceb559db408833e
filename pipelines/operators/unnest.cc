// unnest: a record with a list becomes a record for each of its items.
//
// The members of an item that is a map become fields, over those of the record; any other
// item takes the place of the list. The record is kept in the task's state, and each turn
// gives one item, so that a death in between repeats nothing and loses nothing.
#include <algorithm>
#include <cstring>

#include "pipelines/codecs/exchange.h"
#include "pipelines/expr/expression.h"
#include "pipelines/operators/operator.h"

namespace runnel {
namespace {

using Ref = StateRegion::Ref;

struct Options {
  std::string field;
  std::optional<std::string> index;
  std::int64_t items_max = 1'000;
  static void Describe(Schema<Options>& schema) {
    schema.Required("field", &Options::field, "The field with the list.")
        .NotEmpty()
        .Example("readings");
    schema.Optional("index", &Options::index, "A field for the item's place, from 0.").NotEmpty();
    schema.Optional("items_max", &Options::items_max, "A record with more items is a dead letter.")
        .Between(1, 10'000);
    schema.Shorthand("field");
  }
};

struct UnnestPlan {
  const FieldTable* fields = nullptr;
  std::uint16_t field = 0;
  int index = -1;
  std::uint64_t items_max = 0;
  std::vector<std::uint16_t> captures;  // fields that may be hidden
  std::string text;
};

class UnnestRun final : public OperatorRun {
 public:
  UnnestRun(const UnnestPlan& plan, StateRegion& region, Ref block)
      : plan_(&plan),
        region_(&region),
        block_(block),
        encoder_(*plan.fields),
        decoder_(*plan.fields, *plan.fields, Unmentioned::kKeep) {}

  struct State {
    Ref saved;  // the record, encoded
    std::uint32_t size;
    std::uint32_t next;   // item
    std::uint32_t items;  // 0: there is no record
  };

  Verdict Apply(Record& record, Arena&) override {
    const Value& list = record.Get(plan_->field);
    if (list.IsMissing()) return Verdict::Failed("no_such_field");
    if (list.type() != Type::kList) return Verdict::Failed("unnest_not_a_list");
    if (list.AsList().empty()) return Verdict::Filtered();
    if (list.AsList().size() > plan_->items_max) return Verdict::Failed("unnest_too_many_items");
    bytes_.clear();
    writer_.Clear();
    if (const Outcome encoded = encoder_.Encode(record, bytes_); !encoded.ok()) {
      return Verdict::Failed(encoded.reason());
    }
    writer_.String(bytes_);
    WriteHidden(record);
    const std::string_view all = writer_.bytes();
    const Ref saved = region_->Allocate(all.size());
    if (saved == StateRegion::kNone) return Verdict::Dropped("state_full");
    std::memcpy(region_->Get<char>(saved), all.data(), all.size());
    *region_->Change<State>(block_) = {saved, static_cast<std::uint32_t>(all.size()), 0,
                                       static_cast<std::uint32_t>(list.AsList().size())};
    return Verdict::Absorbed();
  }

  bool HasPending() const override { return state().items > 0; }

  Product Produce(Record& out, Arena& arena) override { return Give(out, arena, true); }
  Product Discard(Record& out, Arena& arena) override { return Give(out, arena, false); }

  void Save(ByteWriter& writer) const override {
    writer.String(plan_->text);
    const State& s = state();
    writer.U32(s.next);
    writer.U32(s.items);
    writer.String(s.items == 0 ? std::string_view() : Saved());
  }
  Status Load(ByteReader& reader) override {
    if (reader.String() != plan_->text) return Error{ErrorKind::kFix, "a step has changed"};
    State loaded{};
    loaded.next = reader.U32();
    loaded.items = reader.U32();
    const std::string_view bytes = reader.String();
    if (!reader.ok()) return Error{ErrorKind::kGiveUp, "a saved step is cut off"};
    if (loaded.items > 0) {
      loaded.saved = region_->Allocate(bytes.size());
      if (loaded.saved == StateRegion::kNone) {
        return Error{ErrorKind::kGiveUp, "a saved step does not fit"};
      }
      loaded.size = static_cast<std::uint32_t>(bytes.size());
      std::memcpy(region_->Get<char>(loaded.saved), bytes.data(), bytes.size());
    }
    *region_->Change<State>(block_) = loaded;
    return {};
  }

 private:
  const State& state() const { return *region_->Get<State>(block_); }
  std::string_view Saved() const { return {region_->Get<char>(state().saved), state().size}; }

  // Captures that expressions see and the output does not.
  void WriteHidden(const Record& record) {
    for (const std::uint16_t field : plan_->captures) {
      bool visible = false;
      for (const Record::Entry& entry : record.entries()) visible |= entry.field == field;
      const Value& value = record.Get(field);
      const bool hidden = !visible && value.type() == Type::kString;
      writer_.U8(hidden ? 1 : 0);
      if (hidden) writer_.String(value.AsString());
    }
  }

  Product Give(Record& out, Arena& arena, bool whole) {
    ByteReader reader(Saved());
    const std::string_view record = reader.String();
    // The state is given back with the last item, its text must stay.
    const std::string_view copy = arena.Copy(record);
    Product product{true, nullptr};
    if (copy.data() == nullptr || !decoder_.Decode(copy, arena, out).ok()) {
      product.failure = "out_of_memory";
    } else {
      ReadHidden(reader, arena, out);
      Fill(out, whole);
    }
    State* changed = region_->Change<State>(block_);
    if (++changed->next < changed->items && product.failure == nullptr) return product;
    region_->Free(changed->saved, changed->size);
    *changed = State{};
    return product;
  }

  void ReadHidden(ByteReader& reader, Arena& arena, Record& out) const {
    for (const std::uint16_t field : plan_->captures) {
      if (reader.U8() == 0) continue;
      out.SetHidden(field, CopyTo(arena, Value::String(reader.String())));
    }
  }

  void Fill(Record& out, bool whole) const {
    const Value list = out.Get(plan_->field);
    const Value item = list.AsList()[state().next];
    if (plan_->index >= 0) {
      out.Show(static_cast<std::uint16_t>(plan_->index), Value::Int(state().next));
    }
    if (!whole) return out.Remove(plan_->field);
    if (item.type() != Type::kMap) return out.Show(plan_->field, item);
    out.Remove(plan_->field);
    for (const MapEntry& entry : item.AsMap()) {
      if (entry.key.type() != Type::kString) continue;
      const std::string_view name = entry.key.AsString();
      const int field = plan_->fields->Find(name);
      // Captures of the topic win, as over fields of the payload.
      if (field >= 0 && IsCapture(static_cast<std::uint16_t>(field))) continue;
      if (field >= 0) {
        out.Show(static_cast<std::uint16_t>(field), entry.value);
      } else {
        out.Replace(name, entry.value);
      }
    }
  }

  bool IsCapture(std::uint16_t field) const {
    return std::find(plan_->captures.begin(), plan_->captures.end(), field) !=
           plan_->captures.end();
  }

  const UnnestPlan* plan_;
  StateRegion* region_;
  Ref block_;
  ExchangeEncoder encoder_;
  ExchangeDecoder decoder_;
  ByteWriter writer_;  // scratch
  std::string bytes_;  // scratch
};

class Unnest final : public Operator {
 public:
  explicit Unnest(UnnestPlan plan) : plan_(std::move(plan)) {}
  Result<std::unique_ptr<OperatorRun>> Start(StateRegion& region, int root) const override {
    Ref block = region.root(root);
    if (block == StateRegion::kNone) {
      block = region.Allocate(sizeof(UnnestRun::State));
      if (block == StateRegion::kNone) {
        return Error{ErrorKind::kFix, "limits.state has no room for `unnest`"};
      }
      region.SetRoot(root, block);
    } else if (!region.Contains(block, sizeof(UnnestRun::State))) {
      return Error{ErrorKind::kGiveUp, "the state of a step is out of the region"};
    }
    return std::unique_ptr<OperatorRun>(std::make_unique<UnnestRun>(plan_, region, block));
  }
  std::string Explain() const override { return plan_.text; }
  std::string StateMark() const override { return plan_.text; }
  std::uint64_t StateBytesMax() const override { return 128 * 1024; }  // one record
  bool ProducesRecords() const override { return true; }
  std::optional<std::uint16_t> ListTakenApart() const override { return plan_.field; }

 private:
  UnnestPlan plan_;
};

std::unique_ptr<const Operator> Compile(StepContext& context) {
  const auto options = Read<Options>(context.node, "unnest", context.diagnostics, &context.at);
  if (!options.has_value()) return nullptr;
  if (CompileOption(context, "field", options->field) == nullptr) return nullptr;
  UnnestPlan plan;
  plan.fields = context.fields;
  plan.field = context.fields->Intern(options->field);
  plan.items_max = static_cast<std::uint64_t>(options->items_max);
  if (options->index.has_value()) {
    plan.index = context.fields->Intern(*options->index);
    context.sets.push_back(*options->index);
  }
  for (const std::string& name : *context.captures) {
    plan.captures.push_back(context.fields->Intern(name));
  }
  context.takes_away.push_back(options->field);
  context.forgets_fields = true;
  plan.text = "unnest  " + options->field;
  return std::make_unique<Unnest>(std::move(plan));
}

}  // namespace

OperatorSpec operators::unnest() {
  return {"unnest", "A record with a list becomes a record for each of its items.", Compile,
          Describe<Options>,
          R"(steps:
  - unnest: { field: readings, index: i }
tests:
  - send:
      - { topic: in/a, json: { site: x, readings: [ { temp: 20 }, { temp: 21 } ] } }
    expect:
      - { topic: out/a, json: { site: x, temp: 20, i: 0 } }
      - { topic: out/a, json: { site: x, temp: 21, i: 1 } }
)"};
}

}  // namespace runnel

// delta: what a value has changed by since the key's last record, and per second.
//
// The first record of a key has null. Of a counter a fall is a reset to zero. A record that
// is not later than the last one has no rate: null.
#include "pipelines/expr/expression.h"
#include "pipelines/operators/keyed.h"

namespace runnel {
namespace {

struct Options : KeyedOptions {
  std::string value;
  std::string as = "delta";
  std::optional<std::string> rate;
  bool counter = false;
  static void Describe(Schema<Options>& schema) {
    schema.Required("value", &Options::value, "A number.").NotEmpty().Example("energy");
    schema.Optional("as", &Options::as, "The field for the difference.").NotEmpty();
    schema
        .Optional("rate", &Options::rate, "A field for the difference per second; none without it.")
        .NotEmpty()
        .Example("power");
    schema.Optional("counter", &Options::counter, "The value only grows: a fall is a reset to 0.");
    DescribeKey(schema);
  }
};

struct State {
  std::int64_t time;  // microseconds; kNone: no value yet
  double value;
};

class Delta final : public KeyedOperator<Delta, State> {
 public:
  Delta(KeyedPlan plan, std::string text, std::unique_ptr<Expression> value, int as, int rate,
        bool counter)
      : KeyedOperator(std::move(plan), std::move(text)),
        value_(std::move(value)),
        as_(static_cast<std::uint16_t>(as)),
        rate_(rate),
        counter_(counter) {}

  Verdict Decide(State& state, bool fresh, Record& record, Arena& arena) const {
    if (fresh) state.time = kNone;
    const Value value = value_->Evaluate(record, arena);
    if (value.IsError()) return Verdict::Failed(value.Reason());
    if (!value.IsNumber()) return Verdict::Failed("delta_not_a_number");
    const double number = value.ToDouble();
    const std::int64_t time = Microseconds(record.time);
    Value difference = Value::Null();
    Value rate = Value::Null();
    if (state.time != kNone) {
      const bool reset = counter_ && number < state.value;
      const double grown = reset ? number : number - state.value;
      difference = Value::Double(grown);
      if (time > state.time) {
        rate = Value::Double(grown / (static_cast<double>(Elapsed(state.time, time)) / 1e6));
      }
    }
    state = {time, number};
    record.Show(as_, difference);
    if (rate_ >= 0) record.Show(static_cast<std::uint16_t>(rate_), rate);
    return Verdict::Pass();
  }

 private:
  static constexpr std::int64_t kNone = INT64_MIN;
  std::unique_ptr<Expression> value_;
  std::uint16_t as_;
  int rate_;
  bool counter_;
};

std::unique_ptr<const Operator> Compile(StepContext& context) {
  const auto options = Read<Options>(context.node, "delta", context.diagnostics, &context.at);
  KeyedPlan plan;
  if (!options.has_value() || !plan.Compile(context, *options)) return nullptr;
  std::unique_ptr<Expression> value = CompileNumber(context, "value", options->value);
  if (value == nullptr) return nullptr;
  NoteField(context, options->as, Type::kMissing);
  if (options->rate.has_value()) NoteField(context, *options->rate, Type::kMissing);
  const int rate = options->rate.has_value() ? context.fields->Intern(*options->rate) : -1;
  std::string text =
      "delta  " + options->as + " of " + options->value + (options->counter ? ", a counter" : "");
  return std::make_unique<Delta>(std::move(plan), std::move(text), std::move(value),
                                 context.fields->Intern(options->as), rate, options->counter);
}

}  // namespace

OperatorSpec operators::delta() {
  return {"delta", "What a value has changed by since the key's last record, and per second.",
          Compile, Describe<Options>,
          R"(steps:
  - delta: { value: energy, as: used, rate: per_second, counter: true, key: device }
tests:
  - send:
      - { topic: in/a, at: 0s, json: { energy: 100 } }
      - { topic: in/a, at: 2s, json: { energy: 110 } }
      - { topic: in/a, at: 4s, json: { energy: 3 } }
    expect:
      - { topic: out/a, json: { energy: 100, used: null, per_second: null } }
      - { topic: out/a, json: { energy: 110, used: 10.0, per_second: 5.0 } }
      - { topic: out/a, json: { energy: 3, used: 3.0, per_second: 1.5 } }
)"};
}

}  // namespace runnel

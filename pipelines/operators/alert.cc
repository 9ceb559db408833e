// alert: raised when a condition has held for a while, cleared when another one has.
//
// With one condition to raise and another to clear there is hysteresis: between them
// nothing changes. The record that raises or clears passes, with a field that says which;
// all others do not. Time is the records': what holds is judged when one comes.
#include "pipelines/expr/expression.h"
#include "pipelines/operators/keyed.h"

namespace runnel {
namespace {

struct Options : KeyedOptions {
  std::string raise;
  std::optional<std::string> clear;
  Duration hold{};
  Duration hold_clear{};
  std::optional<Duration> repeat;
  std::string as = "alert";
  static void Describe(Schema<Options>& schema) {
    schema.Required("raise", &Options::raise, "When the alert is raised.")
        .NotEmpty()
        .Example("temp > 8");
    schema
        .Optional("clear", &Options::clear,
                  "When it is cleared; without it when `raise` is not true.")
        .Example("temp < 7");
    schema.Optional("hold", &Options::hold, "For how long `raise` must be true, without a break.")
        .Example("5m");
    schema.Optional("hold_clear", &Options::hold_clear, "For how long `clear` must be true.");
    schema.Optional("repeat", &Options::repeat, "While it is raised it is said again so often.")
        .AtLeast(std::chrono::milliseconds(1))
        .Example("1h");
    schema.Optional("as", &Options::as, "The field that says `raised` or `cleared`.").NotEmpty();
    DescribeKey(schema);
  }
};

struct State {
  std::int64_t since;  // of the condition that would change it; kNone: it does not hold
  std::int64_t said;   // when it was raised or repeated
  std::uint64_t raised;
};

class Alert final : public KeyedOperator<Alert, State> {
 public:
  Alert(KeyedPlan plan, std::string text, const Options& options, std::unique_ptr<Expression> raise,
        std::unique_ptr<Expression> clear, std::uint16_t as)
      : KeyedOperator(std::move(plan), std::move(text)),
        raise_(std::move(raise)),
        clear_(std::move(clear)),
        hold_{options.hold.count(), options.hold_clear.count()},
        repeat_(options.repeat.value_or(Duration(0)).count()),
        as_(as) {}

  Verdict Decide(State& state, bool fresh, Record& record, Arena& arena) const {
    if (fresh) state.since = kNone;
    const bool raised = state.raised != 0;
    const bool by_raise = !raised || clear_ == nullptr;
    const Value value = (by_raise ? raise_ : clear_)->Evaluate(record, arena);
    if (value.IsError()) return Verdict::Failed(value.Reason());
    if (value.type() != Type::kBool) return Verdict::Failed("alert_not_a_bool");
    const bool holds = raised && clear_ == nullptr ? !value.AsBool() : value.AsBool();
    const std::int64_t time = Microseconds(record.time);
    if (!holds) {
      state.since = kNone;
      return Repeat(state, time, record);
    }
    if (state.since == kNone || time < state.since) state.since = time;
    if (Elapsed(state.since, time) < hold_[raised ? 1 : 0]) return Repeat(state, time, record);
    state = {kNone, time, raised ? 0u : 1u};
    record.Show(as_, Value::String(raised ? "cleared" : "raised"));
    return Verdict::Pass();
  }

 private:
  static constexpr std::int64_t kNone = INT64_MIN;

  Verdict Repeat(State& state, std::int64_t time, Record& record) const {
    if (state.raised == 0 || repeat_ == 0 || Elapsed(state.said, time) < repeat_) {
      return Verdict::Filtered();
    }
    state.said = time;
    record.Show(as_, Value::String("raised"));
    return Verdict::Pass();
  }

  std::unique_ptr<Expression> raise_;
  std::unique_ptr<Expression> clear_;  // nullptr: when `raise` is not true
  std::int64_t hold_[2];               // to raise, to clear; microseconds
  std::int64_t repeat_;
  std::uint16_t as_;
};

std::unique_ptr<const Operator> Compile(StepContext& context) {
  const auto options = Read<Options>(context.node, "alert", context.diagnostics, &context.at);
  KeyedPlan plan;
  if (!options.has_value() || !plan.Compile(context, *options)) return nullptr;
  std::unique_ptr<Expression> raise = CompileCondition(context, "raise", options->raise);
  std::unique_ptr<Expression> clear;
  if (options->clear.has_value()) {
    clear = CompileCondition(context, "clear", *options->clear);
    if (clear == nullptr) return nullptr;
  }
  if (raise == nullptr) return nullptr;
  NoteField(context, options->as, Type::kString);
  std::string text = "alert  " + options->raise;
  if (options->hold.count() > 0) text += " for " + FormatDuration(options->hold);
  if (options->clear.has_value()) text += ", clear " + *options->clear;
  if (options->hold_clear.count() > 0) text += " for " + FormatDuration(options->hold_clear);
  return std::make_unique<Alert>(std::move(plan), std::move(text), *options, std::move(raise),
                                 std::move(clear), context.fields->Intern(options->as));
}

}  // namespace

OperatorSpec operators::alert() {
  return {"alert",
          "Raised when a condition has held for a while, cleared when another one has; the records "
          "in between do not pass.",
          Compile, Describe<Options>,
          R"(steps:
  - alert: { raise: temp > 8, clear: temp < 7, hold: 1m, key: device }
tests:
  - send:
      - { topic: in/a, at: 0s, json: { temp: 9 } }
      - { topic: in/a, at: 30s, json: { temp: 9.5 } }
      - { topic: in/a, at: 60s, json: { temp: 8.5 } }
      - { topic: in/a, at: 70s, json: { temp: 7.5 } }
      - { topic: in/a, at: 80s, json: { temp: 6.9 } }
    expect:
      - { topic: out/a, json: { temp: 8.5, alert: raised } }
      - { topic: out/a, json: { temp: 6.9, alert: cleared } }
)"};
}

}  // namespace runnel

// deadband: lets a value pass when it is far enough from the last one that passed, or
// when that was long ago.
#include <cmath>

#include "pipelines/expr/expression.h"
#include "pipelines/operators/keyed.h"

namespace runnel {
namespace {

struct Options : KeyedOptions {
  std::string value;
  std::optional<double> absolute;
  std::optional<double> percent;
  std::optional<Duration> heartbeat;
  static void Describe(Schema<Options>& schema) {
    schema.Required("value", &Options::value, "A number.").NotEmpty().Example("temp");
    schema.Optional("absolute", &Options::absolute, "The least distance from the last value.")
        .AtLeast(0)
        .Example("0.5");
    schema
        .Optional("percent", &Options::percent, "The least distance, in percent of the last value.")
        .AtLeast(0)
        .Example("2");
    schema
        .Optional("heartbeat", &Options::heartbeat,
                  "A value passes after this time, however near it is.")
        .AtLeast(std::chrono::milliseconds(1))
        .Example("10m");
    DescribeKey(schema);
  }
};

struct State {
  std::int64_t passed;  // microseconds
  double value;
};

class Deadband final : public KeyedOperator<Deadband, State> {
 public:
  Deadband(KeyedPlan plan, const Options& options, std::string text,
           std::unique_ptr<Expression> value)
      : KeyedOperator(std::move(plan), std::move(text)),
        value_(std::move(value)),
        limit_(options.absolute.value_or(options.percent.value_or(0) / 100)),
        relative_(options.percent.has_value()),
        heartbeat_(options.heartbeat.value_or(Duration(0)).count()) {}

  Verdict Decide(State& state, bool fresh, Record& record, Arena& arena) const {
    const Value value = value_->Evaluate(record, arena);
    if (value.IsError()) return Undo(state, fresh, value.Reason());
    if (!value.IsNumber()) return Undo(state, fresh, "deadband_not_a_number");
    const double number = value.ToDouble();
    const std::int64_t time = Microseconds(record.time);
    const double distance = std::fabs(number - state.value);
    const double limit = relative_ ? limit_ * std::fabs(state.value) : limit_;
    // A NaN is far from everything.
    const bool near = distance < limit || distance == 0;
    const bool alive = heartbeat_ > 0 && Elapsed(state.passed, time) >= heartbeat_;
    if (!fresh && state.passed != kNone && near && !alive) return Verdict::Filtered();
    state = {time, number};
    return Verdict::Pass();
  }

 private:
  static constexpr std::int64_t kNone = INT64_MIN;
  // A key that has not had a value yet is as if it were new.
  static Verdict Undo(State& state, bool fresh, const char* reason) {
    if (fresh) state.passed = kNone;
    return Verdict::Failed(reason);
  }

  std::unique_ptr<Expression> value_;
  double limit_;
  bool relative_;
  std::int64_t heartbeat_;
};

std::unique_ptr<const Operator> Compile(StepContext& context) {
  const auto options = Read<Options>(context.node, "deadband", context.diagnostics, &context.at);
  KeyedPlan plan;
  if (!options.has_value() || !plan.Compile(context, *options)) return nullptr;
  if (options->absolute.has_value() == options->percent.has_value()) {
    context.diagnostics.Error(context.at, "`deadband` takes `absolute` or `percent`",
                              "such as `absolute: 0.5`");
    return nullptr;
  }
  std::unique_ptr<Expression> value = CompileNumber(context, "value", options->value);
  if (value == nullptr) return nullptr;
  std::string text =
      "deadband  " + options->value + " by " +
      context.node.Find(options->percent.has_value() ? "percent" : "absolute")->text +
      (options->percent.has_value() ? " %" : "");
  if (options->heartbeat.has_value()) text += ", heartbeat " + FormatDuration(*options->heartbeat);
  return std::make_unique<Deadband>(std::move(plan), *options, std::move(text), std::move(value));
}

}  // namespace

OperatorSpec operators::deadband() {
  return {"deadband",
          "Lets a value pass when it is far enough from the last one that passed, or when that was "
          "long ago.",
          Compile, Describe<Options>,
          R"(steps:
  - deadband: { value: temp, absolute: 0.5, heartbeat: 10m, key: device }
tests:
  - send:
      - { topic: in/a, at: 0s, json: { temp: 20.0 } }
      - { topic: in/a, at: 1s, json: { temp: 20.4 } }
      - { topic: in/a, at: 2s, json: { temp: 20.5 } }
      - { topic: in/a, at: 11m, json: { temp: 20.5 } }
    expect:
      - { topic: out/a, json: { temp: 20.0 } }
      - { topic: out/a, json: { temp: 20.5 } }
      - { topic: out/a, json: { temp: 20.5 } }
)"};
}

}  // namespace runnel

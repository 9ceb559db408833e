// changed: lets a record pass when one of the values is another than in the last record
// that passed, or when that was long ago. A missing value is a value too.
#include "pipelines/expr/expression.h"
#include "pipelines/operators/keyed.h"
#include "pipelines/value/digest.h"

namespace runnel {
namespace {

struct Options : KeyedOptions {
  std::vector<std::string> fields;
  std::optional<Duration> heartbeat;
  static void Describe(Schema<Options>& schema) {
    schema.Required("fields", &Options::fields, "The fields that matter.")
        .NotEmpty()
        .OrSingle()
        .Example("[state, mode]");
    schema
        .Optional("heartbeat", &Options::heartbeat, "A record passes after this time all the same.")
        .AtLeast(std::chrono::milliseconds(1))
        .Example("10m");
    DescribeKey(schema);
  }
};

struct State {
  std::int64_t passed;  // microseconds
  std::uint64_t digest;
};

class Changed final : public KeyedOperator<Changed, State> {
 public:
  Changed(KeyedPlan plan, std::string text, std::vector<std::uint16_t> fields,
          std::int64_t heartbeat)
      : KeyedOperator(std::move(plan), std::move(text)),
        fields_(std::move(fields)),
        heartbeat_(heartbeat) {}

  Verdict Decide(State& state, bool fresh, Record& record, Arena&) const {
    std::uint64_t digest = 1;
    for (const std::uint16_t field : fields_) {
      const Value& value = record.Get(field);
      // 1 and 1.0 are the same value.
      digest = Digest(value.IsNumber() ? Value::Double(value.ToDouble()) : value, digest);
    }
    const std::int64_t time = Microseconds(record.time);
    const bool alive = heartbeat_ > 0 && Elapsed(state.passed, time) >= heartbeat_;
    if (!fresh && digest == state.digest && !alive) return Verdict::Filtered();
    state = {time, digest};
    return Verdict::Pass();
  }

 private:
  std::vector<std::uint16_t> fields_;
  std::int64_t heartbeat_;
};

std::unique_ptr<const Operator> Compile(StepContext& context) {
  const auto options = Read<Options>(context.node, "changed", context.diagnostics, &context.at);
  KeyedPlan plan;
  if (!options.has_value() || !plan.Compile(context, *options)) return nullptr;
  std::vector<std::uint16_t> fields;
  std::string text = "changed  ";
  for (const std::string& name : options->fields) {
    if (CompileOption(context, "fields", name) == nullptr) return nullptr;
    text += (fields.empty() ? "" : ", ") + name;
    fields.push_back(context.fields->Intern(name));
  }
  if (options->heartbeat.has_value()) text += ", heartbeat " + FormatDuration(*options->heartbeat);
  return std::make_unique<Changed>(std::move(plan), std::move(text), std::move(fields),
                                   options->heartbeat.value_or(Duration(0)).count());
}

}  // namespace

OperatorSpec operators::changed() {
  return {"changed",
          "Lets a record pass when one of the values is another than in the last one that passed, "
          "or when that was long ago.",
          Compile, Describe<Options>,
          R"(steps:
  - changed: { fields: state, key: device }
tests:
  - send:
      - { topic: in/a, json: { state: on, v: 1 } }
      - { topic: in/a, json: { state: on, v: 2 } }
      - { topic: in/a, json: { state: off, v: 3 } }
    expect:
      - { topic: out/a, json: { state: on, v: 1 } }
      - { topic: out/a, json: { state: off, v: 3 } }
)"};
}

}  // namespace runnel

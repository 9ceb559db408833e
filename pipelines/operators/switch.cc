// switch: chooses the sink of a record, by the first condition that is true.
//
// A record for which none is true goes to `sink`, or does not pass where a case says so.
#include "pipelines/expr/expression.h"
#include "pipelines/operators/operator.h"

namespace runnel {
namespace {

struct CaseOptions {
  std::optional<std::string> when;
  std::optional<std::string> sink;
  bool drop = false;
  static void Describe(Schema<CaseOptions>& schema) {
    schema.Optional("when", &CaseOptions::when, "The condition; without it, always.")
        .Example("temp > 30");
    schema.Optional("sink", &CaseOptions::sink, "A name of `sinks:`, or `sink`.");
    schema.Optional("drop", &CaseOptions::drop, "The record does not pass.");
  }
};

struct Options {
  std::vector<CaseOptions> cases;
  static void Describe(Schema<Options>& schema) {
    schema.Whole(&Options::cases, "The cases, in order.").NotEmpty();
  }
};

struct Case {
  std::unique_ptr<Expression> when;  // nullptr: always
  std::uint16_t sink = 0;
  bool drop = false;
};

class SwitchRun final : public OperatorRun {
 public:
  explicit SwitchRun(const std::vector<Case>& cases) : cases_(&cases) {}
  Verdict Apply(Record& record, Arena& arena) override {
    for (const Case& each : *cases_) {
      if (each.when != nullptr) {
        const Value value = each.when->Evaluate(record, arena);
        if (value.type() != Type::kBool) {
          return Verdict::Failed(value.IsError() ? value.Reason() : "switch_not_a_bool");
        }
        if (!value.AsBool()) continue;
      }
      if (each.drop) return Verdict::Filtered();
      record.sink = each.sink;
      return Verdict::Pass();
    }
    return Verdict::Pass();
  }

 private:
  const std::vector<Case>* cases_;
};

class Switch final : public Operator {
 public:
  Switch(std::vector<Case> cases, std::string text)
      : cases_(std::move(cases)), text_(std::move(text)) {}
  Result<std::unique_ptr<OperatorRun>> Start(StateRegion&, int) const override {
    return std::unique_ptr<OperatorRun>(std::make_unique<SwitchRun>(cases_));
  }
  std::string Explain() const override { return "switch  " + text_; }

 private:
  std::vector<Case> cases_;
  std::string text_;
};

// The number of a sink, or nothing after an error.
std::optional<std::uint16_t> FindSink(const StepContext& context, const std::string& name,
                                      const Position& position) {
  if (name == "sink") return std::uint16_t{0};
  std::vector<std::string_view> names = {"sink"};
  for (std::size_t i = 0; i < context.sinks->size(); ++i) {
    if ((*context.sinks)[i] == name) {
      (*context.sinks_used)[i] = true;
      return static_cast<std::uint16_t>(i + 1);
    }
    names.push_back((*context.sinks)[i]);
  }
  const std::string_view meant = DidYouMean(name, names);
  context.diagnostics.Error(position, "there is no sink `" + name + "` in `sinks`",
                            meant.empty() ? "name it there, with its own `mqtt:`"
                                          : "did you mean `" + std::string(meant) + "`?");
  return std::nullopt;
}

std::unique_ptr<const Operator> Compile(StepContext& context) {
  const auto options = Read<Options>(context.node, "switch", context.diagnostics, &context.at);
  if (!options.has_value()) return nullptr;
  std::vector<Case> cases;
  std::string text;
  bool ok = true;
  for (std::size_t i = 0; i < options->cases.size(); ++i) {
    const CaseOptions& option = options->cases[i];
    const Node& node = context.node.items[i];
    Case made;
    made.drop = option.drop;
    if (option.when.has_value()) {
      const Position& at = node.Find("when")->position;
      made.when = CompileExpression(context, *option.when, at);
      ok = made.when != nullptr && CheckCondition(context, *made.when, "when", at) && ok;
    }
    if (!option.when.has_value() && i + 1 < options->cases.size()) {
      context.diagnostics.Error(node.position, "a case without `when` is the last one",
                                "the cases behind it would never be reached");
      ok = false;
    }
    if (option.sink.has_value() == option.drop) {
      context.diagnostics.Error(node.position, "a case has `sink` or `drop: true`");
      ok = false;
    } else if (option.sink.has_value()) {
      const auto sink = FindSink(context, *option.sink, node.Find("sink")->position);
      ok = ok && sink.has_value();
      made.sink = sink.value_or(std::uint16_t{0});
    }
    text +=
        (i > 0 ? "; " : "") + option.when.value_or("else") + ": " + option.sink.value_or("drop");
    cases.push_back(std::move(made));
  }
  if (!ok) return nullptr;
  return std::make_unique<Switch>(std::move(cases), std::move(text));
}

}  // namespace

OperatorSpec operators::switch_() {
  return {"switch", "Chooses the sink of a record, by the first condition that is true.", Compile,
          Describe<Options>,
          R"(steps:
  - switch:
      - { when: temp > 30, sink: alarm }
      - { when: temp < -40, drop: true }
sink: { mqtt: { topic: "out/{device}" } }
sinks:
  alarm: { mqtt: { topic: "alarm/{device}", qos: 2 } }
tests:
  - send:
      - { topic: in/a, json: { temp: 31 } }
      - { topic: in/a, json: { temp: 21 } }
      - { topic: in/a, json: { temp: -127 } }
    expect:
      - { topic: alarm/a, json: { temp: 31 } }
      - { topic: out/a, json: { temp: 21 } }
)"};
}

}  // namespace runnel

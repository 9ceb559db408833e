// filter: lets the records pass for which an expression is true.
//
// A value that is not a bool, or an error, fails the record: it goes to the dead
// letters and is never silently filtered.
#include "pipelines/expr/expression.h"
#include "pipelines/operators/operator.h"

namespace runnel {
namespace {

struct Options {
  std::string condition;
  static void Describe(Schema<Options>& schema) {
    schema.Whole(&Options::condition, "Which records pass.").NotEmpty().Example("temp > -40");
  }
};

class FilterRun final : public OperatorRun {
 public:
  explicit FilterRun(const Expression& condition) : condition_(&condition) {}
  Verdict Apply(Record& record, Arena& arena) override {
    const Value value = condition_->Evaluate(record, arena);
    if (value.type() == Type::kBool) return value.AsBool() ? Verdict::Pass() : Verdict::Filtered();
    return Verdict::Failed(value.IsError() ? value.Reason() : "filter_not_a_bool");
  }

 private:
  const Expression* condition_;
};

class Filter final : public Operator {
 public:
  Filter(std::string text, std::unique_ptr<Expression> condition)
      : text_(std::move(text)), condition_(std::move(condition)) {}
  Result<std::unique_ptr<OperatorRun>> Start(StateRegion&, int) const override {
    return std::unique_ptr<OperatorRun>(std::make_unique<FilterRun>(*condition_));
  }
  std::string Explain() const override { return "filter  " + text_; }

 private:
  std::string text_;
  std::unique_ptr<Expression> condition_;
};

std::unique_ptr<const Operator> Compile(StepContext& context) {
  const std::optional<Options> options =
      Read<Options>(context.node, "filter", context.diagnostics, &context.at);
  if (!options.has_value()) return nullptr;
  std::unique_ptr<Expression> condition = CompileCondition(context, "filter", options->condition);
  if (condition == nullptr) return nullptr;
  return std::make_unique<Filter>(options->condition, std::move(condition));
}

}  // namespace

OperatorSpec operators::filter() {
  return {"filter", "Lets the records pass for which an expression is true.", Compile,
          Describe<Options>,
          R"(steps:
  - filter: temp > 20 && has(ok)
tests:
  - send:
      - { topic: in/a, json: { temp: 21, ok: true } }
      - { topic: in/a, json: { temp: 19, ok: true } }
    expect:
      - { topic: out/a, json: { temp: 21, ok: true } }
)"};
}

}  // namespace runnel

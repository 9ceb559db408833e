// set: computes fields, in order; each may use the ones before it.
//
// A field that is there is replaced in its place, a new one comes last. An error fails
// the record.
#include <utility>

#include "pipelines/expr/expression.h"
#include "pipelines/operators/operator.h"

namespace runnel {
namespace {

struct Options {
  std::vector<std::pair<std::string, std::string>> fields;
  static void Describe(Schema<Options>& schema) {
    schema.Whole(&Options::fields, "Names and their expressions.")
        .NotEmpty()
        .Example("{ temp_f: temp * 9 / 5 + 32 }");
  }
};

struct Assignment {
  std::uint16_t field = 0;
  std::unique_ptr<Expression> expression;
};

class SetRun final : public OperatorRun {
 public:
  explicit SetRun(const std::vector<Assignment>& assignments) : assignments_(&assignments) {}
  Verdict Apply(Record& record, Arena& arena) override {
    for (const Assignment& assignment : *assignments_) {
      const Value value = assignment.expression->Evaluate(record, arena);
      if (value.IsError()) return Verdict::Failed(value.Reason());
      record.Show(assignment.field, value);
    }
    return Verdict::Pass();
  }

 private:
  const std::vector<Assignment>* assignments_;
};

class Set final : public Operator {
 public:
  explicit Set(std::vector<Assignment> assignments, std::string text)
      : assignments_(std::move(assignments)), text_(std::move(text)) {}
  Result<std::unique_ptr<OperatorRun>> Start(StateRegion&, int) const override {
    return std::unique_ptr<OperatorRun>(std::make_unique<SetRun>(assignments_));
  }
  std::string Explain() const override { return "set  " + text_; }

 private:
  std::vector<Assignment> assignments_;
  std::string text_;
};

std::unique_ptr<const Operator> Compile(StepContext& context) {
  const std::optional<Options> options =
      Read<Options>(context.node, "set", context.diagnostics, &context.at);
  if (!options.has_value()) return nullptr;
  std::vector<Assignment> assignments;
  KnownFields known = context.known == nullptr ? KnownFields() : *context.known;
  StepContext inner = context;
  std::string text;
  bool ok = true;
  for (std::size_t i = 0; i < options->fields.size(); ++i) {
    const auto& [name, expression] = options->fields[i];
    if (context.known != nullptr) inner.known = &known;
    Assignment assignment;
    assignment.expression =
        CompileExpression(inner, expression, context.node.members[i].value.position);
    ok = ok && assignment.expression != nullptr;
    assignment.field = context.fields->Intern(name);
    known.Set(name,
              assignment.expression == nullptr ? Type::kMissing : assignment.expression->type());
    context.sets.push_back(name);
    text += (i > 0 ? ", " : "") + name + " = " + expression;
    assignments.push_back(std::move(assignment));
  }
  if (!ok) return nullptr;
  if (context.known != nullptr) context.produces = std::move(known);
  return std::make_unique<Set>(std::move(assignments), std::move(text));
}

}  // namespace

OperatorSpec operators::set() {
  return {"set", "Computes fields.", Compile, Describe<Options>,
          R"(steps:
  - set: { temp_f: temp * 9 / 5 + 32 }
tests:
  - send:
      - { topic: in/a, json: { temp: 21.5 } }
    expect:
      - { topic: out/a, json: { temp: 21.5, temp_f: 70.7 } }
)"};
}

}  // namespace runnel

// select: keeps the named fields, in that order; nothing else passes.
//
// Takes a list of names, or a map of names and expressions. A field that the record
// does not have fails it.
#include <utility>

#include "pipelines/expr/expression.h"
#include "pipelines/operators/operator.h"

namespace runnel {
namespace {

struct ListOptions {
  std::vector<std::string> names;
  static void Describe(Schema<ListOptions>& schema) {
    schema.Whole(&ListOptions::names, "The fields to keep.").NotEmpty().Example("[device, temp]");
  }
};

struct MapOptions {
  std::vector<std::pair<std::string, std::string>> fields;
  static void Describe(Schema<MapOptions>& schema) {
    schema.Whole(&MapOptions::fields, "Names and their expressions.").NotEmpty();
  }
};

// For the manual.
struct EitherOptions {
  Node fields;
  static void Describe(Schema<EitherOptions>& schema) {
    schema
        .Whole(&EitherOptions::fields,
               "A list of fields to keep, or a map of names and their expressions.")
        .Example("[device, temp]");
  }
};

struct Column {
  std::uint16_t field = 0;
  std::unique_ptr<Expression> expression;
};

class SelectRun final : public OperatorRun {
 public:
  explicit SelectRun(const std::vector<Column>& columns)
      : columns_(&columns), values_(columns.size()) {}
  Verdict Apply(Record& record, Arena& arena) override {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      values_[i] = (*columns_)[i].expression->Evaluate(record, arena);
      if (values_[i].IsError()) return Verdict::Failed(values_[i].Reason());
    }
    record.Clear();
    for (std::size_t i = 0; i < values_.size(); ++i) record.Show((*columns_)[i].field, values_[i]);
    return Verdict::Pass();
  }

 private:
  const std::vector<Column>* columns_;
  std::vector<Value> values_;
};

class Select final : public Operator {
 public:
  Select(std::vector<Column> columns, std::string text)
      : columns_(std::move(columns)), text_(std::move(text)) {}
  Result<std::unique_ptr<OperatorRun>> Start(StateRegion&, int) const override {
    return std::unique_ptr<OperatorRun>(std::make_unique<SelectRun>(columns_));
  }
  std::string Explain() const override { return "select  " + text_; }

 private:
  std::vector<Column> columns_;
  std::string text_;
};

std::unique_ptr<const Operator> Compile(StepContext& context) {
  std::vector<std::pair<std::string, std::string>> wanted;
  if (context.node.IsMap()) {
    const auto options = Read<MapOptions>(context.node, "select", context.diagnostics, &context.at);
    if (!options.has_value()) return nullptr;
    wanted = options->fields;
  } else {
    const auto options =
        Read<ListOptions>(context.node, "select", context.diagnostics, &context.at);
    if (!options.has_value()) return nullptr;
    for (const std::string& name : options->names) wanted.emplace_back(name, name);
  }
  std::vector<Column> columns;
  KnownFields names;
  std::string text;
  bool ok = true;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const Position& position = context.node.IsMap() ? context.node.members[i].value.position
                                                    : context.node.items[i].position;
    Column column;
    column.expression = CompileExpression(context, wanted[i].second, position);
    ok = ok && column.expression != nullptr;
    column.field = context.fields->Intern(wanted[i].first);
    names.Set(wanted[i].first,
              column.expression == nullptr ? Type::kMissing : column.expression->type());
    if (wanted[i].first != wanted[i].second) context.sets.push_back(wanted[i].first);
    text += (i > 0 ? ", " : "") + wanted[i].first;
    columns.push_back(std::move(column));
  }
  if (!ok) return nullptr;
  context.drops_unmentioned = true;
  context.produces = std::move(names);
  return std::make_unique<Select>(std::move(columns), std::move(text));
}

}  // namespace

OperatorSpec operators::select() {
  return {"select", "Keeps the named fields and nothing else.", Compile, Describe<EitherOptions>,
          R"(steps:
  - select: { temp: temp, who: device }
sink: { mqtt: { topic: out/all } }
tests:
  - send:
      - { topic: in/a, json: { temp: 21.5, noise: 7 } }
    expect:
      - { topic: out/all, payload: '{"temp":21.5,"who":"a"}' }
)"};
}

}  // namespace runnel

#include "pipelines/expr/expression.h"

#include <utility>

#include "pipelines/expr/checker.h"
#include "pipelines/expr/evaluator.h"
#include "pipelines/expr/parser.h"

namespace runnel {
namespace {

using expr::Op;

// `field OP number`, the commonest filter: decided without walking the tree.
struct FieldComparison {
  bool applies = false;
  Op op = Op::kLess;
  std::uint16_t field = 0;
  double number = 0;
};

FieldComparison Recognise(const expr::Ast& ast) {
  FieldComparison comparison;
  const expr::ExprNode& root = ast.nodes[ast.root];
  if (root.op < Op::kLess || root.op > Op::kGreaterEqual) return comparison;
  const expr::ExprNode& left = ast.nodes[root.operands[0]];
  const expr::ExprNode& right = ast.nodes[root.operands[1]];
  if (left.op != Op::kField || right.op != Op::kConstant) return comparison;
  if (right.constant.type() != Type::kDouble) return comparison;
  return {true, root.op, left.field, right.constant.AsDouble()};
}

bool Holds(Op op, double a, double b) {
  switch (op) {
    case Op::kLess: return a < b;
    case Op::kLessEqual: return a <= b;
    case Op::kGreater: return a > b;
    default: return a >= b;
  }
}

}  // namespace

struct Expression::Program {
  expr::Ast ast;
  std::uint32_t cost_max = 0;
  FieldComparison comparison;
};

Expression::Expression(std::unique_ptr<Program> program) : program_(std::move(program)) {}
Expression::~Expression() = default;

std::unique_ptr<Expression> Expression::Compile(std::string_view text, const Position& position,
                                                const Scope& scope, Diagnostics& diagnostics,
                                                const ExpressionLimits& limits) {
  if (text.size() > limits.text_max) {
    diagnostics.Error(position, "the expression is longer than " +
                                    std::to_string(limits.text_max) + " bytes");
    return nullptr;
  }
  const expr::Place place{position};
  std::optional<expr::Ast> ast = expr::Parse(text, place, scope, limits, diagnostics);
  if (!ast.has_value() || !expr::Check(*ast, text, place, diagnostics)) return nullptr;
  auto program = std::make_unique<Program>();
  program->ast = std::move(*ast);
  program->cost_max = limits.cost_max;
  program->comparison = Recognise(program->ast);
  return std::unique_ptr<Expression>(new Expression(std::move(program)));
}

Value Expression::Evaluate(const Record& record, Arena& arena) const {
  const FieldComparison& comparison = program_->comparison;
  if (comparison.applies) {
    const Value& value = record.Get(comparison.field);
    if (value.type() == Type::kDouble) {
      return Value::Bool(Holds(comparison.op, value.AsDouble(), comparison.number));
    }
  }
  std::uint32_t cost = program_->cost_max;
  return expr::Evaluate(program_->ast, program_->ast.root, record, arena, cost);
}

Type Expression::type() const { return program_->ast.nodes[program_->ast.root].type; }

int Expression::AsField() const {
  const expr::ExprNode& root = program_->ast.nodes[program_->ast.root];
  return root.op == Op::kField ? root.field : -1;
}

}  // namespace runnel

#include "pipelines/operators/operator.h"

#include "pipelines/expr/expression.h"

namespace runnel {

std::unique_ptr<Expression> CompileExpression(const StepContext& context, std::string_view text,
                                              const Position& position) {
  Scope scope;
  scope.fields = context.fields;
  scope.known = context.known;
  return Expression::Compile(text, position, scope, context.diagnostics);
}

}  // namespace runnel

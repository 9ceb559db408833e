#include "pipelines/operators/operator.h"

#include <algorithm>

#include "pipelines/expr/expression.h"

namespace runnel {

bool KnownFields::Has(std::string_view name) const {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void KnownFields::Set(std::string_view name, Type type) {
  Remove(name);
  names.emplace_back(name);
  types.push_back(type);
}

void KnownFields::Remove(std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return;
  types.erase(types.begin() + (found - names.begin()));
  names.erase(found);
}

std::unique_ptr<Expression> CompileExpression(const StepContext& context, std::string_view text,
                                              const Position& position) {
  Scope scope;
  scope.fields = context.fields;
  if (context.known != nullptr) {
    scope.known = &context.known->names;
    scope.types = &context.known->types;
  }
  return Expression::Compile(text, position, scope, context.diagnostics);
}

}  // namespace runnel

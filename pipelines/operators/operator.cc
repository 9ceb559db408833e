#include "pipelines/operators/operator.h"

#include <algorithm>

#include "pipelines/expr/expression.h"
#include "pipelines/plan/registry.h"

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
  const std::vector<std::string_view> aggregates = context.registry.AggregateNames();
  scope.aggregates = &aggregates;
  return Expression::Compile(text, position, scope, context.diagnostics);
}

std::unique_ptr<Expression> CompileOption(const StepContext& context, const char* option,
                                          std::string_view text) {
  const Node* node = context.node.IsMap() ? context.node.Find(option) : &context.node;
  return CompileExpression(context, text, node == nullptr ? context.at : node->position);
}

std::unique_ptr<Expression> CompileCondition(const StepContext& context, const char* option,
                                             std::string_view text) {
  std::unique_ptr<Expression> condition = CompileOption(context, option, text);
  if (condition == nullptr || condition->type() == Type::kMissing ||
      condition->type() == Type::kBool) {
    return condition;
  }
  const Node* node = context.node.IsMap() ? context.node.Find(option) : &context.node;
  context.diagnostics.Error(node == nullptr ? context.at : node->position,
                            "`" + std::string(option) + "` takes a bool, found " +
                                std::string(TypeName(condition->type())),
                            "compare it with something, such as `temp > 20`");
  return nullptr;
}

void NoteField(StepContext& context, const std::string& name, Type type) {
  context.changes.push_back(name);
  if (context.known == nullptr) return;
  if (!context.produces.has_value()) context.produces = *context.known;
  context.produces->Set(name, type);
}

}  // namespace runnel

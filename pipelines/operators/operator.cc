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
  scope.zones = context.zones;
  if (context.known != nullptr) {
    scope.known = &context.known->names;
    scope.types = &context.known->types;
  }
  const std::vector<std::string_view> aggregates = context.registry.AggregateNames();
  scope.aggregates = &aggregates;
  return Expression::Compile(text, position, scope, context.diagnostics);
}

namespace {

const Position& PlaceOf(const StepContext& context, const char* option) {
  const Node* node = context.node.IsMap() ? context.node.Find(option) : &context.node;
  return node == nullptr ? context.at : node->position;
}

bool CheckTypes(const StepContext& context, const Expression& expression, const char* option,
                const Position& position, expr::Types types, const char* wanted, const char* hint) {
  if (expression.possible().Meets(types)) return true;
  context.diagnostics.Error(position,
                            "`" + std::string(option) + "` takes " + wanted + ", found " +
                                expr::Spelled(expression.possible()),
                            hint);
  return false;
}

}  // namespace

std::unique_ptr<Expression> CompileOption(const StepContext& context, const char* option,
                                          std::string_view text) {
  return CompileExpression(context, text, PlaceOf(context, option));
}

bool CheckCondition(const StepContext& context, const Expression& expression, const char* option,
                    const Position& position) {
  return CheckTypes(context, expression, option, position, {Type::kBool}, "a bool",
                    "compare it with something, such as `temp > 20`");
}

std::unique_ptr<Expression> CompileCondition(const StepContext& context, const char* option,
                                             std::string_view text) {
  std::unique_ptr<Expression> condition = CompileOption(context, option, text);
  if (condition == nullptr) return nullptr;
  const bool right = CheckCondition(context, *condition, option, PlaceOf(context, option));
  return right ? std::move(condition) : nullptr;
}

std::unique_ptr<Expression> CompileNumber(const StepContext& context, const char* option,
                                          std::string_view text) {
  std::unique_ptr<Expression> number = CompileOption(context, option, text);
  if (number == nullptr) return nullptr;
  const bool right = CheckTypes(context, *number, option, PlaceOf(context, option),
                                expr::kNumberType, "a number", "");
  return right ? std::move(number) : nullptr;
}

void NoteField(StepContext& context, const std::string& name, Type type) {
  context.sets.push_back(name);
  if (context.known == nullptr) return;
  if (!context.produces.has_value()) context.produces = *context.known;
  context.produces->Set(name, type);
}

}  // namespace runnel

#include "pipelines/expr/names.h"

#include <algorithm>

#include "pipelines/expr/functions.h"
#include "pipelines/expr/macros.h"

namespace runnel::expr {
namespace {

constexpr std::string_view kReserved[] = {
    "as",  "break", "const",     "continue", "else",   "for", "function", "if",   "import",
    "let", "loop",  "namespace", "package",  "return", "var", "void",     "while"};

constexpr Type kNamedTypes[] = {Type::kNull,   Type::kBool,      Type::kInt,      Type::kUint,
                                Type::kDouble, Type::kString,    Type::kBytes,    Type::kList,
                                Type::kMap,    Type::kTimestamp, Type::kDuration, Type::kType};

std::string Hint(std::string_view meant) {
  return meant.empty() ? std::string() : "did you mean `" + std::string(meant) + "`?";
}

}  // namespace

std::uint16_t Names::Enter(std::string_view variable) {
  variables_.emplace_back(variable);
  variables_max_ = std::max(variables_max_, static_cast<std::uint16_t>(variables_.size()));
  return static_cast<std::uint16_t>(variables_.size() - 1);
}

std::optional<std::uint16_t> Names::FindVariable(std::string_view name) const {
  for (std::size_t i = variables_.size(); i > 0; --i) {
    if (variables_[i - 1] == name) return static_cast<std::uint16_t>(i - 1);
  }
  return std::nullopt;
}

std::ptrdiff_t Names::KnownIndex(std::string_view name) const {
  if (scope_.known == nullptr) return -1;
  const auto found = std::find(scope_.known->begin(), scope_.known->end(), name);
  return found == scope_.known->end() ? -1 : found - scope_.known->begin();
}

std::string Names::Resolve(std::string_view name) const {
  for (std::string_view prefix = scope_.container; !prefix.empty();) {
    const std::string whole = std::string(prefix) + "." + std::string(name);
    if (IsKnown(whole)) return whole;
    const std::size_t dot = prefix.rfind('.');
    prefix = prefix.substr(0, dot == std::string_view::npos ? 0 : dot);
  }
  return std::string(name);
}

Type Names::StaticType(std::string_view name) const {
  const std::ptrdiff_t index = KnownIndex(name);
  if (index < 0 || scope_.types == nullptr) return Type::kMissing;
  return (*scope_.types)[static_cast<std::size_t>(index)];
}

std::string Names::FieldHint(std::string_view name) const {
  std::vector<std::string_view> candidates(variables_.begin(), variables_.end());
  if (scope_.known != nullptr) {
    candidates.insert(candidates.end(), scope_.known->begin(), scope_.known->end());
  }
  return Hint(DidYouMean(name, candidates));
}

Names::Problem Names::FunctionProblem(std::string_view name, bool receiver,
                                      std::size_t arguments) const {
  const std::string quoted = "`" + std::string(name) + "`";
  std::string calls;
  std::vector<std::string_view> candidates = {"has", "dyn", "cel.bind"};
  for (const Macro& macro : kMacros) candidates.push_back(macro.name);
  for (const Function* function : Functions()) {
    candidates.push_back(function->name);
    if (function->name != name) continue;
    calls += (calls.empty() ? "`" : " or `") + std::string(function->signature) + "`";
  }
  if (calls.empty() && scope_.aggregates != nullptr &&
      std::find(scope_.aggregates->begin(), scope_.aggregates->end(), name) !=
          scope_.aggregates->end()) {
    return {quoted + " is an aggregate, and no function",
            "aggregates stand in `aggregate:` of a window; a step behind it computes with them"};
  }
  if (calls.empty()) {
    const std::string elsewhere = FunctionHint(name);
    return {"there is no function " + quoted,
            elsewhere.empty() ? Hint(DidYouMean(name, candidates)) : elsewhere};
  }
  const std::size_t shown = receiver ? arguments - 1 : arguments;
  return {quoted + " does not take " + std::to_string(shown) +
              (shown == 1 ? " argument" : " arguments") + (receiver ? " behind a value" : ""),
          "it is called as " + calls};
}

std::string Names::FunctionHint(std::string_view found) {
  constexpr std::pair<std::string_view, const char*> kMeant[] = {
      {"lower", "lowerAscii"},
      {"toLower", "lowerAscii"},
      {"lcase", "lowerAscii"},
      {"upper", "upperAscii"},
      {"toUpper", "upperAscii"},
      {"ucase", "upperAscii"},
      {"len", "size"},
      {"length", "size"},
      {"substr", "substring"},
      {"log", "ln"},
      {"power", "pow"},
      {"ceiling", "ceil"},
      {"trunc", "math.trunc"},
      {"regex", "matches"},
      {"match", "matches"},
      {"concat", "+"},
      {"float", "double"},
      {"str", "string"},
      {"parseFloat", "double"},
      {"parseInt", "int"},
      {"iif", "condition ? a : b"},
      {"ifelse", "condition ? a : b"},
      {"coalesce", "has(a) ? a : b"},
      {"ifnull", "has(a) ? a : b"},
      {"isnull", "a == null"},
      {"exists", "has"},
      {"includes", "contains"},
      {"indexof", "indexOf"},
  };
  for (const auto& [other, meant] : kMeant) {
    if (found == other) return Hint(meant);
  }
  return {};
}

std::string Names::ValueHint(std::string_view before, std::string_view found) {
  if (before == "<" && found == ">") return Hint("!=");
  return before == "*" && found == "*" ? "a power is `pow(a, b)`" : "";
}

std::string Names::ReservedHint(std::string_view word) {
  if (word == "if" || word == "else") return "a choice is `condition ? a : b`";
  return "write it in backticks if it is a field: `" + std::string(word) + "`";
}

std::string Names::OperatorHint(std::string_view before, std::string_view found) {
  if (before == "not" || before == "NOT") return Hint("!");
  constexpr std::pair<std::string_view, const char*> kMeant[] = {
      {"and", "&&"}, {"AND", "&&"}, {"or", "||"}, {"OR", "||"}, {"=", "=="},
      {"&", "&&"},   {"|", "||"},   {"<>", "!="}, {"is", "=="}, {"mod", "%"}};
  for (const auto& [other, meant] : kMeant) {
    if (found == other) return Hint(meant);
  }
  return {};
}

std::optional<Type> Names::FindType(std::string_view name) {
  for (const Type type : kNamedTypes) {
    if (TypeName(type) == name) return type;
  }
  return std::nullopt;
}

bool Names::IsReserved(std::string_view name) {
  return std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved);
}

}  // namespace runnel::expr

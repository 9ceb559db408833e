// Names: what a name in an expression means: a variable of a macro around it, a
// field of the record, a type, a function.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/expr/expression.h"

namespace runnel::expr {

class Names final {
 public:
  explicit Names(const Scope& scope) : scope_(scope) {}

  // Variables of macros: the innermost of a name counts.
  std::uint16_t Enter(std::string_view variable);
  void Leave(std::size_t count) { variables_.resize(variables_.size() - count); }
  std::optional<std::uint16_t> FindVariable(std::string_view name) const;
  std::size_t variables() const { return variables_.size(); }
  std::uint16_t variables_max() const { return variables_max_; }

  // Whether the scope lists this name.
  bool IsKnown(std::string_view name) const { return KnownIndex(name) >= 0; }
  // The name that `name` stands for inside the scope's container.
  std::string Resolve(std::string_view name) const;
  // Whether any name may be a field.
  bool IsOpen() const { return scope_.known == nullptr; }
  std::uint16_t Intern(std::string_view name) const { return scope_.fields->Intern(name); }
  Type StaticType(std::string_view name) const;
  // `did you mean …?`, or nothing.
  std::string FieldHint(std::string_view name) const;
  // What is wrong with a call that no function takes.
  struct Problem {
    std::string message;
    std::string hint;
  };
  Problem FunctionProblem(std::string_view name, bool receiver, std::size_t arguments) const;

  // For a word or sign that other languages have where CEL has another; empty for others:
  // where an operator is expected, a value, or a function.
  static std::string OperatorHint(std::string_view before, std::string_view found);
  static std::string ValueHint(std::string_view before, std::string_view found);
  static std::string FunctionHint(std::string_view found);
  static std::string ReservedHint(std::string_view word);

  // The type that `name` denotes, such as `int`.
  static std::optional<Type> FindType(std::string_view name);
  // Words that CEL keeps for languages around it; no identifiers.
  static bool IsReserved(std::string_view name);

 private:
  std::ptrdiff_t KnownIndex(std::string_view name) const;

  const Scope& scope_;
  std::vector<std::string> variables_;
  std::uint16_t variables_max_ = 0;
};

}  // namespace runnel::expr

// Overloads: which types an operator takes, and what comes out.
#pragma once

#include <optional>
#include <string_view>

#include "pipelines/expr/ast.h"

namespace runnel::expr {

// The symbol of an operator, such as `<=`.
std::string_view SymbolOf(Op op);

struct Overload {
  bool exists = false;
  Type result = Type::kMissing;  // kMissing: depends on the values
};
// Of a binary operator; a type that is kMissing may be any.
Overload FindOverload(Op op, Type left, Type right);

}  // namespace runnel::expr

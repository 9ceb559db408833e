// Overloads: which types an operator takes, and what comes out.
#pragma once

#include <string_view>

#include "pipelines/expr/ast.h"

namespace runnel::expr {

// The symbol of an operator, such as `<=`.
std::string_view SymbolOf(Op op);

// What a binary operator may give for operands that may be of these types; nothing where
// they never go together.
Types ResultsOf(Op op, Types left, Types right);

}  // namespace runnel::expr

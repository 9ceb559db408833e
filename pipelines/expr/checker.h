// Check: static types of an Ast, and errors that no record can change.
#pragma once

#include <string_view>

#include "pipelines/expr/ast.h"
#include "pipelines/expr/lexer.h"

namespace runnel::expr {

// Sets ExprNode::type and folds what is constant. False after an error.
bool Check(Ast& ast, std::string_view text, const Place& place, Diagnostics& diagnostics);

}  // namespace runnel::expr

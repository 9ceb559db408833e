// Lower: the Program of a checked Ast, with constants folded and frequent forms fused.
#pragma once

#include <memory>
#include <string_view>

#include "pipelines/expr/ast.h"
#include "pipelines/expr/expression.h"
#include "pipelines/expr/lexer.h"
#include "pipelines/expr/program.h"

namespace runnel::expr {

// nullptr, with an error in `diagnostics`, when the expression is an error whatever
// the record and `scope` says that types are static.
std::unique_ptr<Program> Lower(Ast ast, std::string_view text, const Place& place,
                               const Scope& scope, const ExpressionLimits& limits,
                               Diagnostics& diagnostics);

}  // namespace runnel::expr

// Parse: the text of an expression as an Ast (the grammar of CEL, "Syntax").
#pragma once

#include <optional>
#include <string_view>

#include "pipelines/expr/ast.h"
#include "pipelines/expr/expression.h"
#include "pipelines/expr/lexer.h"

namespace runnel::expr {

// nullopt after an error, which has gone to `diagnostics`. Names become fields of
// `scope` here.
std::optional<Ast> Parse(std::string_view text, const Place& place, const Scope& scope,
                         const ExpressionLimits& limits, Diagnostics& diagnostics);

}  // namespace runnel::expr

// Check: static types of an Ast, and operands whose types can never go together.
#pragma once

#include <string_view>

#include "pipelines/base/zone.h"
#include "pipelines/expr/ast.h"
#include "pipelines/expr/lexer.h"

namespace runnel::expr {

// Sets ExprNode::type. False after errors, which have gone to `diagnostics`.
bool Check(Ast& ast, std::string_view text, const Place& place, const ZoneTable* zones,
           Diagnostics& diagnostics);

}  // namespace runnel::expr

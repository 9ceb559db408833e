// Evaluate: an Ast over a record. Arithmetic: the operators by themselves, for folding.
#pragma once

#include "pipelines/base/arena.h"
#include "pipelines/expr/ast.h"
#include "pipelines/value/record.h"

namespace runnel::expr {

// The value of node `index`. `cost` counts down; at zero the value is an error.
Value Evaluate(const Ast& ast, std::uint32_t index, const Record& record, Arena& arena,
               std::uint32_t& cost);

}  // namespace runnel::expr

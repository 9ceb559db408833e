// Machine: one evaluation of a program under way.
#pragma once

#include <cstdint>

#include "pipelines/expr/operations.h"
#include "pipelines/expr/program.h"

namespace runnel::expr {

struct Machine {
  const Program& program;
  const Record& record;
  Arena& arena;
  Value* locals;       // variables of macros; nullptr where there are none
  std::uint32_t cost;  // what is left

  // False when the evaluation has cost too much.
  bool Charge(std::size_t steps) {
    if (steps >= cost) {
      cost = 0;
      return false;
    }
    cost -= static_cast<std::uint32_t>(steps);
    return true;
  }
};

inline constexpr const char* kNoField = "no_such_field";
inline constexpr const char* kCostExceeded = "cost_exceeded";

Value Run(Machine& machine, const Node& node);

// The value of an operand; what most operands are, without a call.
inline Value Operand(Machine& machine, std::uint32_t index) {
  const Node& node = machine.program.nodes[index];
  if (node.code == Code::kConstant) return node.constant;
  if (node.code == Code::kField) {
    const Value& value = machine.record.Get(node.field);
    return value.IsMissing() ? Value::Error(kNoField) : value;
  }
  if (node.code == Code::kLocal) return machine.locals[node.field];
  if (node.code == Code::kCompareField) {
    const Value& value = machine.record.Get(node.field);
    if (value.type() == Type::kDouble) {
      return Value::Bool((RelationOf(value.AsDouble(), node.number) & node.detail) != 0);
    }
  }
  return Run(machine, node);
}

// A macro (loops.cc).
Value RunLoop(Machine& machine, const Loop& loop);

}  // namespace runnel::expr

// Ast: an expression as a flat array of nodes, children before their parents.
//
// The same nodes are checked, folded and evaluated.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pipelines/value/value.h"

namespace runnel::expr {

struct Function;

enum class Op : std::uint8_t {
  kConstant, kField, kSelect, kHas, kIndex, kNegate, kNot,
  kAdd, kSubtract, kMultiply, kDivide, kModulo,
  kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual, kIn,
  kAnd, kOr, kTernary, kCall, kList, kMap,
};

struct ExprNode {
  Op op = Op::kConstant;
  Type type = Type::kMissing;    // static; kMissing: only the record knows
  std::uint16_t field = 0;       // kField
  std::uint32_t first = 0;       // kCall, kList, kMap: index into Ast::children
  std::uint32_t count = 0;       // children: operands, or entries of `children`
  std::uint32_t operands[3] = {};  // of the operators
  std::size_t at = 0;            // byte offset in the text, for messages
  Value constant;                // kConstant; kSelect, kHas: the name as text
  const Function* function = nullptr;  // kCall
};

struct Ast {
  std::vector<ExprNode> nodes;
  std::vector<std::uint32_t> children;
  std::uint32_t root = 0;
  // Text of constants: stable addresses.
  std::vector<std::unique_ptr<std::string>> texts;
  std::vector<std::unique_ptr<Value[]>> lists;
};

}  // namespace runnel::expr

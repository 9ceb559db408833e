// Ast: an expression as the parser understood it: a flat array of nodes, children
// before their parents.
//
// Names are resolved here (fields, variables of macros, functions, types) and
// macros are operators of their own. Lower (lower.h) makes the Program of it that
// is evaluated.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pipelines/expr/types.h"
#include "pipelines/value/value.h"

namespace runnel::expr {

struct Function;

enum class Op : std::uint8_t {
  kConstant,
  kField,     // a field of the record
  kLocal,     // a variable of a macro
  kSelect,    // value.name
  kHasField,  // has(field)
  kHas,       // has(value.name)
  kIndex,     // value[index]
  kNegate,
  kNot,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kAnd,
  kOr,
  kTernary,
  kCall,
  kList,
  kMap,  // key, value, key, value, …
  // Macros: the children are the range, a filter if there is one, and the body.
  kAll,
  kExists,
  kExistsOne,
  kFilter,
  kTransformList,
  kTransformMap,
  kTransformMapEntry,
  kDynamic,  // dyn(value)
  kBind,     // cel.bind(x, value, body)
};

struct ExprNode {
  Op op = Op::kConstant;
  Type type = Type::kMissing;  // static; kMissing: only the record knows
  Types possible = kAnyType;   // where only the record knows: what it may be
  std::uint8_t variables = 0;  // macros: how many, 1 or 2
  std::uint16_t field = 0;     // kField, kHasField: its number; kLocal, macros: the variable's
  std::uint32_t first = 0;     // the first of the operands in Ast::children
  std::uint32_t count = 0;     // how many operands
  std::uint32_t depth = 1;     // of the tree below
  std::size_t at = 0;          // byte offset in the text, for messages
  Value constant;              // kConstant; kField, kSelect, kHas: the name as text
  const Function* function = nullptr;  // kCall; nullptr: unknown, an error when evaluated
};

struct Ast {
  std::vector<ExprNode> nodes;
  std::vector<std::uint32_t> children;
  std::uint32_t root = 0;
  std::uint16_t locals = 0;  // variables of macros that are alive at once, at most
  // Text of constants: stable addresses.
  std::vector<std::unique_ptr<std::string>> texts;

  const ExprNode& Child(const ExprNode& node, std::uint32_t i) const {
    return nodes[children[node.first + i]];
  }
};

// Variables of macros that may be alive at once.
inline constexpr std::uint16_t kLocalsMax = 32;

}  // namespace runnel::expr

// Program: an expression as it is evaluated: nodes of 32 bytes, children before
// their parents, the frequent forms fused into one node.
//
// Evaluation is a recursion over node numbers whose depth the parser has bounded.
// Straight-line work is bounded by the length of the text; loops and work that
// grows with the data count against `cost`.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pipelines/base/arena.h"
#include "pipelines/base/zone.h"
#include "pipelines/expr/ast.h"
#include "pipelines/expr/regex.h"
#include "pipelines/value/record.h"
#include "pipelines/value/value.h"

namespace runnel::expr {

enum class Code : std::uint8_t {
  kConstant,
  kField,
  kLocal,
  kCompareField,      // field REL number, the number exact as a double too
  kCompareNumber,     // operand REL number
  kCompare,           // operand REL operand
  kEqualText,         // operand == text, or !=
  kArithmeticField,   // field OP number
  kArithmeticNumber,  // operand OP number
  kArithmetic,
  kAnd,
  kOr,
  kBothField,    // field REL number && the same field REL number, as in kCompareField
  kEitherField,  // the same with ||
  kNot,
  kTernary,
  kCall,
  kNegate,
  kSelect,
  kHasField,
  kHas,
  kIndex,
  kIn,
  kList,
  kMap,
  kMacro,
  kBind,  // operand, body
};

// Results of comparing, as bits: a relation is the set of those it holds for.
inline constexpr std::uint8_t kIsLess = 1;
inline constexpr std::uint8_t kIsEqual = 2;
inline constexpr std::uint8_t kIsGreater = 4;
inline constexpr std::uint8_t kIsUnordered = 8;

struct Node {
  Code code = Code::kConstant;
  // kCompare…, kEqualText: the relation; kBothField, kEitherField: two, the second in the
  // upper half; kArithmetic…: the Op.
  std::uint8_t detail = 0;
  std::uint16_t field = 0;  // kField, kCompareField, …: its number; kLocal, kBind: the variable's
  // Of a node with one operand or a number: the operand. kTernary: the third operand.
  // kBothField, kEitherField: the first comparison, for values that are no doubles; the
  // second is the node behind it.
  // kList, kMap: how many children. kCall, kMacro: the place in `calls`, `loops`.
  std::uint32_t third = 0;
  union {
    // Of a node with two or three operands: the first two. kList, kMap: the first
    // child's place in `children`.
    std::uint32_t operands[2] = {0, 0};
    double number;  // kCompareField, kCompareNumber, kArithmetic…: the constant as a double
  };
  Value constant;  // kBothField, kEitherField: the second number; `number` is the first
};
static_assert(sizeof(Node) == 32);

struct CallSite {
  const Function* function = nullptr;
  std::uint32_t first = 0;  // in `children`
  std::uint32_t count = 0;
};

inline constexpr std::uint32_t kNoNode = UINT32_MAX;

// A macro: what runs once per item of a range.
struct Loop {
  Op op = Op::kAll;
  std::uint8_t variables = 1;
  std::uint16_t slot = 0;  // of the first variable
  std::uint32_t range = 0;
  std::uint32_t filter = kNoNode;  // or none
  std::uint32_t body = 0;
  std::uint32_t weight = 1;  // what one turn costs
};

struct Program {
  std::vector<Node> nodes;
  std::vector<std::uint32_t> children;
  std::vector<CallSite> calls;
  std::vector<Loop> loops;
  std::uint32_t root = 0;
  std::uint16_t locals = 0;
  Type type = Type::kMissing;
  Types possible = kAnyType;
  std::uint32_t cost_max = 0;
  // What constants borrow.
  std::vector<std::unique_ptr<std::string>> texts;
  std::vector<std::unique_ptr<Value[]>> lists;
  std::vector<std::unique_ptr<MapEntry[]>> maps;
  mutable RegexCache regexes;  // one thread at a time evaluates
  const ZoneTable* zones = nullptr;
};

// The value of node `index` of `program`. Never kMissing.
Value Evaluate(const Program& program, std::uint32_t index, const Record& record, Arena& arena);

}  // namespace runnel::expr

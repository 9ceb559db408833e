#include "pipelines/expr/overloads.h"

#include <string>

#include "pipelines/expr/functions.h"

namespace runnel::expr {
namespace {

constexpr Type kTypes[] = {Type::kNull,   Type::kBool,      Type::kInt,      Type::kUint,
                           Type::kDouble, Type::kString,    Type::kBytes,    Type::kList,
                           Type::kMap,    Type::kTimestamp, Type::kDuration, Type::kType};
struct Overload {
  bool exists = false;
  Type result = Type::kMissing;
};
constexpr Overload kNone;

bool IsArithmetic(Op op) { return op >= Op::kAdd && op <= Op::kModulo; }

// Two numbers of different types become doubles, which CEL does not do.
Overload Numbers(Op op, Type left, Type right) {
  if (op == Op::kModulo && (left != right || left == Type::kDouble)) return kNone;
  return {true, left == right ? left : Type::kDouble};
}

Overload Times(Op op, Type left, Type right) {
  const bool add = op == Op::kAdd;
  if (!add && op != Op::kSubtract) return kNone;
  if (left == Type::kDuration && right == Type::kDuration) return {true, Type::kDuration};
  if (left == Type::kTimestamp && right == Type::kDuration) return {true, Type::kTimestamp};
  if (add && left == Type::kDuration && right == Type::kTimestamp) return {true, Type::kTimestamp};
  if (!add && left == Type::kTimestamp && right == Type::kTimestamp) return {true, Type::kDuration};
  return kNone;
}

Overload Arithmetic(Op op, Type left, Type right) {
  if (kNumberType.Has(left) && kNumberType.Has(right)) return Numbers(op, left, right);
  const bool joined = left == Type::kString || left == Type::kBytes || left == Type::kList;
  if (op == Op::kAdd && left == right && joined) return {true, left};
  return Times(op, left, right);
}

bool Ordered(Type left, Type right) {
  if (kNumberType.Has(left) && kNumberType.Has(right)) return true;
  return left == right && (left == Type::kBool || left == Type::kString || left == Type::kBytes ||
                           left == Type::kTimestamp || left == Type::kDuration);
}

Overload Known(Op op, Type left, Type right) {
  if (IsArithmetic(op)) return Arithmetic(op, left, right);
  bool exists = false;
  switch (op) {
    case Op::kEqual:
    case Op::kNotEqual:
      exists = left == right || left == Type::kNull || right == Type::kNull ||
               (kNumberType.Has(left) && kNumberType.Has(right));
      break;
    case Op::kIn:
      exists = right == Type::kList || right == Type::kMap;
      break;
    default:
      exists = Ordered(left, right);
  }
  return {exists, Type::kBool};
}

}  // namespace

std::string_view SymbolOf(Op op) {
  switch (op) {
    case Op::kAdd:
      return "+";
    case Op::kSubtract:
    case Op::kNegate:
      return "-";
    case Op::kMultiply:
      return "*";
    case Op::kDivide:
      return "/";
    case Op::kModulo:
      return "%";
    case Op::kLess:
      return "<";
    case Op::kLessEqual:
      return "<=";
    case Op::kGreater:
      return ">";
    case Op::kGreaterEqual:
      return ">=";
    case Op::kEqual:
      return "==";
    case Op::kNotEqual:
      return "!=";
    case Op::kIn:
      return "in";
    case Op::kAnd:
      return "&&";
    case Op::kOr:
      return "||";
    case Op::kNot:
      return "!";
    case Op::kTernary:
      return "?";
    default:
      return "";
  }
}

Types ResultsOf(Op op, Types left, Types right) {
  Types all;
  for (const Type a : kTypes) {
    for (const Type b : kTypes) {
      if (!left.Has(a) || !right.Has(b)) continue;
      if (const Overload each = Known(op, a, b); each.exists) all.Add(each.result);
    }
  }
  return all;
}

std::string Spelled(Types types) {
  if (types == kAnyType) return "anything";
  std::string out;
  std::string last;
  for (const Type type : kTypes) {
    if (!types.Has(type)) continue;
    if (!last.empty()) out += (out.empty() ? "" : ", ") + last;
    last = type == Type::kDuration    ? "duration"
           : type == Type::kTimestamp ? "timestamp"
                                      : std::string(TypeName(type));
  }
  return out.empty() ? last : out + " or " + last;
}

}  // namespace runnel::expr

// Operations: the operators of the expression language on values.
//
// Each takes values that are not errors and gives one that may be. What numbers
// need often is here to be inlined.
#pragma once

#include <cstdint>

#include "pipelines/base/arena.h"
#include "pipelines/expr/ast.h"
#include "pipelines/expr/functions.h"
#include "pipelines/expr/program.h"
#include "pipelines/value/value.h"

namespace runnel::expr {

// Nanoseconds of all times that CEL has do not fit 64 bits.
__extension__ typedef __int128 Int128;

inline constexpr std::uint8_t kNotEqualRelation = kIsLess | kIsGreater | kIsUnordered;

// What holds between two doubles, as one of the bits kIs….
inline std::uint8_t RelationOf(double a, double b) {
  const int bits = (a < b ? kIsLess : 0) | (a == b ? kIsEqual : 0) | (a > b ? kIsGreater : 0);
  return static_cast<std::uint8_t>(bits == 0 ? kIsUnordered : bits);
}
inline std::uint8_t RelationOf(std::int64_t a, std::int64_t b) {
  return a < b ? kIsLess : a == b ? kIsEqual : kIsGreater;
}

// Whether `relation` holds between `a` and `b`: numbers as CEL compares them across
// types; other types only with their own, but equality takes any.
Value CompareSlowly(std::uint8_t relation, const Value& a, const Value& b);
inline Value CompareValues(std::uint8_t relation, const Value& a, const Value& b) {
  if (a.type() == Type::kDouble && b.type() == Type::kDouble) {
    return Value::Bool((RelationOf(a.AsDouble(), b.AsDouble()) & relation) != 0);
  }
  if (a.type() == Type::kInt && b.type() == Type::kInt) {
    return Value::Bool((RelationOf(a.AsInt(), b.AsInt()) & relation) != 0);
  }
  return CompareSlowly(relation, a, b);
}

Value ArithmeticSlowly(Op op, const Value& a, const Value& b, Arena& arena);
// REQUIRES: op is an arithmetic operator but kModulo.
inline Value DoubleArithmetic(Op op, double a, double b) {
  switch (op) {
    case Op::kAdd:
      return Value::Double(a + b);
    case Op::kSubtract:
      return Value::Double(a - b);
    case Op::kMultiply:
      return Value::Double(a * b);
    default:
      return Value::Double(a / b);
  }
}
inline Value Arithmetic(Op op, const Value& a, const Value& b, Arena& arena) {
  if (a.type() == Type::kDouble && b.type() == Type::kDouble && op != Op::kModulo) {
    return DoubleArithmetic(op, a.AsDouble(), b.AsDouble());
  }
  return ArithmeticSlowly(op, a, b, arena);
}

Value Negate(const Value& value);
Value Not(const Value& value);
// value.name; `name` is text.
Value Select(const Value& from, const Value& name);
Value Has(const Value& from, const Value& name);
Value Index(const Value& from, const Value& index);
Value In(const Value& item, const Value& container);

// Adds an entry behind `count` others; an error for a key of a wrong type or twice.
Value AddEntry(MapEntry* entries, std::size_t count, const Value& key, const Value& value);

// Times with the limits of CEL: years 1 to 9999, and 64 bits of nanoseconds.
Value CheckedTimestamp(Int128 nanoseconds);
Value CheckedDuration(Int128 nanoseconds);
// REQUIRES: kTimestamp or kDuration.
Int128 NanosecondsOf(const Value& time);

}  // namespace runnel::expr

// Functions of numbers.
#include <cmath>

#include "pipelines/expr/functions.h"

namespace runnel::expr {
namespace {

using Arguments = std::span<const Value>;

constexpr std::int64_t kDecimalsMax = 15;

Value Abs(Arguments a, Arena&) {
  if (a[0].type() == Type::kDouble) return Value::Double(std::fabs(a[0].AsDouble()));
  if (a[0].type() == Type::kUint) return a[0];
  if (a[0].AsInt() == INT64_MIN) return Value::Error("overflow");
  return Value::Int(a[0].AsInt() < 0 ? -a[0].AsInt() : a[0].AsInt());
}

Value Ceil(Arguments a, Arena&) {
  return a[0].type() == Type::kDouble ? Value::Double(std::ceil(a[0].AsDouble())) : a[0];
}
Value Floor(Arguments a, Arena&) {
  return a[0].type() == Type::kDouble ? Value::Double(std::floor(a[0].AsDouble())) : a[0];
}

Value Round(Arguments a, Arena&) {
  if (a.size() == 1) {
    return a[0].type() == Type::kDouble ? Value::Double(std::round(a[0].AsDouble())) : a[0];
  }
  const std::int64_t decimals = a[1].AsInt();
  if (decimals < 0 || decimals > kDecimalsMax) return Value::Error("range_error");
  if (a[0].type() != Type::kDouble) return a[0];
  double factor = 1;
  for (std::int64_t i = 0; i < decimals; ++i) factor *= 10;
  const double scaled = a[0].AsDouble() * factor;
  return std::isfinite(scaled) ? Value::Double(std::round(scaled) / factor) : a[0];
}

// NaN, where there is one: no number is less or greater than it.
Value Extreme(Arguments a, Order keep) {
  Value best = a[0];
  for (const Value& value : a) {
    const Order order = Compare(value, best);
    if (order == Order::kNone) return Value::Double(std::nan(""));
    if (order == keep) best = value;
  }
  return best;
}
Value Min(Arguments a, Arena&) { return Extreme(a, Order::kLess); }
Value Max(Arguments a, Arena&) { return Extreme(a, Order::kGreater); }

Value Clamp(Arguments a, Arena&) {
  const Order bounds = Compare(a[1], a[2]);
  if (bounds == Order::kGreater || bounds == Order::kNone) return Value::Error("range_error");
  if (Compare(a[0], a[1]) == Order::kLess) return a[1];
  return Compare(a[0], a[2]) == Order::kGreater ? a[2] : a[0];
}

using enum Function::Style;
constexpr std::array<Types, 3> kNumbers = {kNumberType, kNumberType, kNumberType};

constexpr Function kTable[] = {
    {"abs", kGlobal, 1, 1, kNumbers, Type::kMissing, Abs, "abs(number)", "The magnitude."},
    {"ceil", kGlobal, 1, 1, kNumbers, Type::kMissing, Ceil, "ceil(number)",
     "The next whole number upwards, of the same type."},
    {"clamp", kGlobal, 3, 3, kNumbers, Type::kMissing, Clamp, "clamp(number, low, high)",
     "The number, or the bound that it is beyond."},
    {"floor", kGlobal, 1, 1, kNumbers, Type::kMissing, Floor, "floor(number)",
     "The next whole number downwards, of the same type."},
    {"max", kGlobal, 1, kArgumentsMax, kNumbers, Type::kMissing, Max, "max(a, b, ...)",
     "The largest number; NaN if one is NaN."},
    {"min", kGlobal, 1, kArgumentsMax, kNumbers, Type::kMissing, Min, "min(a, b, ...)",
     "The smallest number; NaN if one is NaN."},
    {"round",
     kGlobal,
     1,
     2,
     {kNumberType, kIntType},
     Type::kMissing,
     Round,
     "round(number, decimals)",
     "The nearest number with so many decimals (none: 0), halves away from zero."},
};

}  // namespace

std::span<const Function> NumberFunctions() { return kTable; }

}  // namespace runnel::expr

// Functions of numbers: CEL's math extension, and what sensor data needs.
#include <algorithm>
#include <bit>
#include <cmath>
#include <string_view>

#include "pipelines/expr/functions.h"
#include "pipelines/value/digest.h"

namespace runnel::expr {
namespace {

using Arguments = std::span<const Value>;

// Of the arguments, or of the one list that they are.
Value Extreme(Arguments a, Order keep) {
  Arguments all = a;
  if (a.size() == 1 && a[0].type() == Type::kList) all = a[0].AsList();
  if (all.empty()) return Value::Error("empty_list");
  Value best = all[0];
  for (const Value& value : all) {
    if (!value.IsNumber()) return Value::Error(kNoOverload);
    if (Compare(value, best) == keep) best = value;
  }
  return best;
}
Value Greatest(Arguments a, Arena&) { return Extreme(a, Order::kGreater); }
Value Least(Arguments a, Arena&) { return Extreme(a, Order::kLess); }

template <double (*kFunction)(double)>
Value OfDouble(Arguments a, Arena&) {
  return Value::Double(kFunction(a[0].ToDouble()));
}
double Trunc(double x) { return std::trunc(x); }
double Ceil(double x) { return std::ceil(x); }
double Floor(double x) { return std::floor(x); }
double Round(double x) { return std::round(x); }
double Sqrt(double x) { return std::sqrt(x); }
double Exp(double x) { return std::exp(x); }
double Ln(double x) { return std::log(x); }
double Log10(double x) { return std::log10(x); }
double Sin(double x) { return std::sin(x); }
double Cos(double x) { return std::cos(x); }
double Atan(double x) { return std::atan(x); }

Value Pow(Arguments a, Arena&) { return Value::Double(std::pow(a[0].ToDouble(), a[1].ToDouble())); }
Value Atan2(Arguments a, Arena&) {
  return Value::Double(std::atan2(a[0].ToDouble(), a[1].ToDouble()));
}

Value Abs(Arguments a, Arena&) {
  switch (a[0].type()) {
    case Type::kInt:
      if (a[0].AsInt() == INT64_MIN) return Value::Error("overflow");
      return Value::Int(std::abs(a[0].AsInt()));
    case Type::kDouble:
      return Value::Double(std::fabs(a[0].AsDouble()));
    default:
      return a[0];
  }
}

Value Sign(Arguments a, Arena&) {
  switch (a[0].type()) {
    case Type::kInt:
      return Value::Int((a[0].AsInt() > 0 ? 1 : 0) - (a[0].AsInt() < 0 ? 1 : 0));
    case Type::kUint:
      return Value::Uint(a[0].AsUint() > 0 ? 1 : 0);
    default: {
      const double x = a[0].AsDouble();
      if (std::isnan(x)) return a[0];
      return Value::Double((x > 0 ? 1.0 : 0.0) - (x < 0 ? 1.0 : 0.0));
    }
  }
}

Value IsNan(Arguments a, Arena&) { return Value::Bool(std::isnan(a[0].AsDouble())); }
Value IsInf(Arguments a, Arena&) { return Value::Bool(std::isinf(a[0].AsDouble())); }
Value IsFinite(Arguments a, Arena&) { return Value::Bool(std::isfinite(a[0].AsDouble())); }

// Both of one type, as CEL has it.
template <typename Combine>
Value Bits(Arguments a, Combine&& combine) {
  if (a[0].type() != a[1].type()) return Value::Error(kNoOverload);
  const std::uint64_t bits = combine(a[0].AsUint(), a[1].AsUint());
  return a[0].type() == Type::kInt ? Value::Int(static_cast<std::int64_t>(bits))
                                   : Value::Uint(bits);
}
Value BitAnd(Arguments a, Arena&) {
  return Bits(a, [](std::uint64_t x, std::uint64_t y) { return x & y; });
}
Value BitOr(Arguments a, Arena&) {
  return Bits(a, [](std::uint64_t x, std::uint64_t y) { return x | y; });
}
Value BitXor(Arguments a, Arena&) {
  return Bits(a, [](std::uint64_t x, std::uint64_t y) { return x ^ y; });
}
Value BitNot(Arguments a, Arena&) {
  if (a[0].type() == Type::kInt) return Value::Int(~a[0].AsInt());
  return Value::Uint(~a[0].AsUint());
}
Value Shift(Arguments a, bool left) {
  const std::int64_t by = a[1].AsInt();
  if (by < 0) return Value::Error("negative_offset");
  const std::uint64_t bits = a[0].AsUint();
  std::uint64_t shifted = 0;
  if (by < 64) shifted = left ? bits << by : bits >> by;
  return a[0].type() == Type::kInt ? Value::Int(static_cast<std::int64_t>(shifted))
                                   : Value::Uint(shifted);
}
Value ShiftLeft(Arguments a, Arena&) { return Shift(a, true); }
Value ShiftRight(Arguments a, Arena&) { return Shift(a, false); }

Value Lerp(Arguments a, Arena&) {
  return Value::Double(std::lerp(a[0].ToDouble(), a[1].ToDouble(), a[2].ToDouble()));
}
Value Scale(Arguments a, Arena&) {
  const double low = a[1].ToDouble();
  const double high = a[2].ToDouble();
  if (low == high) return Value::Error("range_error");
  const double part = (a[0].ToDouble() - low) / (high - low);
  return Value::Double(a[3].ToDouble() + part * (a[4].ToDouble() - a[3].ToDouble()));
}

Value HashOf(Arguments a, Arena&) {
  // Not negative, so that `hash(x) % 10` is a bucket.
  return Value::Int(static_cast<std::int64_t>(Digest(a[0]) >> 1));
}

// A unit: what it measures, and how much of that dimension's first unit it is.
struct Unit {
  std::string_view name;
  int dimension;
  double factor;
  double offset = 0;  // added after the factor
};
constexpr Unit kUnits[] = {
    {"K", 0, 1, 0},
    {"C", 0, 1, 273.15},
    {"F", 0, 5.0 / 9, 459.67 * 5 / 9},
    {"Pa", 1, 1, 0},
    {"hPa", 1, 100, 0},
    {"mbar", 1, 100, 0},
    {"kPa", 1, 1e3, 0},
    {"bar", 1, 1e5, 0},
    {"psi", 1, 6894.757293168361, 0},
    {"atm", 1, 101'325, 0},
    {"mmHg", 1, 133.322387415, 0},
    {"inHg", 1, 3386.389, 0},
    {"m", 2, 1, 0},
    {"mm", 2, 1e-3, 0},
    {"cm", 2, 1e-2, 0},
    {"km", 2, 1e3, 0},
    {"in", 2, 0.0254, 0},
    {"ft", 2, 0.3048, 0},
    {"yd", 2, 0.9144, 0},
    {"mi", 2, 1609.344, 0},
    {"m/s", 3, 1, 0},
    {"km/h", 3, 1 / 3.6, 0},
    {"mph", 3, 0.44704, 0},
    {"kn", 3, 1852.0 / 3600, 0},
    {"kg", 4, 1, 0},
    {"g", 4, 1e-3, 0},
    {"t", 4, 1e3, 0},
    {"lb", 4, 0.45359237, 0},
    {"oz", 4, 0.028349523125, 0},
    {"L", 5, 1, 0},
    {"mL", 5, 1e-3, 0},
    {"m3", 5, 1e3, 0},
    {"gal", 5, 3.785411784, 0},
    {"ft3", 5, 28.316846592, 0},
    {"J", 6, 1, 0},
    {"kJ", 6, 1e3, 0},
    {"Wh", 6, 3600, 0},
    {"kWh", 6, 3.6e6, 0},
    {"MWh", 6, 3.6e9, 0},
    {"kcal", 6, 4184, 0},
    {"W", 7, 1, 0},
    {"kW", 7, 1e3, 0},
    {"MW", 7, 1e6, 0},
    {"hp", 7, 745.6998715822702, 0},
    {"s", 8, 1, 0},
    {"us", 8, 1e-6, 0},
    {"ms", 8, 1e-3, 0},
    {"min", 8, 60, 0},
    {"h", 8, 3600, 0},
    {"d", 8, 86'400, 0},
    {"V", 9, 1, 0},
    {"mV", 9, 1e-3, 0},
    {"kV", 9, 1e3, 0},
    {"A", 10, 1, 0},
    {"mA", 10, 1e-3, 0},
    {"Hz", 11, 1, 0},
    {"kHz", 11, 1e3, 0},
    {"MHz", 11, 1e6, 0},
    {"rpm", 11, 1.0 / 60, 0},
    {"rad", 12, 1, 0},
    {"deg", 12, 0.017453292519943295, 0},
    {"g0", 13, 9.80665, 0},
    {"m/s2", 13, 1, 0},
};

const Unit* FindUnit(std::string_view name) {
  const auto* found = std::find_if(std::begin(kUnits), std::end(kUnits),
                                   [name](const Unit& unit) { return unit.name == name; });
  return found == std::end(kUnits) ? nullptr : found;
}

Value Convert(Arguments a, Arena&) {
  const Unit* from = FindUnit(a[1].AsString());
  const Unit* to = FindUnit(a[2].AsString());
  if (from == nullptr || to == nullptr) return Value::Error("unknown_unit");
  if (from->dimension != to->dimension) return Value::Error("units_do_not_go_together");
  // The usual pair by the usual formula, without the detour over kelvins and its rounding.
  const double x = a[0].ToDouble();
  if (from->name == "C" && to->name == "F") return Value::Double(x * 9 / 5 + 32);
  if (from->name == "F" && to->name == "C") return Value::Double((x - 32) * 5 / 9);
  return Value::Double((x * from->factor + from->offset - to->offset) / to->factor);
}

using enum Function::Style;
constexpr std::array<Types, 3> kNumbers = {kNumberType, kNumberType, kNumberType};
constexpr Types kDoubleType = {Type::kDouble};
constexpr Types kWholeType = {Type::kInt, Type::kUint};
constexpr std::array<Types, 3> kDoubles = {kDoubleType, kDoubleType, kDoubleType};
constexpr std::array<Types, 3> kWholes = {kWholeType, kWholeType, kWholeType};
constexpr std::array<Types, 3> kShifts = {kWholeType, kIntType, kIntType};
constexpr Types kNumberOrList = {Type::kInt, Type::kUint, Type::kDouble, Type::kList};
constexpr std::array<Types, 3> kNumbersOrList = {kNumberOrList, kNumberType, kNumberType};

constexpr Function kTable[] = {
    {"atan2", kGlobal, 2, 2, kNumbers, Type::kDouble, Atan2, "atan2(y, x)",
     "The angle of a direction, in radians."},
    {"convert",
     kGlobal,
     3,
     3,
     {kNumberType, kTextType, kTextType},
     Type::kDouble,
     Convert,
     "convert(number, from, to)",
     "A number in another unit: convert(21.5, \"C\", \"F\")."},
    {"cos", kGlobal, 1, 1, kNumbers, Type::kDouble, OfDouble<Cos>, "cos(number)",
     "The cosine of an angle in radians."},
    {"exp", kGlobal, 1, 1, kNumbers, Type::kDouble, OfDouble<Exp>, "exp(number)",
     "e to the power of the number."},
    {"hash",
     kGlobal,
     1,
     1,
     {kAnyType, kAnyType, kAnyType},
     Type::kInt,
     HashOf,
     "hash(value)",
     "A whole number, not negative, that depends on the value alone."},
    {"lerp", kGlobal, 3, 3, kNumbers, Type::kDouble, Lerp, "lerp(a, b, t)",
     "The number that is a part t of the way from a to b."},
    {"ln", kGlobal, 1, 1, kNumbers, Type::kDouble, OfDouble<Ln>, "ln(number)",
     "The natural logarithm."},
    {"log10", kGlobal, 1, 1, kNumbers, Type::kDouble, OfDouble<Log10>, "log10(number)",
     "The logarithm to the base of ten."},
    {"math.abs", kGlobal, 1, 1, kNumbers, Type::kMissing, Abs, "math.abs(number)",
     "The magnitude."},
    {"math.atan", kGlobal, 1, 1, kNumbers, Type::kDouble, OfDouble<Atan>, "math.atan(number)",
     "The angle of a slope, in radians."},
    {"math.bitAnd", kGlobal, 2, 2, kWholes, Type::kMissing, BitAnd, "math.bitAnd(a, b)",
     "The bits that both have."},
    {"math.bitNot", kGlobal, 1, 1, kWholes, Type::kMissing, BitNot, "math.bitNot(a)",
     "The bits that it does not have."},
    {"math.bitOr", kGlobal, 2, 2, kWholes, Type::kMissing, BitOr, "math.bitOr(a, b)",
     "The bits that one has."},
    {"math.bitShiftLeft", kGlobal, 2, 2, kShifts, Type::kMissing, ShiftLeft,
     "math.bitShiftLeft(a, by)", "The bits moved up; 0 from 64 on."},
    {"math.bitShiftRight", kGlobal, 2, 2, kShifts, Type::kMissing, ShiftRight,
     "math.bitShiftRight(a, by)", "The bits moved down, without the sign; 0 from 64 on."},
    {"math.bitXor", kGlobal, 2, 2, kWholes, Type::kMissing, BitXor, "math.bitXor(a, b)",
     "The bits that only one has."},
    {"math.ceil", kGlobal, 1, 1, kDoubles, Type::kDouble, OfDouble<Ceil>, "math.ceil(double)",
     "The next whole number upwards."},
    {"math.floor", kGlobal, 1, 1, kDoubles, Type::kDouble, OfDouble<Floor>, "math.floor(double)",
     "The next whole number downwards."},
    {"math.greatest", kGlobal, 1, kArgumentsMax, kNumbersOrList, Type::kMissing, Greatest,
     "math.greatest(a, ...) or math.greatest(list)", "The largest number."},
    {"math.isFinite", kGlobal, 1, 1, kDoubles, Type::kBool, IsFinite, "math.isFinite(double)",
     "Whether it is neither NaN nor an infinity."},
    {"math.isInf", kGlobal, 1, 1, kDoubles, Type::kBool, IsInf, "math.isInf(double)",
     "Whether it is an infinity."},
    {"math.isNaN", kGlobal, 1, 1, kDoubles, Type::kBool, IsNan, "math.isNaN(double)",
     "Whether it is no number."},
    {"math.least", kGlobal, 1, kArgumentsMax, kNumbersOrList, Type::kMissing, Least,
     "math.least(a, ...) or math.least(list)", "The smallest number."},
    {"math.round", kGlobal, 1, 1, kDoubles, Type::kDouble, OfDouble<Round>, "math.round(double)",
     "The nearest whole number, halves away from zero."},
    {"math.sign", kGlobal, 1, 1, kNumbers, Type::kMissing, Sign, "math.sign(number)",
     "-1, 0 or 1, of the same type."},
    {"math.sqrt", kGlobal, 1, 1, kNumbers, Type::kDouble, OfDouble<Sqrt>, "math.sqrt(number)",
     "The square root; NaN of a negative number."},
    {"math.trunc", kGlobal, 1, 1, kDoubles, Type::kDouble, OfDouble<Trunc>, "math.trunc(double)",
     "The number without its fraction."},
    {"pow", kGlobal, 2, 2, kNumbers, Type::kDouble, Pow, "pow(base, exponent)",
     "The base to the power of the exponent."},
    {"scale", kGlobal, 5, 5, kNumbers, Type::kDouble, Scale,
     "scale(number, low, high, to_low, to_high)",
     "A number of one range in another: scale(ma, 4, 20, 0, 100)."},
    {"sin", kGlobal, 1, 1, kNumbers, Type::kDouble, OfDouble<Sin>, "sin(number)",
     "The sine of an angle in radians."},
    {"sqrt", kGlobal, 1, 1, kNumbers, Type::kDouble, OfDouble<Sqrt>, "sqrt(number)",
     "The square root; NaN of a negative number."},
};

}  // namespace

std::span<const Function> MathFunctions() { return kTable; }

}  // namespace runnel::expr

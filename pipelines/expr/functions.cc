#include "pipelines/expr/functions.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

namespace runnel::expr {
namespace {

using Arguments = std::span<const Value>;

constexpr const char* kNoOverload = "no_such_overload";
constexpr const char* kOutOfMemory = "out_of_memory";

bool BothText(Arguments a) {
  return a[0].type() == Type::kString && a[1].type() == Type::kString;
}

std::size_t CodePoints(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  return count;
}

Value Size(Arguments a, Arena&) {
  switch (a[0].type()) {
    case Type::kString: return Value::Int(static_cast<std::int64_t>(CodePoints(a[0].AsString())));
    case Type::kBytes: return Value::Int(static_cast<std::int64_t>(a[0].AsBytes().size()));
    case Type::kList: return Value::Int(static_cast<std::int64_t>(a[0].AsList().size()));
    case Type::kMap: return Value::Int(static_cast<std::int64_t>(a[0].AsMap().size()));
    default: return Value::Error(kNoOverload);
  }
}
Value Contains(Arguments a, Arena&) {
  if (!BothText(a)) return Value::Error(kNoOverload);
  return Value::Bool(a[0].AsString().find(a[1].AsString()) != std::string_view::npos);
}
Value StartsWith(Arguments a, Arena&) {
  if (!BothText(a)) return Value::Error(kNoOverload);
  return Value::Bool(a[0].AsString().starts_with(a[1].AsString()));
}
Value EndsWith(Arguments a, Arena&) {
  if (!BothText(a)) return Value::Error(kNoOverload);
  return Value::Bool(a[0].AsString().ends_with(a[1].AsString()));
}

Value MapAscii(Arguments a, Arena& arena, char from, char to, int shift) {
  if (a[0].type() != Type::kString) return Value::Error(kNoOverload);
  const std::string_view text = a[0].AsString();
  char* out = arena.AllocateArray<char>(text.size());
  if (out == nullptr) return Value::Error(kOutOfMemory);
  std::transform(text.begin(), text.end(), out, [&](char c) {
    return c >= from && c <= to ? static_cast<char>(c + shift) : c;
  });
  return Value::String({out, text.size()});
}
Value LowerAscii(Arguments a, Arena& arena) { return MapAscii(a, arena, 'A', 'Z', 'a' - 'A'); }
Value UpperAscii(Arguments a, Arena& arena) { return MapAscii(a, arena, 'a', 'z', 'A' - 'a'); }

Value FromDouble(double number, bool to_unsigned) {
  if (to_unsigned) {
    if (!(number > -1.0 && number < 18446744073709551616.0)) return Value::Error("range_error");
    return Value::Uint(static_cast<std::uint64_t>(number));
  }
  if (!(number > -9223372036854775808.0 && number < 9223372036854775808.0)) {
    return Value::Error("range_error");
  }
  return Value::Int(static_cast<std::int64_t>(number));
}

template <typename T>
bool ParseAll(std::string_view text, T& number) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

Value ToInt(Arguments a, Arena&) {
  std::int64_t number = 0;
  switch (a[0].type()) {
    case Type::kInt: return a[0];
    case Type::kUint:
      if (a[0].AsUint() > std::uint64_t{INT64_MAX}) return Value::Error("range_error");
      return Value::Int(static_cast<std::int64_t>(a[0].AsUint()));
    case Type::kDouble: return FromDouble(a[0].AsDouble(), false);
    case Type::kTimestamp: return Value::Int(a[0].Seconds());
    case Type::kString:
      return ParseAll(a[0].AsString(), number) ? Value::Int(number) : Value::Error("not_a_number");
    default: return Value::Error(kNoOverload);
  }
}
Value ToUint(Arguments a, Arena&) {
  std::uint64_t number = 0;
  switch (a[0].type()) {
    case Type::kUint: return a[0];
    case Type::kInt:
      if (a[0].AsInt() < 0) return Value::Error("range_error");
      return Value::Uint(static_cast<std::uint64_t>(a[0].AsInt()));
    case Type::kDouble: return FromDouble(a[0].AsDouble(), true);
    case Type::kString:
      return ParseAll(a[0].AsString(), number) ? Value::Uint(number) : Value::Error("not_a_number");
    default: return Value::Error(kNoOverload);
  }
}
Value ToDouble(Arguments a, Arena&) {
  double number = 0;
  if (a[0].IsNumber()) return Value::Double(a[0].ToDouble());
  if (a[0].type() != Type::kString) return Value::Error(kNoOverload);
  return ParseAll(a[0].AsString(), number) ? Value::Double(number) : Value::Error("not_a_number");
}
Value ToBool(Arguments a, Arena&) {
  if (a[0].type() == Type::kBool) return a[0];
  if (a[0].type() != Type::kString) return Value::Error(kNoOverload);
  const std::string_view text = a[0].AsString();
  for (const char* yes : {"true", "True", "TRUE", "t", "1"}) {
    if (text == yes) return Value::Bool(true);
  }
  for (const char* no : {"false", "False", "FALSE", "f", "0"}) {
    if (text == no) return Value::Bool(false);
  }
  return Value::Error("not_a_bool");
}
Value ToText(Arguments a, Arena& arena) {
  char digits[40];
  std::to_chars_result end{digits, std::errc()};
  switch (a[0].type()) {
    case Type::kString: return a[0];
    case Type::kBytes: return Value::String(a[0].AsBytes());
    case Type::kBool: return Value::String(a[0].AsBool() ? "true" : "false");
    case Type::kInt: end = std::to_chars(digits, digits + sizeof digits, a[0].AsInt()); break;
    case Type::kUint: end = std::to_chars(digits, digits + sizeof digits, a[0].AsUint()); break;
    case Type::kDouble: end = std::to_chars(digits, digits + sizeof digits, a[0].AsDouble()); break;
    default: return Value::Error(kNoOverload);
  }
  const std::string_view text =
      arena.Copy({digits, static_cast<std::size_t>(end.ptr - digits)});
  return text.data() == nullptr ? Value::Error(kOutOfMemory) : Value::String(text);
}
Value TypeOf(Arguments a, Arena&) { return Value::OfType(a[0].type()); }

Value Abs(Arguments a, Arena&) {
  if (a[0].type() == Type::kDouble) return Value::Double(std::fabs(a[0].AsDouble()));
  if (a[0].type() == Type::kUint) return a[0];
  if (a[0].type() != Type::kInt) return Value::Error(kNoOverload);
  if (a[0].AsInt() == INT64_MIN) return Value::Error("overflow");
  return Value::Int(a[0].AsInt() < 0 ? -a[0].AsInt() : a[0].AsInt());
}
template <double (*kFunction)(double)>
Value Rounded(Arguments a, Arena&) {
  if (a[0].type() == Type::kInt || a[0].type() == Type::kUint) return a[0];
  if (a[0].type() != Type::kDouble) return Value::Error(kNoOverload);
  return Value::Double(kFunction(a[0].AsDouble()));
}
double HalfAway(double x) { return std::round(x); }
double Down(double x) { return std::floor(x); }
double Up(double x) { return std::ceil(x); }

// Rounded to so many decimals: round(x, 2).
Value RoundTo(Arguments a, Arena& arena) {
  if (a.size() == 1) return Rounded<HalfAway>(a, arena);
  if (!a[0].IsNumber() || a[1].type() != Type::kInt) return Value::Error(kNoOverload);
  const std::int64_t decimals = a[1].AsInt();
  if (decimals < 0 || decimals > 15) return Value::Error("range_error");
  double factor = 1;
  for (std::int64_t i = 0; i < decimals; ++i) factor *= 10;
  const double scaled = a[0].ToDouble() * factor;
  if (!std::isfinite(scaled)) return Value::Double(a[0].ToDouble());
  return Value::Double(std::round(scaled) / factor);
}
Value Extreme(Arguments a, Order keep) {
  Value best = a[0];
  for (const Value& value : a) {
    if (!value.IsNumber()) return Value::Error(kNoOverload);
    if (Compare(value, best) == keep) best = value;
  }
  return best;
}
Value Least(Arguments a, Arena&) { return Extreme(a, Order::kLess); }
Value Greatest(Arguments a, Arena&) { return Extreme(a, Order::kGreater); }
Value Clamp(Arguments a, Arena&) {
  if (!a[0].IsNumber() || !a[1].IsNumber() || !a[2].IsNumber()) return Value::Error(kNoOverload);
  if (Compare(a[1], a[2]) == Order::kGreater) return Value::Error("range_error");
  if (Compare(a[0], a[1]) == Order::kLess) return a[1];
  return Compare(a[0], a[2]) == Order::kGreater ? a[2] : a[0];
}

using enum Function::Style;

// Sorted by name. A line is all that a function needs.
constexpr std::array kFunctions = {
    Function{"abs", kGlobal, 1, 1, Type::kMissing, Abs, "abs(number)", "The magnitude."},
    Function{"bool", kGlobal, 1, 1, Type::kBool, ToBool, "bool(value)", "Converts to bool."},
    Function{"ceil", kGlobal, 1, 1, Type::kMissing, Rounded<Up>, "ceil(number)",
             "The next whole number upwards."},
    Function{"clamp", kGlobal, 3, 3, Type::kMissing, Clamp, "clamp(number, low, high)",
             "The number, or the bound that it is beyond."},
    Function{"contains", kReceiver, 2, 2, Type::kBool, Contains, "text.contains(part)",
             "Whether the part stands in the text."},
    Function{"double", kGlobal, 1, 1, Type::kDouble, ToDouble, "double(value)",
             "Converts to double."},
    Function{"endsWith", kReceiver, 2, 2, Type::kBool, EndsWith, "text.endsWith(part)",
             "Whether the text ends with the part."},
    Function{"floor", kGlobal, 1, 1, Type::kMissing, Rounded<Down>, "floor(number)",
             "The next whole number downwards."},
    Function{"int", kGlobal, 1, 1, Type::kInt, ToInt, "int(value)",
             "Converts to int; cuts off a fraction."},
    Function{"lowerAscii", kReceiver, 1, 1, Type::kString, LowerAscii, "text.lowerAscii()",
             "A to Z as a to z."},
    Function{"max", kGlobal, 1, 8, Type::kMissing, Greatest, "max(a, b, ...)",
             "The largest number."},
    Function{"min", kGlobal, 1, 8, Type::kMissing, Least, "min(a, b, ...)",
             "The smallest number."},
    Function{"round", kGlobal, 1, 2, Type::kMissing, RoundTo, "round(number, decimals)",
             "The nearest number with so many decimals (0), halves away from zero."},
    Function{"size", kBoth, 1, 1, Type::kInt, Size, "size(value)",
             "Characters of a text, bytes, items of a list or map."},
    Function{"startsWith", kReceiver, 2, 2, Type::kBool, StartsWith, "text.startsWith(part)",
             "Whether the text begins with the part."},
    Function{"string", kGlobal, 1, 1, Type::kString, ToText, "string(value)", "Converts to text."},
    Function{"type", kGlobal, 1, 1, Type::kType, TypeOf, "type(value)", "The type, as a value."},
    Function{"uint", kGlobal, 1, 1, Type::kUint, ToUint, "uint(value)",
             "Converts to uint; cuts off a fraction."},
    Function{"upperAscii", kReceiver, 1, 1, Type::kString, UpperAscii, "text.upperAscii()",
             "a to z as A to Z."},
};

}  // namespace

std::span<const Function> Functions() { return kFunctions; }

const Function* FindFunction(std::string_view name, bool receiver, std::size_t arguments) {
  for (const Function& function : kFunctions) {
    if (function.name != name) continue;
    if (function.style == (receiver ? kGlobal : kReceiver)) continue;
    const int count = static_cast<int>(arguments);
    if (count >= function.arguments_min && count <= function.arguments_max) return &function;
  }
  return nullptr;
}

}  // namespace runnel::expr

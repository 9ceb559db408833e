// Conversions between types (CEL, "Type conversion functions").
#include <charconv>
#include <cmath>

#include "pipelines/base/utf8.h"
#include "pipelines/expr/functions.h"
#include "pipelines/expr/times.h"

namespace runnel::expr {
namespace {

using Arguments = std::span<const Value>;

constexpr const char* kRange = "range_error";
constexpr const char* kNotANumber = "not_a_number";

template <typename Number>
bool ParseAll(std::string_view text, Number& number) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

Value IntOfDouble(double number) {
  // Both bounds are refused: at the upper one a double cannot tell 2^63 from 2^63 - 1.
  const bool fits = number > -9223372036854775808.0 && number < 9223372036854775808.0;
  return fits ? Value::Int(static_cast<std::int64_t>(number)) : Value::Error(kRange);
}

Value ToInt(Arguments a, Arena&) {
  std::int64_t number = 0;
  switch (a[0].type()) {
    case Type::kUint:
      if (a[0].AsUint() > std::uint64_t{INT64_MAX}) return Value::Error(kRange);
      return Value::Int(static_cast<std::int64_t>(a[0].AsUint()));
    case Type::kDouble:
      return IntOfDouble(a[0].AsDouble());
    case Type::kTimestamp:
      return Value::Int(a[0].Seconds());
    case Type::kString:
      return ParseAll(a[0].AsString(), number) ? Value::Int(number) : Value::Error(kNotANumber);
    default:
      return a[0];
  }
}

Value ToUint(Arguments a, Arena&) {
  std::uint64_t number = 0;
  switch (a[0].type()) {
    case Type::kInt:
      if (a[0].AsInt() < 0) return Value::Error(kRange);
      return Value::Uint(static_cast<std::uint64_t>(a[0].AsInt()));
    case Type::kDouble:
      if (!(a[0].AsDouble() >= 0 && a[0].AsDouble() < 18446744073709551616.0)) {
        return Value::Error(kRange);
      }
      return Value::Uint(static_cast<std::uint64_t>(a[0].AsDouble()));
    case Type::kString:
      return ParseAll(a[0].AsString(), number) ? Value::Uint(number) : Value::Error(kNotANumber);
    default:
      return a[0];
  }
}

Value ToDouble(Arguments a, Arena&) {
  double number = 0;
  if (a[0].IsNumber()) return Value::Double(a[0].ToDouble());
  return ParseAll(a[0].AsString(), number) ? Value::Double(number) : Value::Error(kNotANumber);
}

Value ToBool(Arguments a, Arena&) {
  if (a[0].type() == Type::kBool) return a[0];
  const std::string_view text = a[0].AsString();
  for (const std::string_view yes : {"1", "t", "true", "TRUE", "True"}) {
    if (text == yes) return Value::Bool(true);
  }
  for (const std::string_view no : {"0", "f", "false", "FALSE", "False"}) {
    if (text == no) return Value::Bool(false);
  }
  return Value::Error("not_a_bool");
}

Value ToBytes(Arguments a, Arena&) {
  return a[0].type() == Type::kBytes ? a[0] : Value::Bytes(a[0].AsString());
}

Value TextOfBytes(std::string_view bytes) {
  for (std::string_view rest = bytes; !rest.empty();) {
    const std::size_t size = Utf8CharacterSize(rest);
    if (size == 0) return Value::Error("invalid_utf8");
    rest.remove_prefix(size);
  }
  return Value::String(bytes);
}

// A number as the shortest text that reads back the same.
Value ToText(Arguments a, Arena& arena) {
  constexpr std::size_t kTextMax = 64;
  char text[kTextMax];
  char* end = text;
  switch (a[0].type()) {
    case Type::kBytes:
      return TextOfBytes(a[0].AsBytes());
    case Type::kBool:
      return Value::String(a[0].AsBool() ? "true" : "false");
    case Type::kInt:
      end = std::to_chars(text, text + kTextMax, a[0].AsInt()).ptr;
      break;
    case Type::kUint:
      end = std::to_chars(text, text + kTextMax, a[0].AsUint()).ptr;
      break;
    case Type::kDouble:
      end = std::to_chars(text, text + kTextMax, a[0].AsDouble()).ptr;
      break;
    case Type::kTimestamp:
      end = WriteTimestamp(a[0], text);
      break;
    case Type::kDuration:
      end = WriteDuration(a[0], text);
      break;
    default:
      return a[0];
  }
  const std::string_view copy = arena.Copy({text, static_cast<std::size_t>(end - text)});
  return copy.data() == nullptr ? Value::Error(kOutOfMemory) : Value::String(copy);
}

Value TypeOf(Arguments a, Arena&) { return Value::OfType(a[0].type()); }

using enum Function::Style;
constexpr Types kIntFrom = {Type::kInt, Type::kUint, Type::kDouble, Type::kString,
                            Type::kTimestamp};
constexpr Types kNumberFrom = {Type::kInt, Type::kUint, Type::kDouble, Type::kString};
constexpr Types kTextFrom = {Type::kBool,   Type::kInt,   Type::kUint,      Type::kDouble,
                             Type::kString, Type::kBytes, Type::kTimestamp, Type::kDuration};

constexpr Function kTable[] = {
    {"bool",
     kGlobal,
     1,
     1,
     {Types{Type::kBool, Type::kString}},
     Type::kBool,
     ToBool,
     "bool(value)",
     "The bool that a text spells, such as true or 0."},
    {"bytes",
     kGlobal,
     1,
     1,
     {Types{Type::kBytes, Type::kString}},
     Type::kBytes,
     ToBytes,
     "bytes(value)",
     "The bytes of a text, in UTF-8."},
    {"double",
     kGlobal,
     1,
     1,
     {kNumberFrom},
     Type::kDouble,
     ToDouble,
     "double(value)",
     "The number, or the number that a text spells, as a double."},
    {"int",
     kGlobal,
     1,
     1,
     {kIntFrom},
     Type::kInt,
     ToInt,
     "int(value)",
     "The number without its fraction, the number that a text spells, or a time's seconds."},
    {"string",
     kGlobal,
     1,
     1,
     {kTextFrom},
     Type::kString,
     ToText,
     "string(value)",
     "The value as text; of a number the shortest that reads back the same."},
    {"type",
     kGlobal,
     1,
     1,
     {kAnyType},
     Type::kType,
     TypeOf,
     "type(value)",
     "The type, as a value to compare: type(x) == int."},
    {"uint",
     kGlobal,
     1,
     1,
     {kNumberFrom},
     Type::kUint,
     ToUint,
     "uint(value)",
     "The number without its fraction, or the number that a text spells, unsigned."},
};

}  // namespace

std::span<const Function> ConversionFunctions() { return kTable; }

}  // namespace runnel::expr

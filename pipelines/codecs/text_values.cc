#include "pipelines/codecs/text_values.h"

#include <charconv>
#include <cmath>

#include "pipelines/codecs/json.h"

namespace runnel {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Digits from `at` on.
const char* SkipDigits(const char* at, const char* end) {
  while (at < end && IsDigit(*at)) ++at;
  return at;
}

// Whether it is one, and whether it has neither fraction nor exponent.
bool IsNumber(std::string_view text, bool& whole) {
  const char* at = text.data();
  const char* const end = at + text.size();
  if (at < end && (*at == '-' || *at == '+')) ++at;
  const char* const digits = at;
  at = SkipDigits(at, end);
  if (at == digits || (*digits == '0' && at > digits + 1)) return false;
  whole = true;
  if (at < end && *at == '.') {
    whole = false;
    const char* const places = ++at;
    at = SkipDigits(at, end);
    if (at == places) return false;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    whole = false;
    ++at;
    if (at < end && (*at == '-' || *at == '+')) ++at;
    const char* const exponent = at;
    at = SkipDigits(at, end);
    if (at == exponent) return false;
  }
  return at == end;
}

// Short decimals such as 21.5, whose digits and power of ten are exact (Clinger, 1990).
bool ParseShort(std::string_view text, Value& value) {
  static constexpr double kPowers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};
  if (text.empty() || text.size() > 9) return false;
  std::size_t i = text[0] == '-' ? 1 : 0;
  const bool negative = i == 1;
  std::int64_t digits = 0;
  std::size_t point = 0;
  const std::size_t first = i;
  for (; i < text.size(); ++i) {
    if (IsDigit(text[i])) {
      digits = digits * 10 + (text[i] - '0');
    } else if (text[i] == '.' && point == 0 && i > first) {
      point = i + 1;
    } else {
      return false;
    }
  }
  if (i == first || point == text.size()) return false;
  const std::size_t whole = (point == 0 ? text.size() : point - 1) - first;
  if ((text[first] == '0' && whole > 1) || (digits == 0 && negative)) return false;
  if (point == 0) {
    value = Value::Int(negative ? -digits : digits);
  } else {
    const double number = static_cast<double>(digits) / kPowers[text.size() - point];
    value = Value::Double(negative ? -number : number);
  }
  return true;
}

}  // namespace

Value ParseNumber(std::string_view text) {
  Value value;
  if (ParseShort(text, value)) return value;
  bool whole = false;
  if (!IsNumber(text, whole)) return Value();
  if (text[0] == '+') text.remove_prefix(1);
  const char* const end = text.data() + text.size();
  if (whole && text != "-0") {
    std::int64_t number = 0;
    if (std::from_chars(text.data(), end, number).ec == std::errc()) return Value::Int(number);
  }
  double number = 0;
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec == std::errc()) return Value::Double(number);
  // Out of range: too large, or so small that it is zero.
  const std::size_t exponent = text.find_first_of("eE");
  const bool small = exponent != std::string_view::npos && text[exponent + 1] == '-';
  if (!small && text.find_first_of("123456789") < std::min(exponent, text.find('.'))) {
    return Value::Error("number_too_large");
  }
  return small || text.starts_with("0.") || text.starts_with("-0.")
             ? Value::Double(text[0] == '-' ? -0.0 : 0.0)
             : Value::Error("number_too_large");
}

Value ParseTruth(std::string_view text) {
  if (text == "true") return Value::Bool(true);
  return text == "false" ? Value::Bool(false) : Value();
}

Value ParseText(std::string_view text, TextType type) {
  switch (type) {
    case TextType::kText:
      return Value::String(text);
    case TextType::kNumber:
      return ParseNumber(text);
    case TextType::kBool:
      return ParseTruth(text);
    case TextType::kAuto:
      break;
  }
  if (const Value number = ParseNumber(text); !number.IsMissing()) return number;
  if (const Value truth = ParseTruth(text); !truth.IsMissing()) return truth;
  return Value::String(text);
}

std::string_view TrimBlanks(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

void AppendText(const Value& value, std::string& out) {
  if (value.type() == Type::kString) {
    out += value.AsString();
  } else if (!value.IsNull() && !value.IsMissing()) {
    AppendJson(value, out);
  }
}

}  // namespace runnel

#include "pipelines/codecs/json_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <system_error>

#include "pipelines/codecs/utf8.h"

namespace runnel {
namespace {

// The value of a hexadecimal digit, or -1.
int HexDigit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  const char lower = static_cast<char>(digit | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// REQUIRES: four hexadecimal digits at `at`.
std::uint32_t FourHexDigits(const char* at) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 4 | static_cast<std::uint32_t>(HexDigit(at[i]));
  return value;
}

bool IsHighSurrogate(std::uint32_t unit) { return (unit & 0xfc00) == 0xd800; }
bool IsLowSurrogate(std::uint32_t unit) { return (unit & 0xfc00) == 0xdc00; }

// What `\x` stands for, or 0.
char SimpleEscape(char letter) {
  switch (letter) {
    case '"':
      return '"';
    case '\\':
      return '\\';
    case '/':
      return '/';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return 0;
  }
}

// Whether a number outside the range of double is too large rather than too small.
// `text` is a number without its sign, `exponent` the one written behind the `e`.
bool IsLarge(std::string_view text, std::int64_t exponent) {
  const std::size_t first = text.find_first_of("123456789");
  const std::size_t point = std::min(text.find_first_of(".eE"), text.size());
  const std::int64_t place = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
  return place + exponent > 0;
}

}  // namespace

bool HasDuplicate(std::vector<std::string_view>& names) {
  std::sort(names.begin(), names.end(), [](std::string_view a, std::string_view b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return std::adjacent_find(names.begin(), names.end()) != names.end();
}

const char* JsonReader::ReadLongString(const char* at, std::string_view& text) {
  bool escaped = false;
  const char* const close = ScanString(at + 1, escaped);
  if (close == nullptr) return nullptr;
  text = {at + 1, static_cast<std::size_t>(close - at - 1)};
  if (escaped && !Unescape(text)) return nullptr;
  return close + 1;
}

const char* JsonReader::ReadLongText(const char* at, Value& value) {
  std::string_view text;
  at = ReadLongString(at, text);
  value = Value::String(text);
  return at;
}

const char* JsonReader::ScanString(const char* at, bool& escaped) {
  for (;;) {
    const int plain = scan::PlainPrefix(at);
    at += plain;
    if (at >= end_) return Fail(at, nullptr);
    if (plain == 16) continue;
    if (*at == '"') return at;
    at = ScanSpecial(at, escaped);
    if (at == nullptr) return nullptr;
  }
}

const char* JsonReader::ScanSpecial(const char* at, bool& escaped) {
  const auto byte = static_cast<unsigned char>(*at);
  if (byte == '\\') {
    escaped = true;
    return ScanEscape(at);
  }
  if (byte < 0x20) return Fail(at, "json_bad_string");
  while (at < end_ && static_cast<unsigned char>(*at) >= 0x80) {
    const Utf8Sequence sequence = CheckUtf8Sequence(at, end_);
    if (sequence.size == 0) return Fail(at + sequence.valid, "json_bad_utf8");
    at += sequence.size;
  }
  return at;
}

const char* JsonReader::ScanEscape(const char* at) {
  constexpr const char* kReason = "json_bad_escape";
  ++at;
  if (at >= end_ || (*at != 'u' && SimpleEscape(*at) == 0)) return Fail(at, kReason);
  if (*at != 'u') return at + 1;
  ++at;
  for (int i = 0; i < 4; ++i) {
    if (at + i >= end_ || HexDigit(at[i]) < 0) return Fail(at + i, kReason);
  }
  const std::uint32_t unit = FourHexDigits(at);
  at += 4;
  if (IsLowSurrogate(unit)) return Fail(at - 1, kReason);
  if (!IsHighSurrogate(unit)) return at;
  if (!Is(at, '\\')) return Fail(at, kReason);
  if (!Is(at + 1, 'u')) return Fail(at + 1, kReason);
  at += 2;
  for (int i = 0; i < 4; ++i) {
    if (at + i >= end_ || HexDigit(at[i]) < 0) return Fail(at + i, kReason);
  }
  if (!IsLowSurrogate(FourHexDigits(at))) return Fail(at, kReason);
  return at + 4;
}

bool JsonReader::Unescape(std::string_view& text) {
  char* const start = arena_->AllocateArray<char>(text.size());
  if (start == nullptr) {
    reason_ = "json_out_of_memory";
    return false;
  }
  char* to = start;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '\\') {
      *to++ = text[i++];
      continue;
    }
    if (text[i + 1] != 'u') {
      *to++ = SimpleEscape(text[i + 1]);
      i += 2;
      continue;
    }
    std::uint32_t code_point = FourHexDigits(&text[i + 2]);
    i += 6;
    if (IsHighSurrogate(code_point)) {
      const std::uint32_t low = FourHexDigits(&text[i + 2]);
      code_point = 0x10000 + ((code_point & 0x3ff) << 10 | (low & 0x3ff));
      i += 6;
    }
    to += WriteUtf8(code_point, to);
  }
  text = {start, static_cast<std::size_t>(to - start)};
  return true;
}

const char* JsonReader::ReadAnyNumber(const char* at, Value& value) {
  Number number;
  const char* const end = ScanNumber(at, number);
  return end == nullptr ? nullptr : ConvertNumber(at, end, number, value);
}

const char* JsonReader::ScanNumber(const char* at, Number& number) {
  number.negative = *at == '-';
  at += number.negative ? 1 : 0;
  const char* const first = at;
  at = ScanDigits(at, number.mantissa);
  number.digits = at - first;
  if (number.digits == 0) return Fail(at, "json_bad_number");
  if (*first == '0' && number.digits > 1) return Fail(first + 1, "json_bad_number");
  if (*at == '.') {
    const char* const fraction = at + 1;
    at = ScanDigits(fraction, number.mantissa);
    if (at == fraction) return Fail(at, "json_bad_number");
    number.integer = false;
    number.exponent = fraction - at;
    number.digits -= number.exponent;
  }
  if ((*at | 0x20) == 'e') {
    at = ScanExponent(at, number);
    if (at == nullptr) return nullptr;
  }
  if (at >= end_) return Fail(at, nullptr);
  return at;
}

const char* JsonReader::ScanExponent(const char* at, Number& number) {
  constexpr std::int64_t kEnough = 100'000'000'000;  // more than a payload has digits
  ++at;
  const bool negative = *at == '-';
  if (*at == '-' || *at == '+') ++at;
  const char* const first = at;
  std::int64_t exponent = 0;
  while (at < end_ && *at >= '0' && *at <= '9') {
    exponent = std::min(kEnough, exponent * 10 + (*at - '0'));
    ++at;
  }
  if (at == first) return Fail(at, "json_bad_number");
  number.integer = false;
  number.exponent += negative ? -exponent : exponent;
  return at;
}

const char* JsonReader::ConvertNumber(const char* at, const char* end, const Number& number,
                                      Value& value) {
  if (number.integer && number.digits <= 19 && (number.mantissa != 0 || !number.negative)) {
    const std::uint64_t most = static_cast<std::uint64_t>(INT64_MAX) + (number.negative ? 1 : 0);
    if (number.mantissa <= most) {
      const std::uint64_t bits = number.negative ? 0 - number.mantissa : number.mantissa;
      value = Value::Int(static_cast<std::int64_t>(bits));
      return end;
    }
  }
  if (number.digits <= 19 && number.mantissa <= kExactMax && number.exponent >= -kExactPower &&
      number.exponent <= kExactPower) {
    const double power = kPowers[std::abs(number.exponent)];
    const auto exact = static_cast<double>(number.mantissa);
    const double magnitude = number.exponent < 0 ? exact / power : exact * power;
    value = Value::Double(number.negative ? -magnitude : magnitude);
    return end;
  }
  double result = 0;
  const auto [stop, error] = std::from_chars(at, end, result);
  if (error == std::errc::result_out_of_range || std::isinf(result)) {
    const char* const digits = at + (number.negative ? 1 : 0);
    const std::string_view text(digits, static_cast<std::size_t>(end - digits));
    const std::size_t point = text.find('.');
    const std::size_t e = std::min(text.find_first_of("eE"), text.size());
    const std::int64_t fraction = point < e ? static_cast<std::int64_t>(e - point - 1) : 0;
    if (IsLarge(text, number.exponent + fraction)) return Fail(at, "json_number_out_of_range");
    result = number.negative ? -0.0 : 0.0;
  }
  value = Value::Double(result);
  return end;
}

const char* JsonReader::ReadLiteral(const char* at, Value& value) {
  std::string_view word;
  if (Is(at, 't')) {
    word = "true";
    value = Value::Bool(true);
  } else if (Is(at, 'f')) {
    word = "false";
    value = Value::Bool(false);
  } else if (Is(at, 'n')) {
    word = "null";
    value = Value::Null();
  } else {
    return Fail(at, "json_bad_literal");
  }
  for (std::size_t i = 1; i < word.size(); ++i) {
    if (!Is(at + i, word[i])) return Fail(at + i, "json_bad_literal");
  }
  return at + word.size();
}

const char* JsonReader::ReadOther(const char* at, int depth, Value& value) {
  if (static_cast<unsigned char>(*at) <= ' ') {
    const char* const first = SkipSpace(at);
    if (first != at) return ReadValue(first, depth, value);
  }
  if (!Is(at, '[') && !Is(at, '{')) return ReadLiteral(at, value);
  if (depth == kDepthMax) return Fail(at, "json_too_deep");
  const std::size_t from = open_.size();
  const char* const end =
      *at == '[' ? ReadList(at, depth + 1, value) : ReadObject(at, depth + 1, value);
  open_.resize(from);
  return end;
}

const char* JsonReader::ReadList(const char* at, int depth, Value& value) {
  const std::size_t from = open_.size();
  at = SkipSpace(at + 1);
  if (Is(at, ']')) {
    value = Value::List({});
    return at + 1;
  }
  for (;;) {
    Value item;
    const char* const start = at;
    at = ReadValue(at, depth, item);
    if (at == nullptr || !Push(start, item)) return nullptr;
    at = SkipSpace(at);
    if (Is(at, ']')) return TakeList(at, from, value) ? at + 1 : nullptr;
    if (!Is(at, ',')) return Fail(at, "json_bad_list");
    at = SkipSpace(at + 1);
  }
}

const char* JsonReader::ReadObject(const char* at, int depth, Value& value) {
  const std::size_t from = open_.size();
  at = SkipSpace(at + 1);
  if (Is(at, '}')) {
    value = Value::Map({});
    return at + 1;
  }
  for (;;) {
    at = ReadMember(at, depth);
    if (at == nullptr) return nullptr;
    at = SkipSpace(at);
    if (Is(at, '}')) return TakeMap(at, from, value) ? at + 1 : nullptr;
    if (!Is(at, ',')) return Fail(at, "json_bad_object");
    at = SkipSpace(at + 1);
  }
}

// Pushes a name and its value.
const char* JsonReader::ReadMember(const char* at, int depth) {
  if (!Is(at, '"')) return Fail(at, "json_bad_object");
  std::string_view name;
  at = ReadString(at, name);
  if (at == nullptr) return nullptr;
  at = SkipSpace(at);
  if (!Is(at, ':')) return Fail(at, "json_bad_object");
  at = SkipSpace(at + 1);
  Value value;
  const char* const end = ReadValue(at, depth, value);
  if (end == nullptr || !Push(at, Value::String(name)) || !Push(at, value)) return nullptr;
  return end;
}

bool JsonReader::Push(const char* at, const Value& value) {
  if (open_.size() >= arena_->capacity() / sizeof(Value)) {
    return Refuse(at, "json_out_of_memory");
  }
  open_.push_back(value);
  return true;
}

bool JsonReader::TakeList(const char* at, std::size_t from, Value& value) {
  const std::size_t count = open_.size() - from;
  Value* const items = arena_->AllocateArray<Value>(count);
  if (items == nullptr) return Refuse(at, "json_out_of_memory");
  std::copy_n(&open_[from], count, items);
  value = Value::List({items, count});
  return true;
}

bool JsonReader::TakeMap(const char* at, std::size_t from, Value& value) {
  const std::size_t count = (open_.size() - from) / 2;
  MapEntry* const entries = arena_->AllocateArray<MapEntry>(count);
  if (entries == nullptr) return Refuse(at, "json_out_of_memory");
  names_.clear();
  for (std::size_t i = 0; i < count; ++i) {
    entries[i] = {open_[from + 2 * i], open_[from + 2 * i + 1]};
    names_.push_back(entries[i].key.AsString());
  }
  if (HasDuplicate(names_)) return Refuse(at, "json_duplicate_field");
  value = Value::Map({entries, count});
  return true;
}

const char* JsonReader::SkipScalar(const char* at) {
  if (Is(at, '"')) {
    bool escaped = false;
    const char* const close = ScanString(at + 1, escaped);
    return close == nullptr ? nullptr : close + 1;
  }
  if (at < end_ && (*at == '-' || (*at >= '0' && *at <= '9'))) {
    Number number;
    return ScanNumber(at, number);
  }
  Value literal;
  return ReadLiteral(at, literal);
}

// A name, its colon and the blanks around them.
const char* JsonReader::SkipName(const char* at) {
  if (!Is(at, '"')) return Fail(at, "json_bad_object");
  at = SkipScalar(at);
  if (at == nullptr) return nullptr;
  at = SkipSpace(at);
  if (!Is(at, ':')) return Fail(at, "json_bad_object");
  return SkipSpace(at + 1);
}

const char* JsonReader::SkipAnyValue(const char* at, int depth) {
  at = SkipSpace(at);
  if (!Is(at, '[') && !Is(at, '{')) return SkipScalar(at);
  std::uint64_t objects = 0;  // bit i: the container i levels out is an object
  const int outer = depth;
  for (;;) {
    // `at` is where a value starts.
    if (Is(at, '[') || Is(at, '{')) {
      if (depth == kDepthMax) return Fail(at, "json_too_deep");
      ++depth;
      const bool object = *at == '{';
      objects = objects << 1 | (object ? 1 : 0);
      at = SkipSpace(at + 1);
      if (!Is(at, object ? '}' : ']')) {
        if (object) at = SkipName(at);
        if (at == nullptr) return nullptr;
        continue;
      }
    } else {
      at = SkipScalar(at);
      if (at == nullptr) return nullptr;
      at = SkipSpace(at);
    }
    // `at` is behind a value, or at the bracket that closes an empty container.
    while (Is(at, (objects & 1) != 0 ? '}' : ']')) {
      objects >>= 1;
      ++at;
      if (--depth == outer) return at;
      at = SkipSpace(at);
    }
    const bool object = (objects & 1) != 0;
    if (!Is(at, ',')) return Fail(at, object ? "json_bad_object" : "json_bad_list");
    at = SkipSpace(at + 1);
    if (object) at = SkipName(at);
    if (at == nullptr) return nullptr;
  }
}

}  // namespace runnel

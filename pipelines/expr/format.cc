// format: values in a text, by the clauses of CEL's extension (`%s`, `%d`, `%.2f` …); and
// base64, bytes as text.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "pipelines/base/utf8.h"
#include "pipelines/expr/functions.h"
#include "pipelines/expr/times.h"

namespace runnel::expr {
namespace {

using Arguments = std::span<const Value>;

constexpr const char* kBadFormat = "bad_format";
constexpr int kPrecisionMax = 100;
// The largest double with that many digits behind the point.
constexpr std::size_t kNumberMax = 320 + kPrecisionMax;

Value Text(std::string_view text, Arena& arena) {
  const std::string_view copy = arena.Copy(text);
  return copy.data() == nullptr ? Value::Error(kOutOfMemory) : Value::String(copy);
}

// Writes values behind each other; what does not fit is an error in the end.
class Writer final {
 public:
  explicit Writer(std::size_t most) : most_(most) {}

  void Put(std::string_view text) {
    if (out_.size() + text.size() > most_) full_ = true;
    if (!full_) out_ += text;
  }
  Value Take(Arena& arena) const {
    if (failure_ != nullptr) return Value::Error(failure_);
    return full_ ? Value::Error(kOutOfMemory) : Text(out_, arena);
  }
  bool Stopped() const { return full_ || failure_ != nullptr; }
  void Fail(const char* reason) { failure_ = reason; }

  // One clause, such as `%.2f`: its letter, and the digits behind the point or -1.
  void Clause(char letter, int precision, const Value& value) {
    switch (letter) {
      case 's':
        return Any(value);
      case 'd':
        return Decimal(value);
      case 'f':
        return Real(value, std::chars_format::fixed, precision);
      case 'e':
        return Real(value, std::chars_format::scientific, precision);
      case 'b':
        if (value.type() == Type::kBool) return Put(value.AsBool() ? "1" : "0");
        return Whole(value, 2);
      case 'o':
        return Whole(value, 8);
      case 'x':
      case 'X':
        return Hexadecimal(value, letter == 'X');
      default:
        return Fail(kBadFormat);
    }
  }

 private:
  template <typename... Form>
  void Number(Form... form) {
    char digits[kNumberMax];
    const auto written = std::to_chars(digits, digits + kNumberMax, form...);
    Put({digits, static_cast<std::size_t>(written.ptr - digits)});
  }

  bool NotFinite(double number) {
    if (std::isfinite(number)) return false;
    Put(std::isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity");
    return true;
  }
  void Whole(const Value& value, int base) {
    if (value.type() == Type::kInt) return Number(value.AsInt(), base);
    if (value.type() == Type::kUint) return Number(value.AsUint(), base);
    Fail(kNoOverload);
  }
  void Decimal(const Value& value) {
    if (value.type() == Type::kDouble && NotFinite(value.AsDouble())) return;
    Whole(value, 10);
  }
  void Real(const Value& value, std::chars_format form, int precision) {
    if (!value.IsNumber()) return Fail(kNoOverload);
    const double number = value.ToDouble();
    if (!NotFinite(number)) Number(number, form, precision < 0 ? 6 : precision);
  }
  void Hexadecimal(const Value& value, bool capitals) {
    const std::size_t begin = out_.size();
    if (value.type() == Type::kString || value.type() == Type::kBytes) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      const bool text = value.type() == Type::kString;
      for (const char c : text ? value.AsString() : value.AsBytes()) {
        const auto byte = static_cast<unsigned char>(c);
        const char pair[] = {kDigits[byte >> 4], kDigits[byte & 15]};
        Put({pair, 2});
      }
    } else {
      Whole(value, 16);
    }
    if (!capitals) return;
    std::transform(out_.begin() + static_cast<std::ptrdiff_t>(begin), out_.end(),
                   out_.begin() + static_cast<std::ptrdiff_t>(begin),
                   [](char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c; });
  }

  void Any(const Value& value) {
    char text[kTimeTextMax];
    switch (value.type()) {
      case Type::kNull:
        return Put("null");
      case Type::kBool:
        return Put(value.AsBool() ? "true" : "false");
      case Type::kInt:
      case Type::kUint:
        return Whole(value, 10);
      case Type::kDouble:
        if (!NotFinite(value.AsDouble())) Number(value.AsDouble());
        return;
      case Type::kString:
        return Put(value.AsString());
      case Type::kBytes:
        return Bytes(value.AsBytes());
      case Type::kTimestamp:
        return Put({text, static_cast<std::size_t>(WriteTimestamp(value, text) - text)});
      case Type::kDuration:
        return Put({text, static_cast<std::size_t>(WriteDuration(value, text) - text)});
      case Type::kType:
        return Put(TypeName(value.AsType()));
      case Type::kList:
        return List(value.AsList());
      case Type::kMap:
        return Map(value.AsMap());
      default:
        return Fail(kNoOverload);
    }
  }
  // As `string()` has it: what is no UTF-8 is no text.
  void Bytes(std::string_view bytes) {
    for (std::string_view rest = bytes; !rest.empty();) {
      const std::size_t size = Utf8CharacterSize(rest);
      if (size == 0) return Fail("invalid_utf8");
      rest.remove_prefix(size);
    }
    Put(bytes);
  }
  void List(std::span<const Value> items) {
    Put("[");
    for (std::size_t i = 0; i < items.size() && !Stopped(); ++i) {
      if (i > 0) Put(", ");
      Any(items[i]);
    }
    Put("]");
  }
  // In the order of the keys as text.
  void Map(std::span<const MapEntry> entries) {
    std::vector<std::pair<std::string, const Value*>> sorted;
    for (const MapEntry& entry : entries) {
      Writer key(most_);
      key.Any(entry.key);
      sorted.emplace_back(std::move(key.out_), &entry.value);
    }
    std::sort(sorted.begin(), sorted.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    Put("{");
    for (std::size_t i = 0; i < sorted.size() && !Stopped(); ++i) {
      if (i > 0) Put(", ");
      Put(sorted[i].first);
      Put(": ");
      Any(*sorted[i].second);
    }
    Put("}");
  }

  std::size_t most_;
  std::string out_;
  bool full_ = false;
  const char* failure_ = nullptr;
};

// The digits behind `.`, or -1 without it; -2 where they are none or too many.
int TakePrecision(std::string_view& rest) {
  if (!rest.starts_with('.')) return -1;
  int precision = 0;
  const char* const begin = rest.data() + 1;
  const auto read = std::from_chars(begin, rest.data() + rest.size(), precision);
  if (read.ec != std::errc() || precision < 0 || precision > kPrecisionMax) return -2;
  rest.remove_prefix(static_cast<std::size_t>(read.ptr - rest.data()));
  return precision;
}

Value Format(Arguments a, Arena& arena) {
  std::string_view rest = a[0].AsString();
  const std::span<const Value> values = a[1].AsList();
  Writer writer(arena.capacity() - arena.used());
  std::size_t next = 0;
  while (!writer.Stopped()) {
    const std::size_t at = std::min(rest.find('%'), rest.size());
    writer.Put(rest.substr(0, at));
    rest.remove_prefix(at);
    if (rest.empty()) break;
    rest.remove_prefix(1);
    if (rest.starts_with('%')) {
      writer.Put("%");
      rest.remove_prefix(1);
      continue;
    }
    const int precision = TakePrecision(rest);
    if (precision == -2 || rest.empty()) return Value::Error(kBadFormat);
    if (next == values.size()) return Value::Error("too_few_values_to_format");
    writer.Clause(rest.front(), precision, values[next++]);
    rest.remove_prefix(1);
  }
  return writer.Take(arena);
}

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

Value Encode64(Arguments a, Arena& arena) {
  const std::string_view bytes = a[0].AsBytes();
  char* const out = arena.AllocateArray<char>((bytes.size() + 2) / 3 * 4);
  if (out == nullptr) return Value::Error(kOutOfMemory);
  std::size_t size = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      bits = bits << 8 | (j < have ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out[size++] = j <= have ? kBase64[bits >> (18 - 6 * j) & 63] : '=';
    }
  }
  return Value::String({out, size});
}

// With its padding or without it.
Value Decode64(Arguments a, Arena& arena) {
  std::string_view text = a[0].AsString();
  if (text.size() % 4 == 0) {
    for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  }
  if (text.size() % 4 == 1) return Value::Error("not_base64");
  char* const out = arena.AllocateArray<char>(text.size() / 4 * 3 + 3);
  if (out == nullptr) return Value::Error(kOutOfMemory);
  std::size_t size = 0;
  std::uint32_t bits = 0;
  int have = 0;
  for (const char c : text) {
    const std::size_t digit = kBase64.find(c);
    if (digit == std::string_view::npos) return Value::Error("not_base64");
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    out[size++] = static_cast<char>(bits >> have & 0xff);
  }
  return Value::Bytes({out, size});
}

using enum Function::Style;
constexpr std::array<Types, 3> kTextAndList = {kTextType, kListType, kListType};
constexpr Types kBytesType = {Type::kBytes};

constexpr Function kTable[] = {
    {"base64.decode",
     kGlobal,
     1,
     1,
     {kTextType, kTextType, kTextType},
     Type::kBytes,
     Decode64,
     "base64.decode(text)",
     "The bytes that a text in base64 stands for."},
    {"base64.encode",
     kGlobal,
     1,
     1,
     {kBytesType, kBytesType, kBytesType},
     Type::kString,
     Encode64,
     "base64.encode(bytes)",
     "Bytes as text in base64."},
    {"format", kReceiver, 2, 2, kTextAndList, Type::kString, Format, "text.format(list)",
     "The text with values put in: \"%s: %.1f\".format([device, temp]); also %d %e %b %o %x %X."},
};

}  // namespace

std::span<const Function> FormatFunctions() { return kTable; }

}  // namespace runnel::expr

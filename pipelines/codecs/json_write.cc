#include <bit>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "pipelines/base/scan.h"
#include "pipelines/codecs/json.h"
#include "pipelines/codecs/utf8.h"

namespace runnel {
namespace {

// The most bytes that WriteInteger and WriteDouble write.
constexpr std::size_t kNumberSizeMax = 40;

template <typename Integer>
char* WriteInteger(Integer number, char* to) {
  return std::to_chars(to, to + kNumberSizeMax, number).ptr;
}

template <typename Integer>
void AppendInteger(Integer number, std::string& out) {
  char text[kNumberSizeMax];
  out.append(text, WriteInteger(number, text));
}

char* WriteText(std::string_view text, char* to) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

// Writes `number` if it is a decimal below 1e11 with at most four digits behind the
// point, or an integer below 1e15; else gives nullptr. Dividing an exact integer by an
// exact power of ten rounds once, as reading the text would: what compares equal
// reads back the same.
char* WriteShortDecimal(double number, char* to) {
  const double magnitude = std::fabs(number);
  if (!(magnitude < 1e15)) return nullptr;
  int places = magnitude < 1e11 ? 4 : 0;
  std::int64_t power = places == 4 ? 10'000 : 1;
  const auto scale = static_cast<double>(power);
  auto scaled = static_cast<std::int64_t>(magnitude * scale + 0.5);
  if (static_cast<double>(scaled) / scale != magnitude) return nullptr;
  for (; places > 1 && scaled % 10 == 0; --places) {
    scaled /= 10;
    power /= 10;
  }
  if (std::signbit(number)) *to++ = '-';
  to = WriteInteger(scaled / power, to);
  *to++ = '.';
  std::int64_t fraction = scaled % power;
  const int digits = places == 0 ? 1 : places;
  for (int i = digits - 1; i >= 0; --i) {
    to[i] = static_cast<char>('0' + fraction % 10);
    fraction /= 10;
  }
  return to + digits;
}

// `1e+05` as `1e5`.
char* WriteExponentForm(std::string_view text, char* to) {
  const std::size_t e = text.find('e');
  to = WriteText(text.substr(0, e + 1), to);
  if (text[e + 1] == '-') *to++ = '-';
  const std::string_view digits = text.substr(e + 2);
  return WriteText(digits.substr(digits.find_first_not_of('0')), to);
}

char* WriteDouble(double number, char* to) {
  if (!std::isfinite(number)) return WriteText("null", to);
  if (char* const end = WriteShortDecimal(number, to)) return end;
  char buffer[kNumberSizeMax];
  char* const limit = buffer + sizeof buffer;
  if (std::fabs(number) >= 1e15) {
    const auto result = std::to_chars(buffer, limit, number, std::chars_format::scientific);
    return WriteExponentForm({buffer, result.ptr}, to);
  }
  const std::string_view text(buffer, std::to_chars(buffer, limit, number).ptr);
  if (text.find('e') != std::string_view::npos) return WriteExponentForm(text, to);
  to = WriteText(text, to);
  return text.find('.') == std::string_view::npos ? WriteText(".0", to) : to;
}

// Whether `text` goes into a JSON string as it is: ASCII without quotes, backslashes
// and control characters.
bool IsPlain(std::string_view text) {
  const char* const at = text.data();
  const std::size_t size = text.size();
  if (size >= 8) {
    std::uint64_t special = 0;
    for (std::size_t i = 0; i + 8 < size; i += 8) {
      special |= scan::SpecialBytes(scan::Load8(at + i));
    }
    return (special | scan::SpecialBytes(scan::Load8(at + size - 8))) == 0;
  }
  if (size >= 4) {
    const std::uint64_t both = scan::Load4(at) | std::uint64_t{scan::Load4(at + size - 4)} << 32;
    return scan::SpecialBytes(both) == 0;
  }
  std::uint64_t word = scan::kOnes * 'x';
  for (const char c : text) word = word << 8 | static_cast<unsigned char>(c);
  return scan::SpecialBytes(word) == 0;
}

void AppendEscape(char c, std::string& out) {
  constexpr const char* kHex = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[c & 15];
  }
}

void AppendEscaped(std::string_view text, std::string& out) {
  const char* at = text.data();
  const char* const end = at + text.size();
  const char* run = at;  // what has not been appended starts here
  while (at != end) {
    const auto byte = static_cast<unsigned char>(*at);
    std::size_t size = 1;
    if (byte >= 0x80) {
      size = CheckUtf8Sequence(at, end).size;
    } else if (byte < 0x20 || byte == '"' || byte == '\\') {
      size = 0;
    }
    if (size == 0) {
      out.append(run, at);
      if (byte < 0x80)
        AppendEscape(*at, out);
      else
        out += "\xef\xbf\xbd";
      run = at + 1;
    }
    at += size == 0 ? 1 : size;
  }
  out.append(run, end);
}

// RFC 4648, section 4.
void AppendBase64(std::string_view bytes, std::string& out) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += k <= count ? kAlphabet[group >> (18 - 6 * k) & 63] : '=';
    }
  }
}

void AppendPadded(std::uint64_t number, int width, std::string& out) {
  char digits[20];
  for (int i = width - 1; i >= 0; --i) {
    digits[i] = static_cast<char>('0' + number % 10);
    number /= 10;
  }
  out.append(digits, static_cast<std::size_t>(width));
}

// With 3, 6 or 9 digits of the second's fraction, as many as it needs.
void AppendTimestamp(std::int64_t seconds, std::int32_t nanoseconds, std::string& out) {
  constexpr std::int64_t kFirst = -62'167'219'200;  // 0000-01-01T00:00:00Z
  constexpr std::int64_t kLast = 253'402'300'799;   // 9999-12-31T23:59:59Z
  if (seconds < kFirst || seconds > kLast) return AppendInteger(seconds, out);
  const auto time = std::chrono::sys_seconds(std::chrono::seconds(seconds));
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto of_day = static_cast<std::uint64_t>((time - day).count());
  out += '"';
  AppendPadded(static_cast<std::uint64_t>(static_cast<int>(date.year())), 4, out);
  out += '-';
  AppendPadded(static_cast<unsigned>(date.month()), 2, out);
  out += '-';
  AppendPadded(static_cast<unsigned>(date.day()), 2, out);
  out += 'T';
  AppendPadded(of_day / 3600, 2, out);
  out += ':';
  AppendPadded(of_day / 60 % 60, 2, out);
  out += ':';
  AppendPadded(of_day % 60, 2, out);
  if (nanoseconds != 0) {
    const auto fraction = static_cast<std::uint64_t>(nanoseconds);
    out += '.';
    if (fraction % 1'000'000 == 0) {
      AppendPadded(fraction / 1'000'000, 3, out);
    } else if (fraction % 1'000 == 0) {
      AppendPadded(fraction / 1'000, 6, out);
    } else {
      AppendPadded(fraction, 9, out);
    }
  }
  out += "Z\"";
}

void AppendDuration(std::int64_t seconds, std::int32_t nanoseconds, std::string& out) {
  out += '"';
  if (seconds < 0 || nanoseconds < 0) out += '-';
  AppendInteger(
      seconds < 0 ? 0 - static_cast<std::uint64_t>(seconds) : static_cast<std::uint64_t>(seconds),
      out);
  if (nanoseconds != 0) {
    out += '.';
    AppendPadded(static_cast<std::uint64_t>(std::abs(std::int64_t{nanoseconds})), 9, out);
    out.erase(out.find_last_not_of('0') + 1);
  }
  out += "s\"";
}

// JSON has no other keys than text.
void AppendKey(const Value& key, std::string& out) {
  if (key.type() == Type::kString) return AppendJsonString(key.AsString(), out);
  const std::size_t start = out.size();
  AppendJson(key, out);
  if (out[start] == '"') return;
  out.insert(start, 1, '"');
  out += '"';
}

void AppendList(std::span<const Value> items, std::string& out) {
  char before = '[';
  for (const Value& item : items) {
    out += before;
    AppendJson(item, out);
    before = ',';
  }
  out += items.empty() ? "[]" : "]";
}

void AppendMap(std::span<const MapEntry> entries, std::string& out) {
  char before = '{';
  for (const MapEntry& entry : entries) {
    out += before;
    AppendKey(entry.key, out);
    out += ':';
    AppendJson(entry.value, out);
    before = ',';
  }
  out += entries.empty() ? "{}" : "}";
}

class JsonEncoder final : public Encoder {
 public:
  Outcome Encode(const Record& record, std::string& out) override {
    to_ = chunk_;
    char before = '{';
    for (const Record::Entry& entry : record.entries()) {
      WriteField(before, record.NameOf(entry), record.ValueOf(entry), out);
      before = ',';
    }
    Flush(out);
    out += record.entries().empty() ? "{}" : "}";
    return Outcome::Done();
  }

 private:
  static constexpr std::size_t kTextSizeMax = 100;  // of what goes through the chunk
  static constexpr std::size_t kFieldSizeMax = 2 * (kTextSizeMax + 4) + kNumberSizeMax;

  // Plain fields are put together in a chunk, because many small appends cost more
  // than the digits do.
  void WriteField(char before, std::string_view name, const Value& value, std::string& out) {
    if (static_cast<std::size_t>(std::end(chunk_) - to_) < kFieldSizeMax) Flush(out);
    *to_++ = before;
    if (name.size() <= kTextSizeMax && IsPlain(name)) {
      *to_++ = '"';
      to_ = WriteText("\":", WriteText(name, to_));
    } else {
      Flush(out);
      AppendJsonString(name, out);
      *to_++ = ':';
    }
    if (value.type() == Type::kInt) {
      to_ = WriteInteger(value.AsInt(), to_);
    } else if (value.type() == Type::kDouble) {
      to_ = WriteDouble(value.AsDouble(), to_);
    } else if (value.type() == Type::kString && value.AsString().size() <= kTextSizeMax &&
               IsPlain(value.AsString())) {
      *to_++ = '"';
      to_ = WriteText(value.AsString(), to_);
      *to_++ = '"';
    } else {
      Flush(out);
      AppendJson(value, out);
    }
  }
  void Flush(std::string& out) {
    out.append(chunk_, to_);
    to_ = chunk_;
  }

  char chunk_[1024];
  char* to_ = chunk_;
};

}  // namespace

void AppendNumber(double number, std::string& out) {
  char text[kNumberSizeMax];
  out.append(text, WriteDouble(number, text));
}

void AppendJsonString(std::string_view text, std::string& out) {
  out += '"';
  if (IsPlain(text)) {
    out += text;
  } else {
    AppendEscaped(text, out);
  }
  out += '"';
}

void AppendJson(const Value& value, std::string& out) {
  switch (value.type()) {
    case Type::kBool:
      out += value.AsBool() ? "true" : "false";
      return;
    case Type::kInt:
      return AppendInteger(value.AsInt(), out);
    case Type::kUint:
      return AppendInteger(value.AsUint(), out);
    case Type::kDouble:
      return AppendNumber(value.AsDouble(), out);
    case Type::kString:
      return AppendJsonString(value.AsString(), out);
    case Type::kBytes:
      out += '"';
      AppendBase64(value.AsBytes(), out);
      out += '"';
      return;
    case Type::kList:
      return AppendList(value.AsList(), out);
    case Type::kMap:
      return AppendMap(value.AsMap(), out);
    case Type::kTimestamp:
      return AppendTimestamp(value.Seconds(), value.Nanoseconds(), out);
    case Type::kDuration:
      return AppendDuration(value.Seconds(), value.Nanoseconds(), out);
    case Type::kType:
      return AppendJsonString(TypeName(value.AsType()), out);
    case Type::kMissing:
    case Type::kNull:
    case Type::kError:
      break;
  }
  out += "null";
}

std::unique_ptr<Encoder> MakeJsonEncoder() { return std::make_unique<JsonEncoder>(); }

}  // namespace runnel

// JsonReader: reads the values inside one JSON payload, strictly (RFC 8259).
//
// The part of the decoder that knows the grammar and nothing of records. Each
// function takes the place where it starts and gives the place behind what it read,
// or nullptr with a literal reason(). What lies behind the payload is read (at most
// Decoder::kPadding bytes) but never decides anything: a payload that breaks off is
// `json_unexpected_end` wherever it breaks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "pipelines/base/arena.h"
#include "pipelines/base/scan.h"
#include "pipelines/value/value.h"

namespace runnel {

class JsonReader final {
 public:
  // Nesting of objects and lists, the payload's own object included.
  static constexpr int kDepthMax = 32;

  // Starts on another payload. Both outlive what is read.
  void Start(std::string_view payload, Arena& arena) {
    end_ = payload.data() + payload.size();
    arena_ = &arena;
    reason_ = nullptr;
  }
  const char* end() const { return end_; }
  const char* reason() const { return reason_; }

  // Notes why reading stops at `at`; always nullptr.
  const char* Fail(const char* at, const char* reason) {
    reason_ = at >= end_ ? "json_unexpected_end" : reason;
    return nullptr;
  }
  // Whether `at` is inside the payload and holds `character`.
  bool Is(const char* at, char character) const { return *at == character && at < end_; }
  const char* SkipSpace(const char* at) const {
    while (at < end_ && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) ++at;
    return at;
  }

  // A value whose container is `depth` deep, with blanks before it. Text without escapes is
  // borrowed from the payload, all else that needs memory is in the arena.
  const char* ReadValue(const char* at, int depth, Value& value) {
    if (at >= end_) return Fail(at, nullptr);
    const char first = *at;
    if (first == '"') {
      const char* const close = at + 1 + scan::PlainPrefix(at + 1);
      if (close >= end_ || *close != '"') [[unlikely]]
        return ReadLongText(at, value);
      value = Value::String({at + 1, static_cast<std::size_t>(close - at - 1)});
      return close + 1;
    }
    if (first == '-' || (first >= '0' && first <= '9')) [[likely]]
      return ReadNumber(at, value);
    return ReadOther(at, depth, value);
  }
  // Checks the grammar of a value, and of blanks before it, without making it; neither the range of
  // numbers nor that names are unique.
  const char* SkipValue(const char* at, int depth) {
    if (Is(at, '"')) {
      const char* const close = at + 1 + scan::PlainPrefix(at + 1);
      if (close < end_ && *close == '"') return close + 1;
    } else if (const char* const end = EndOfShortNumber(at); end != nullptr && end < end_) {
      if (*end == ',' || *end == '}') return end;
    }
    return SkipAnyValue(at, depth);
  }

  // REQUIRES: *at is a quote. `text` has the content with its escapes resolved.
  const char* ReadString(const char* at, std::string_view& text) {
    const char* const close = at + 1 + scan::PlainPrefix(at + 1);
    if (close >= end_ || *close != '"') [[unlikely]]
      return ReadLongString(at, text);
    text = {at + 1, static_cast<std::size_t>(close - at - 1)};
    return close + 1;
  }
  // The closing quote of the text that starts at `at`, all of it checked.
  const char* ScanString(const char* at, bool& escaped);
  // `text` (content of a string that has been checked) with its escapes resolved,
  // in the arena.
  bool Unescape(std::string_view& text);

 private:
  // A number's parts: mantissa * 10^exponent, exact if `digits` is at most 19.
  struct Number {
    std::uint64_t mantissa = 0;
    std::int64_t exponent = 0;
    std::int64_t digits = 0;
    bool negative = false;
    bool integer = true;  // neither fraction nor exponent
  };

  // What is behind a number of at most 8 digits and point at `at`; nullptr for others.
  static const char* EndOfShortNumber(const char* at) {
    const char* const first = at + (*at == '-' ? 1 : 0);
    const std::uint64_t others = scan::NotDigits(scan::Load8(first) ^ (scan::kOnes * '0'));
    const int whole = std::countr_zero(others) / 8;
    if (whole == 0 || whole == 8 || (*first == '0' && whole != 1)) return nullptr;
    if (first[whole] != '.') return first + whole;
    const int size = std::countr_zero(others & (others - 1)) / 8;
    return size == whole + 1 ? nullptr : first + size;
  }
  // The usual numbers here, all others in ReadAnyNumber.
  const char* ReadNumber(const char* at, Value& value) {
    const bool negative = *at == '-';
    const char* const first = at + (negative ? 1 : 0);
    const std::uint64_t digits = scan::Load8(first) ^ (scan::kOnes * '0');
    std::uint64_t others = scan::NotDigits(digits);
    if (others == 0) return ReadLongInteger(at, first, value);
    const int whole = std::countr_zero(others) / 8;
    // An integer part without a needless zero.
    if (whole == 0 || (*first == '0' && whole != 1)) return ReadAnyNumber(at, value);
    if (first[whole] != '.') {
      const std::uint64_t number = scan::EightDigits(digits << (64 - 8 * whole));
      return SetInteger(at, first + whole, number, value);
    }
    others &= others - 1;
    if (others == 0) return ReadAnyNumber(at, value);
    const int size = std::countr_zero(others) / 8;
    const int places = size - whole - 1;
    const char* const end = first + size;
    if (places == 0 || (*end | 0x20) == 'e' || end >= end_) return ReadAnyNumber(at, value);
    // The digits without the point, moved to the end of the word.
    const std::uint64_t before = (std::uint64_t{1} << (8 * whole)) - 1;
    const std::uint64_t joined = (digits & before) | (digits >> 8 & ~before);
    const auto mantissa = static_cast<std::int64_t>(scan::EightDigits(joined << (72 - 8 * size)));
    // Both operands are exact, so the one rounding is the right one (Clinger, 1990).
    const double magnitude = static_cast<double>(mantissa) / kPowers[places];
    value = Value::Double(negative ? -magnitude : magnitude);
    return end;
  }
  // An integer of 8 to 15 digits that start at `first`, or any other number.
  const char* ReadLongInteger(const char* at, const char* first, Value& value) {
    const std::uint64_t high = scan::Load8(first) ^ (scan::kOnes * '0');
    const std::uint64_t low = scan::Load8(first + 8) ^ (scan::kOnes * '0');
    const std::uint64_t others = scan::NotDigits(low);
    const int size = std::countr_zero(others) / 8;
    if (others == 0 || *first == '0' || first[8 + size] == '.') return ReadAnyNumber(at, value);
    // In two shifts, because one of 64 bits is not defined.
    const std::uint64_t number = scan::EightDigits(high) * kSmallPowers[size] +
                                 scan::EightDigits(low << 8 << (56 - 8 * size));
    return SetInteger(at, first + 8 + size, number, value);
  }
  const char* SetInteger(const char* at, const char* end, std::uint64_t magnitude, Value& value) {
    const bool negative = *at == '-';
    if ((*end | 0x20) == 'e' || end >= end_ || (magnitude == 0 && negative)) {
      return ReadAnyNumber(at, value);
    }
    const auto number = static_cast<std::int64_t>(magnitude);
    value = Value::Int(negative ? -number : number);
    return end;
  }

  // Appends the digits at `at` to `mantissa` (modulo 2^64).
  const char* ScanDigits(const char* at, std::uint64_t& mantissa) const {
    for (;;) {
      const std::uint64_t digits = scan::Load8(at) ^ (scan::kOnes * '0');
      const int count = scan::DigitPrefix(digits);
      if (count < 8) {
        // In two shifts, because one of 64 bits is not defined.
        const std::uint64_t aligned = digits << 8 << (56 - 8 * count);
        mantissa = mantissa * kSmallPowers[count] + scan::EightDigits(aligned);
        return at + count;
      }
      mantissa = mantissa * 100'000'000 + scan::EightDigits(digits);
      at += 8;
      if (at >= end_) return at;
    }
  }

  const char* ReadLongString(const char* at, std::string_view& text);
  const char* ReadLongText(const char* at, Value& value);
  const char* ReadAnyNumber(const char* at, Value& value);
  const char* ScanNumber(const char* at, Number& number);
  const char* ScanExponent(const char* at, Number& number);
  const char* ScanSpecial(const char* at, bool& escaped);
  const char* ScanEscape(const char* at);
  const char* ConvertNumber(const char* at, const char* end, const Number& number, Value& value);
  const char* ReadOther(const char* at, int depth, Value& value);
  const char* ReadLiteral(const char* at, Value& value);
  const char* ReadList(const char* at, int depth, Value& value);
  const char* ReadObject(const char* at, int depth, Value& value);
  const char* ReadMember(const char* at, int depth);
  const char* SkipAnyValue(const char* at, int depth);
  const char* SkipScalar(const char* at);
  const char* SkipName(const char* at);
  bool Refuse(const char* at, const char* reason) {
    Fail(at, reason);
    return false;
  }
  bool Push(const char* at, const Value& value);
  bool TakeList(const char* at, std::size_t from, Value& value);
  bool TakeMap(const char* at, std::size_t from, Value& value);

  static constexpr std::uint64_t kExactMax = std::uint64_t{1} << 53;
  static constexpr int kExactPower = 22;
  static constexpr double kPowers[kExactPower + 1] = {
      1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  static constexpr std::uint64_t kSmallPowers[8] = {1,      10,      100,       1'000,
                                                    10'000, 100'000, 1'000'000, 10'000'000};

  const char* end_ = nullptr;
  Arena* arena_ = nullptr;
  const char* reason_ = nullptr;
  // Elements of the lists and objects that are open; never more than the arena could
  // take. Keeps its memory, as does names_.
  std::vector<Value> open_;
  std::vector<std::string_view> names_;
};

// Whether two of `names` are the same; reorders them. Bounded by n log n comparisons.
bool HasDuplicate(std::vector<std::string_view>& names);

}  // namespace runnel

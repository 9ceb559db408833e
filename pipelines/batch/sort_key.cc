#include "pipelines/batch/sort_key.h"

#include <bit>
#include <cstring>

#include "pipelines/codecs/text_values.h"

namespace runnel {
namespace {

enum Tag : char { kBool = 1, kInt = 2, kUint = 3, kDouble = 4, kText = 5 };
constexpr std::uint64_t kSign = std::uint64_t{1} << 63;

void AppendBigEndian(std::uint64_t word, std::string& out) {
  word = __builtin_bswap64(word);
  out.append(reinterpret_cast<const char*>(&word), sizeof word);
}

std::optional<std::uint64_t> TakeBigEndian(std::string_view& bytes) {
  if (bytes.size() < 8) return std::nullopt;
  std::uint64_t word;
  std::memcpy(&word, bytes.data(), sizeof word);
  bytes.remove_prefix(8);
  return __builtin_bswap64(word);
}

// A zero byte becomes 0 1, the end is 0 0: so a text is in front of a longer one.
void AppendText(std::string_view text, std::string& out) {
  out += kText;
  for (std::size_t zero; (zero = text.find('\0')) != std::string_view::npos;) {
    out.append(text.substr(0, zero + 1)).append(1, '\1');
    text.remove_prefix(zero + 1);
  }
  out.append(text).append(2, '\0');
}

std::optional<Value> TakeText(std::string_view& bytes, Arena& arena) {
  std::size_t size = 0;
  std::size_t escaped = 0;
  for (;; size += 2, ++escaped) {
    size = bytes.find('\0', size);
    if (size == std::string_view::npos || size + 1 == bytes.size()) return std::nullopt;
    if (bytes[size + 1] == '\0') break;
  }
  char* copy = arena.AllocateArray<char>(size);
  if (copy == nullptr) return std::nullopt;
  std::size_t to = 0;
  for (std::size_t from = 0; from < size; ++from) {
    copy[to++] = bytes[from];
    if (bytes[from] == '\0') ++from;
  }
  bytes.remove_prefix(size + 2);
  return Value::String({copy, to});
}

}  // namespace

void AppendSortNumber(std::int64_t number, std::string& out) {
  AppendBigEndian(static_cast<std::uint64_t>(number) ^ kSign, out);
}

void AppendSortPart(const Value& value, std::string& out) {
  switch (value.type()) {
    case Type::kBool:
      out.append(1, kBool).append(1, value.AsBool() ? '\1' : '\0');
      return;
    case Type::kInt:
      out += kInt;
      return AppendSortNumber(value.AsInt(), out);
    case Type::kUint:
      out += kUint;
      return AppendBigEndian(value.AsUint(), out);
    case Type::kDouble: {
      const auto bits = std::bit_cast<std::uint64_t>(value.AsDouble());
      out += kDouble;
      return AppendBigEndian((bits & kSign) != 0 ? ~bits : bits | kSign, out);
    }
    case Type::kString:
      return AppendText(value.AsString(), out);
    default: {
      std::string text;
      runnel::AppendText(value, text);
      AppendText(text, out);
    }
  }
}

std::optional<std::int64_t> TakeSortNumber(std::string_view& bytes) {
  const std::optional<std::uint64_t> word = TakeBigEndian(bytes);
  if (!word.has_value()) return std::nullopt;
  return static_cast<std::int64_t>(*word ^ kSign);
}

std::optional<Value> TakeSortPart(std::string_view& bytes, Arena& arena) {
  if (bytes.empty()) return std::nullopt;
  const char tag = bytes[0];
  bytes.remove_prefix(1);
  if (tag == kText) return TakeText(bytes, arena);
  if (tag == kBool) {
    if (bytes.empty()) return std::nullopt;
    const bool truth = bytes[0] != '\0';
    bytes.remove_prefix(1);
    return Value::Bool(truth);
  }
  const std::optional<std::uint64_t> word = TakeBigEndian(bytes);
  if (!word.has_value()) return std::nullopt;
  if (tag == kInt) return Value::Int(static_cast<std::int64_t>(*word ^ kSign));
  if (tag == kUint) return Value::Uint(*word);
  if (tag != kDouble) return std::nullopt;
  return Value::Double(std::bit_cast<double>((*word & kSign) != 0 ? *word ^ kSign : ~*word));
}

}  // namespace runnel

#include "pipelines/batch/spread.h"

#include <cstring>
#include <memory>

#include "pipelines/base/bytes.h"
#include "pipelines/plan/admission.h"

namespace runnel {
namespace {

// Of a value; only what an aggregate can take.
enum Tag : std::uint8_t { kMissing, kNull, kFalse, kTrue, kInt, kUint, kDouble, kText };

template <typename T>
char* PutFixed(T value, char* at) {
  std::memcpy(at, &value, sizeof value);
  return at + sizeof value;
}

bool TakeVarint(std::string_view& from, std::uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && !from.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(from[0]);
    from.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return true;
  }
  return false;
}

template <typename T>
bool TakeFixed(std::string_view& from, T& value) {
  if (from.size() < sizeof value) return false;
  std::memcpy(&value, from.data(), sizeof value);
  from.remove_prefix(sizeof value);
  return true;
}

bool TakeText(std::string_view& from, std::string_view& text) {
  std::uint64_t size = 0;
  if (!TakeVarint(from, size) || size > from.size()) return false;
  text = from.substr(0, size);
  from.remove_prefix(size);
  return true;
}

void AppendValue(const Value& value, std::string& out) {
  char bytes[16];
  char* at = bytes;
  switch (value.type()) {
    case Type::kDouble:
      *at++ = kDouble;
      at = PutFixed(value.AsDouble(), at);
      break;
    case Type::kInt:
      *at++ = kInt;
      at = PutFixed(value.AsInt(), at);
      break;
    case Type::kUint:
      *at++ = kUint;
      at = PutFixed(value.AsUint(), at);
      break;
    case Type::kBool:
      *at++ = value.AsBool() ? kTrue : kFalse;
      break;
    case Type::kString:
      *at++ = kText;
      at = ByteWriter::PutVarint(value.AsString().size(), at);
      out.append(bytes, static_cast<std::size_t>(at - bytes));
      out.append(value.AsString());
      return;
    case Type::kNull:
      *at++ = kNull;
      break;
    default:
      *at++ = kMissing;
  }
  out.append(bytes, static_cast<std::size_t>(at - bytes));
}

bool TakeValue(std::string_view& from, Value& value) {
  std::uint8_t tag = 0;
  if (!TakeFixed(from, tag)) return false;
  double number = 0;
  std::int64_t whole = 0;
  std::string_view text;
  switch (tag) {
    case kMissing:
      value = Value();
      return true;
    case kNull:
      value = Value::Null();
      return true;
    case kFalse:
    case kTrue:
      value = Value::Bool(tag == kTrue);
      return true;
    case kInt:
      if (!TakeFixed(from, whole)) return false;
      std::construct_at(&value, Value::Int(whole));
      return true;
    case kUint:
      if (!TakeFixed(from, whole)) return false;
      std::construct_at(&value, Value::Uint(static_cast<std::uint64_t>(whole)));
      return true;
    case kDouble:
      if (!TakeFixed(from, number)) return false;
      std::construct_at(&value, Value::Double(number));
      return true;
    case kText:
      if (!TakeText(from, text)) return false;
      value = Value::String(text);
      return true;
    default:
      return false;
  }
}

// A key that KeyPlan::TakePart can read to its end.
bool IsEncodedKey(std::string_view key) {
  while (!key.empty()) {
    const char tag = key[0];
    key.remove_prefix(1);
    std::size_t size = 8;
    if (tag == 's') {
      std::uint32_t text = 0;
      if (!TakeFixed(key, text)) return false;
      size = text;
    } else if (tag != 'b' && tag != 'i' && tag != 'u' && tag != 'd') {
      return false;
    }
    if (size > key.size()) return false;
    key.remove_prefix(size);
  }
  return true;
}

}  // namespace

void AppendSpreadRow(const SpreadRow& row, const Value* values, std::size_t count,
                     std::string& out) {
  constexpr std::size_t kShort = 64;
  char bytes[kShort + 32];
  char* at = ByteWriter::PutVarint(row.key.size() << 1 | (row.is_text ? 1 : 0), bytes);
  if (row.key.size() <= kShort) {
    std::memcpy(at, row.key.data(), row.key.size());
    at += row.key.size();
  } else {
    out.append(bytes, static_cast<std::size_t>(at - bytes)).append(row.key);
    at = bytes;
  }
  at = PutFixed(row.time, at);
  // The usual row in one piece.
  if (count == 1 && values[0].type() == Type::kDouble) {
    *at++ = kDouble;
    at = PutFixed(values[0].AsDouble(), at);
    count = 0;
  }
  out.append(bytes, static_cast<std::size_t>(at - bytes));
  for (std::size_t i = 0; i < count; ++i) AppendValue(values[i], out);
}

bool TakeSpreadRow(std::string_view& bytes, std::size_t count, SpreadRow& row, Value* values) {
  std::uint64_t size = 0;
  if (!TakeVarint(bytes, size) || size >> 1 > bytes.size()) return false;
  row.is_text = (size & 1) != 0;
  row.key = bytes.substr(0, size >> 1);
  bytes.remove_prefix(size >> 1);
  if (!TakeFixed(bytes, row.time) || row.time > kFarthestTime || row.time < -kFarthestTime ||
      (!row.is_text && !IsEncodedKey(row.key))) {
    return false;
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (!TakeValue(bytes, values[i])) return false;
  }
  return true;
}

}  // namespace runnel

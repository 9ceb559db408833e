#include "pipelines/codecs/cbor_reader.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <tuple>

#include "pipelines/base/time.h"
#include "pipelines/codecs/utf8.h"

namespace runnel {
namespace {

constexpr double kTimeMax = 253'402'300'799.0;  // the end of year 9999

double FromHalf(std::uint64_t bits) {
  const auto exponent = static_cast<int>(bits >> 10 & 0x1f);
  const auto mantissa = static_cast<double>(bits & 0x3ff);
  double number = 0;
  if (exponent == 0) {
    number = std::ldexp(mantissa, -24);
  } else if (exponent != 31) {
    number = std::ldexp(mantissa + 1024, exponent - 25);
  } else {
    number = mantissa == 0 ? INFINITY : std::nan("");
  }
  return (bits & 0x8000) != 0 ? -number : number;
}

bool ToTimestamp(double seconds, Value& value) {
  if (!(std::fabs(seconds) <= kTimeMax)) return false;
  const double whole = std::floor(seconds);
  value = Value::Timestamp(static_cast<std::int64_t>(whole),
                           static_cast<std::int32_t>((seconds - whole) * 1e9));
  return true;
}

}  // namespace

bool CborReader::TakeHead(Head& head) {
  if (at_ >= payload_.size()) return Fail("cbor_unexpected_end");
  const auto first = static_cast<unsigned char>(payload_[at_++]);
  head.major = first >> 5;
  head.low = first & 31;
  if (head.low < 24) {
    head.argument = head.low;
    return true;
  }
  if (head.low == 31 && head.major >= 2 && head.major <= 5) return head.indefinite = true;
  if (head.low > 27) return Fail("cbor_bad_head");
  const std::size_t bytes = std::size_t{1} << (head.low - 24);
  if (payload_.size() - at_ < bytes) return Fail("cbor_unexpected_end");
  for (std::size_t i = 0; i < bytes; ++i) {
    head.argument = head.argument << 8 | static_cast<unsigned char>(payload_[at_++]);
  }
  return true;
}

bool CborReader::IsBreak() {
  if (at_ >= payload_.size() || static_cast<unsigned char>(payload_[at_]) != 0xff) return false;
  ++at_;
  return true;
}

bool CborReader::Read(Value& value, int depth) {
  if (depth >= kDepthMax) return Fail("cbor_too_deep");
  Head head;
  if (!TakeHead(head)) return false;
  switch (head.major) {
    case 0:
      value = head.argument <= INT64_MAX ? Value::Int(static_cast<std::int64_t>(head.argument))
                                         : Value::Uint(head.argument);
      return true;
    case 1:
      value = head.argument <= INT64_MAX ? Value::Int(-1 - static_cast<std::int64_t>(head.argument))
                                         : Value::Double(-1 - static_cast<double>(head.argument));
      return true;
    case 2:
    case 3:
      return ReadText(head, value);
    case 4:
      return ReadList(head, value, depth);
    case 5:
      return ReadMap(head, value, depth);
    case 6:
      return ReadTagged(head, value, depth);
    default:
      return ReadSimple(head, value);
  }
}

bool CborReader::ReadText(const Head& head, Value& value) {
  std::string_view text;
  if (!head.indefinite) {
    if (head.argument > payload_.size() - at_) return Fail("cbor_unexpected_end");
    text = payload_.substr(at_, head.argument);
    at_ += head.argument;
  } else {
    // Twice: for the size, and for the bytes.
    const std::uint64_t begin = at_;
    std::size_t size = 0;
    char* joined = nullptr;
    for (int round = 0; round < 2; ++round) {
      at_ = begin;
      std::size_t used = 0;
      while (!IsBreak()) {
        Head chunk;
        if (!TakeHead(chunk)) return false;
        if (chunk.major != head.major || chunk.indefinite) return Fail("cbor_bad_chunk");
        if (chunk.argument > payload_.size() - at_) return Fail("cbor_unexpected_end");
        if (round == 1 && chunk.argument > 0) {
          std::memcpy(joined + used, payload_.data() + at_, chunk.argument);
        }
        used += chunk.argument;
        at_ += chunk.argument;
      }
      size = used;
      if (round == 0) joined = arena_->AllocateArray<char>(size);
      if (joined == nullptr) return Fail("out_of_memory");
    }
    text = {joined, size};
  }
  if (head.major == 3 && !IsUtf8(text)) return Fail("cbor_not_utf8");
  value = head.major == 3 ? Value::String(text) : Value::Bytes(text);
  return true;
}

bool CborReader::ReadList(const Head& head, Value& value, int depth) {
  if (!head.indefinite && head.argument > payload_.size() - at_) return Fail("cbor_unexpected_end");
  const std::size_t from = open_.size();
  for (std::uint64_t i = 0; head.indefinite ? !IsBreak() : i < head.argument; ++i) {
    Value item;
    if (!Read(item, depth + 1)) return false;
    open_.push_back(item);
  }
  const std::size_t count = open_.size() - from;
  auto* items = arena_->AllocateArray<Value>(count);
  if (items == nullptr) return Fail("out_of_memory");
  std::copy_n(open_.begin() + static_cast<std::ptrdiff_t>(from), count, items);
  open_.resize(from);
  value = Value::List({items, count});
  return true;
}

bool CborReader::ReadMap(const Head& head, Value& value, int depth) {
  if (!head.indefinite && head.argument > (payload_.size() - at_) / 2) {
    return Fail("cbor_unexpected_end");
  }
  const std::size_t from = open_.size();
  for (std::uint64_t i = 0; head.indefinite ? !IsBreak() : i < head.argument; ++i) {
    Value key;
    Value member;
    if (!Read(key, depth + 1) || !Read(member, depth + 1)) return false;
    if (key.type() != Type::kString && key.type() != Type::kInt && key.type() != Type::kUint &&
        key.type() != Type::kBool) {
      return Fail("cbor_bad_key");
    }
    open_.push_back(key);
    open_.push_back(member);
  }
  if (!CheckKeys(from)) return Fail("cbor_duplicate_key");
  const std::size_t count = (open_.size() - from) / 2;
  auto* entries = arena_->AllocateArray<MapEntry>(count);
  if (entries == nullptr) return Fail("out_of_memory");
  for (std::size_t i = 0; i < count; ++i) {
    entries[i] = {open_[from + 2 * i], open_[from + 2 * i + 1]};
  }
  open_.resize(from);
  value = Value::Map({entries, count});
  return true;
}

// Whether the keys of the map whose members begin at `from` differ.
bool CborReader::CheckKeys(std::size_t from) {
  using Key = std::tuple<int, std::uint64_t, std::string_view>;
  std::vector<Key> keys;
  for (std::size_t i = from; i < open_.size(); i += 2) {
    const Value& key = open_[i];
    if (key.type() == Type::kString) {
      keys.emplace_back(0, 0, key.AsString());
    } else {
      const int kind = key.type() == Type::kBool ? 1 : key.type() == Type::kInt ? 2 : 3;
      keys.emplace_back(kind, key.AsUint(), std::string_view());
    }
  }
  std::sort(keys.begin(), keys.end());
  return std::adjacent_find(keys.begin(), keys.end()) == keys.end();
}

bool CborReader::ReadTagged(const Head& head, Value& value, int depth) {
  Value inner;
  if (!Read(inner, depth + 1)) return false;
  value = inner;
  if (head.argument == 0) {
    const std::optional<Time> time =
        inner.type() == Type::kString ? ParseTimestamp(inner.AsString()) : std::nullopt;
    if (!time.has_value()) return Fail("cbor_bad_time");
    const std::int64_t microseconds = Microseconds(*time);
    const std::int64_t seconds = microseconds / 1'000'000 - (microseconds % 1'000'000 < 0 ? 1 : 0);
    value = Value::Timestamp(
        seconds, static_cast<std::int32_t>((microseconds - seconds * 1'000'000) * 1'000));
  } else if (head.argument == 1) {
    if (!inner.IsNumber() || !ToTimestamp(inner.ToDouble(), value)) return Fail("cbor_bad_time");
  }
  return true;
}

bool CborReader::ReadSimple(const Head& head, Value& value) {
  switch (head.low) {
    case 20:
    case 21:
      value = Value::Bool(head.low == 21);
      return true;
    case 22:
    case 23:
      value = Value::Null();
      return true;
    case 25:
      value = Value::Double(FromHalf(head.argument));
      return true;
    case 26:
      value = Value::Double(std::bit_cast<float>(static_cast<std::uint32_t>(head.argument)));
      return true;
    case 27:
      value = Value::Double(std::bit_cast<double>(head.argument));
      return true;
    default:
      return Fail("cbor_unknown_simple_value");
  }
}

}  // namespace runnel

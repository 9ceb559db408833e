// Value: one value of the expression language (CEL) and of a record's field.
//
// Sixteen bytes, trivially copyable, owns nothing: text, lists and maps are
// borrowed from the record's payload, from the turn's Arena or from the plan.
// An error is a value too (CEL lets `&&` and `||` absorb one); its reason is a
// literal, so that making one allocates nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "pipelines/base/arena.h"
#include "pipelines/base/check.h"

namespace runnel {

enum class Type : std::uint8_t {
  kMissing,  // no such field; never the value of an expression
  kNull,
  kBool,
  kInt,
  kUint,
  kDouble,
  kString,
  kBytes,
  kList,
  kMap,
  kTimestamp,  // seconds since 1970 and nanoseconds
  kDuration,   // seconds and nanoseconds, both of one sign
  kType,       // the type of a value, as a value
  kError,
};

// `int`, `google.protobuf.Timestamp`, …: the name that CEL gives a type.
std::string_view TypeName(Type type);

struct MapEntry;

class Value final {
 public:
  constexpr Value() = default;  // missing

  static constexpr Value Null() { return Value(Type::kNull, 0); }
  static constexpr Value Bool(bool value) { return Value(Type::kBool, value ? 1 : 0); }
  static constexpr Value Int(std::int64_t value) { return Value(Type::kInt, value); }
  static constexpr Value Uint(std::uint64_t value) {
    return Value(Type::kUint, static_cast<std::int64_t>(value));
  }
  static constexpr Value Double(double value) {
    Value result(Type::kDouble, 0);
    result.double_ = value;
    return result;
  }
  // At most 4 GiB - 1, as are lists and maps.
  static constexpr Value String(std::string_view text) { return Value(Type::kString, text); }
  static constexpr Value Bytes(std::string_view bytes) { return Value(Type::kBytes, bytes); }
  static Value List(std::span<const Value> items) {
    Value result(Type::kList, 0);
    result.list_ = items.data();
    result.size_ = static_cast<std::uint32_t>(items.size());
    return result;
  }
  // Entries in the order of the source; keys are unique.
  static Value Map(std::span<const MapEntry> entries) {
    Value result(Type::kMap, 0);
    result.map_ = entries.data();
    result.size_ = static_cast<std::uint32_t>(entries.size());
    return result;
  }
  static constexpr Value Timestamp(std::int64_t seconds, std::int32_t nanoseconds) {
    return WithNanoseconds(Type::kTimestamp, seconds, nanoseconds);
  }
  static constexpr Value Duration(std::int64_t seconds, std::int32_t nanoseconds) {
    return WithNanoseconds(Type::kDuration, seconds, nanoseconds);
  }
  static constexpr Value OfType(Type type) {
    return Value(Type::kType, static_cast<std::int64_t>(type));
  }
  // `reason` is a literal such as "no_such_field"; it becomes a label of a counter.
  static constexpr Value Error(const char* reason) {
    Value result(Type::kError, 0);
    result.text_ = reason;
    return result;
  }

  constexpr Type type() const { return type_; }
  constexpr bool IsMissing() const { return type_ == Type::kMissing; }
  constexpr bool IsNull() const { return type_ == Type::kNull; }
  constexpr bool IsError() const { return type_ == Type::kError; }
  constexpr bool IsNumber() const {
    return type_ == Type::kInt || type_ == Type::kUint || type_ == Type::kDouble;
  }

  // REQUIRES, each: the value has that type.
  constexpr bool AsBool() const { return int_ != 0; }
  constexpr std::int64_t AsInt() const { return int_; }
  constexpr std::uint64_t AsUint() const { return static_cast<std::uint64_t>(int_); }
  constexpr double AsDouble() const { return double_; }
  constexpr std::string_view AsString() const { return {text_, size_}; }
  constexpr std::string_view AsBytes() const { return {text_, size_}; }
  std::span<const Value> AsList() const { return {list_, size_}; }
  std::span<const MapEntry> AsMap() const;
  constexpr std::int64_t Seconds() const { return int_; }
  constexpr std::int32_t Nanoseconds() const { return static_cast<std::int32_t>(size_); }
  constexpr Type AsType() const { return static_cast<Type>(int_); }
  constexpr const char* Reason() const { return text_; }

  // REQUIRES: IsNumber().
  constexpr double ToDouble() const {
    if (type_ == Type::kDouble) return double_;
    if (type_ == Type::kInt) return static_cast<double>(int_);
    return static_cast<double>(AsUint());
  }

 private:
  constexpr Value(Type type, std::int64_t payload) : type_(type), int_(payload) {}
  constexpr Value(Type type, std::string_view text)
      : type_(type), size_(static_cast<std::uint32_t>(text.size())), text_(text.data()) {}
  static constexpr Value WithNanoseconds(Type type, std::int64_t seconds,
                                         std::int32_t nanoseconds) {
    Value result(type, seconds);
    result.size_ = static_cast<std::uint32_t>(nanoseconds);
    return result;
  }

  Type type_ = Type::kMissing;
  std::uint32_t size_ = 0;  // of text, list, map; the nanoseconds of a time
  union {
    std::int64_t int_ = 0;
    double double_;
    const char* text_;
    const Value* list_;
    const MapEntry* map_;
  };
};
static_assert(sizeof(Value) == 16);

struct MapEntry {
  Value key;
  Value value;
};

inline std::span<const MapEntry> Value::AsMap() const { return {map_, size_}; }

// CEL equality: numbers by their mathematical value across types, lists and maps
// element by element, other types only with their own; NaN equals nothing.
bool Equal(const Value& a, const Value& b);

// CEL order of numbers (across types), booleans, text, bytes, times, durations:
// negative, zero, positive. Nothing for values without an order (NaN, other types).
enum class Order : std::int8_t { kLess = -1, kEqual = 0, kGreater = 1, kNone = 2 };
Order Compare(const Value& a, const Value& b);

// The value of `key` in `map`, or missing. REQUIRES: map.type() == kMap.
Value Lookup(const Value& map, const Value& key);

// The value with all its text, lists and maps in `arena`; the error `out_of_memory` where
// there is no room.
Value CopyTo(Arena& arena, const Value& value);

}  // namespace runnel

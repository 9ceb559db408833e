#include "pipelines/expr/operations.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace runnel::expr {
namespace {

constexpr const char* kOverflow = "overflow";
constexpr Int128 kNanosecondsPerSecond = 1'000'000'000;
constexpr std::int64_t kFirstSecond = -62'135'596'800;  // 0001-01-01T00:00:00Z
constexpr std::int64_t kLastSecond = 253'402'300'799;   // 9999-12-31T23:59:59Z
// 64 bits of nanoseconds, as the other implementations of CEL have it: 292 years.
constexpr Int128 kDurationMax = INT64_MAX;

template <typename Integer>
bool Overflows(Op op, Integer a, Integer b, Integer& result) {
  switch (op) {
    case Op::kAdd:
      return __builtin_add_overflow(a, b, &result);
    case Op::kSubtract:
      return __builtin_sub_overflow(a, b, &result);
    default:
      return __builtin_mul_overflow(a, b, &result);
  }
}

const char* DivisionByZero(Op op) {
  return op == Op::kDivide ? "divide_by_zero" : "modulus_by_zero";
}

Value IntArithmetic(Op op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (op != Op::kDivide && op != Op::kModulo) {
    return Overflows(op, a, b, result) ? Value::Error(kOverflow) : Value::Int(result);
  }
  if (b == 0) return Value::Error(DivisionByZero(op));
  if (a == INT64_MIN && b == -1) {
    return op == Op::kDivide ? Value::Error(kOverflow) : Value::Int(0);
  }
  return Value::Int(op == Op::kDivide ? a / b : a % b);
}

Value UintArithmetic(Op op, std::uint64_t a, std::uint64_t b) {
  std::uint64_t result = 0;
  if (op != Op::kDivide && op != Op::kModulo) {
    return Overflows(op, a, b, result) ? Value::Error(kOverflow) : Value::Uint(result);
  }
  if (b == 0) return Value::Error(DivisionByZero(op));
  return Value::Uint(op == Op::kDivide ? a / b : a % b);
}

Value Concatenate(const Value& a, const Value& b, Arena& arena) {
  const std::string_view left = a.AsString();
  const std::string_view right = b.AsString();
  char* text = arena.AllocateArray<char>(left.size() + right.size());
  if (text == nullptr) return Value::Error(kOutOfMemory);
  std::copy(right.begin(), right.end(), std::copy(left.begin(), left.end(), text));
  const std::string_view whole(text, left.size() + right.size());
  return a.type() == Type::kString ? Value::String(whole) : Value::Bytes(whole);
}

Value ConcatenateLists(const Value& a, const Value& b, Arena& arena) {
  const std::size_t size = a.AsList().size() + b.AsList().size();
  Value* items = arena.AllocateArray<Value>(size);
  if (items == nullptr) return Value::Error(kOutOfMemory);
  Value* end = std::copy(a.AsList().begin(), a.AsList().end(), items);
  std::copy(b.AsList().begin(), b.AsList().end(), end);
  return Value::List({items, size});
}

bool IsTime(const Value& value) {
  return value.type() == Type::kTimestamp || value.type() == Type::kDuration;
}

Value TimeArithmetic(Op op, const Value& a, const Value& b) {
  const bool add = op == Op::kAdd;
  if (!add && op != Op::kSubtract) return Value::Error(kNoOverload);
  const bool point_left = a.type() == Type::kTimestamp;
  const bool point_right = b.type() == Type::kTimestamp;
  if (point_right && (add ? point_left : !point_left)) return Value::Error(kNoOverload);
  const Int128 right = NanosecondsOf(b);
  const Int128 result = NanosecondsOf(a) + (add ? right : -right);
  return point_left != point_right ? CheckedTimestamp(result) : CheckedDuration(result);
}

bool IsEquality(std::uint8_t relation) {
  return relation == kIsEqual || relation == kNotEqualRelation;
}

}  // namespace

Value CompareSlowly(std::uint8_t relation, const Value& a, const Value& b) {
  if (IsEquality(relation)) return Value::Bool(Equal(a, b) == (relation == kIsEqual));
  const Order order = Compare(a, b);
  if (order == Order::kNone) {
    const bool numbers = a.IsNumber() && b.IsNumber();
    return numbers ? Value::Bool(false) : Value::Error(kNoOverload);
  }
  const int bit = order == Order::kLess ? kIsLess : order == Order::kEqual ? kIsEqual : kIsGreater;
  return Value::Bool((bit & relation) != 0);
}

Value ArithmeticSlowly(Op op, const Value& a, const Value& b, Arena& arena) {
  if (a.IsNumber() && b.IsNumber()) {
    if (a.type() == Type::kInt && b.type() == Type::kInt) {
      return IntArithmetic(op, a.AsInt(), b.AsInt());
    }
    if (a.type() == Type::kUint && b.type() == Type::kUint) {
      return UintArithmetic(op, a.AsUint(), b.AsUint());
    }
    if (op == Op::kModulo) return Value::Error(kNoOverload);
    // Where CEL has no overload: the documented promotion to double.
    return DoubleArithmetic(op, a.ToDouble(), b.ToDouble());
  }
  if (IsTime(a) && IsTime(b)) return TimeArithmetic(op, a, b);
  if (op != Op::kAdd || a.type() != b.type()) return Value::Error(kNoOverload);
  if (a.type() == Type::kString || a.type() == Type::kBytes) return Concatenate(a, b, arena);
  if (a.type() == Type::kList) return ConcatenateLists(a, b, arena);
  return Value::Error(kNoOverload);
}

Value Negate(const Value& value) {
  if (value.type() == Type::kDouble) return Value::Double(-value.AsDouble());
  if (value.type() == Type::kDuration) return CheckedDuration(-NanosecondsOf(value));
  if (value.type() != Type::kInt) return Value::Error(kNoOverload);
  if (value.AsInt() == INT64_MIN) return Value::Error(kOverflow);
  return Value::Int(-value.AsInt());
}

Value Not(const Value& value) {
  return value.type() == Type::kBool ? Value::Bool(!value.AsBool()) : Value::Error(kNoOverload);
}

Value Select(const Value& from, const Value& name) {
  if (from.type() != Type::kMap) return Value::Error(kNoOverload);
  const Value found = Lookup(from, name);
  return found.IsMissing() ? Value::Error("no_such_key") : found;
}

Value Has(const Value& from, const Value& name) {
  if (from.type() != Type::kMap) return Value::Error(kNoOverload);
  return Value::Bool(!Lookup(from, name).IsMissing());
}

Value Index(const Value& from, const Value& index) {
  if (from.type() == Type::kMap) return Select(from, index);
  if (from.type() != Type::kList || !index.IsNumber()) return Value::Error(kNoOverload);
  const double at = index.ToDouble();
  if (at != std::floor(at)) return Value::Error("invalid_index");
  if (at < 0 || at >= static_cast<double>(from.AsList().size())) {
    return Value::Error("index_out_of_range");
  }
  return from.AsList()[static_cast<std::size_t>(at)];
}

Value In(const Value& item, const Value& container) {
  if (container.type() == Type::kMap) return Value::Bool(!Lookup(container, item).IsMissing());
  if (container.type() != Type::kList) return Value::Error(kNoOverload);
  const auto items = container.AsList();
  return Value::Bool(std::any_of(items.begin(), items.end(),
                                 [&item](const Value& each) { return Equal(each, item); }));
}

Value AddEntry(MapEntry* entries, std::size_t count, const Value& key, const Value& value) {
  const bool sound = key.type() == Type::kString || key.type() == Type::kBool ||
                     key.type() == Type::kInt || key.type() == Type::kUint;
  if (!sound) return Value::Error("unsupported_key_type");
  if (!Lookup(Value::Map({entries, count}), key).IsMissing()) {
    return Value::Error("duplicate_key");
  }
  entries[count] = {key, value};
  return Value::Null();
}

Int128 NanosecondsOf(const Value& time) {
  return time.Seconds() * kNanosecondsPerSecond + time.Nanoseconds();
}

Value CheckedTimestamp(Int128 nanoseconds) {
  // A timestamp's nanoseconds count forwards: round the seconds down.
  Int128 seconds = nanoseconds / kNanosecondsPerSecond;
  Int128 rest = nanoseconds % kNanosecondsPerSecond;
  if (rest < 0) {
    rest += kNanosecondsPerSecond;
    --seconds;
  }
  if (seconds < kFirstSecond || seconds > kLastSecond) return Value::Error("range_error");
  return Value::Timestamp(static_cast<std::int64_t>(seconds), static_cast<std::int32_t>(rest));
}

Value CheckedDuration(Int128 nanoseconds) {
  if (nanoseconds > kDurationMax || nanoseconds < -kDurationMax - 1) {
    return Value::Error("range_error");
  }
  const Int128 seconds = nanoseconds / kNanosecondsPerSecond;
  return Value::Duration(static_cast<std::int64_t>(seconds),
                         static_cast<std::int32_t>(nanoseconds % kNanosecondsPerSecond));
}

}  // namespace runnel::expr

#include "pipelines/value/value.h"

#include <cmath>
#include <cstdint>

namespace runnel {
namespace {

Order ToOrder(int sign) { return static_cast<Order>((sign > 0) - (sign < 0)); }

template <typename T>
Order CompareSame(const T& a, const T& b) {
  return a < b ? Order::kLess : b < a ? Order::kGreater : Order::kEqual;
}

Order Reverse(Order order) {
  if (order == Order::kLess) return Order::kGreater;
  if (order == Order::kGreater) return Order::kLess;
  return order;
}

// Exact, without rounding the integer to a double. But 2^63, which is what a double
// has for the largest integer, equals that one, as CEL's conformance tests want.
Order CompareIntDouble(std::int64_t a, double b) {
  if (std::isnan(b)) return Order::kNone;
  if (b == 9223372036854775808.0) return CompareSame(a, INT64_MAX);
  if (b > 9223372036854775808.0) return Order::kLess;
  if (b < -9223372036854775808.0) return Order::kGreater;
  const auto whole = static_cast<std::int64_t>(b);
  if (a != whole) return CompareSame(a, whole);
  return CompareSame(0.0, b - static_cast<double>(whole));
}

Order CompareUintDouble(std::uint64_t a, double b) {
  if (std::isnan(b)) return Order::kNone;
  if (b < 0) return Order::kGreater;
  if (b == 18446744073709551616.0) return CompareSame(a, UINT64_MAX);
  if (b > 18446744073709551616.0) return Order::kLess;
  const auto whole = static_cast<std::uint64_t>(b);
  if (a != whole) return CompareSame(a, whole);
  return CompareSame(0.0, b - static_cast<double>(whole));
}

Order CompareIntUint(std::int64_t a, std::uint64_t b) {
  if (a < 0) return Order::kLess;
  return CompareSame(static_cast<std::uint64_t>(a), b);
}

Order CompareNumbers(const Value& a, const Value& b) {
  if (a.type() == b.type()) {
    if (a.type() == Type::kInt) return CompareSame(a.AsInt(), b.AsInt());
    if (a.type() == Type::kUint) return CompareSame(a.AsUint(), b.AsUint());
    if (std::isnan(a.AsDouble()) || std::isnan(b.AsDouble())) return Order::kNone;
    return CompareSame(a.AsDouble(), b.AsDouble());
  }
  if (a.type() == Type::kInt) {
    return b.type() == Type::kUint ? CompareIntUint(a.AsInt(), b.AsUint())
                                   : CompareIntDouble(a.AsInt(), b.AsDouble());
  }
  if (a.type() == Type::kUint && b.type() == Type::kDouble) {
    return CompareUintDouble(a.AsUint(), b.AsDouble());
  }
  return Reverse(CompareNumbers(b, a));
}

bool EqualLists(std::span<const Value> a, std::span<const Value> b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!Equal(a[i], b[i])) return false;
  }
  return true;
}

bool EqualMaps(const Value& a, const Value& b) {
  if (a.AsMap().size() != b.AsMap().size()) return false;
  for (const MapEntry& entry : a.AsMap()) {
    const Value other = Lookup(b, entry.key);
    if (other.IsMissing() || !Equal(entry.value, other)) return false;
  }
  return true;
}

}  // namespace

std::string_view TypeName(Type type) {
  switch (type) {
    case Type::kMissing:
      return "missing";
    case Type::kNull:
      return "null_type";
    case Type::kBool:
      return "bool";
    case Type::kInt:
      return "int";
    case Type::kUint:
      return "uint";
    case Type::kDouble:
      return "double";
    case Type::kString:
      return "string";
    case Type::kBytes:
      return "bytes";
    case Type::kList:
      return "list";
    case Type::kMap:
      return "map";
    case Type::kTimestamp:
      return "google.protobuf.Timestamp";
    case Type::kDuration:
      return "google.protobuf.Duration";
    case Type::kType:
      return "type";
    case Type::kError:
      return "error";
  }
  return "unknown";
}

bool Equal(const Value& a, const Value& b) {
  if (a.IsNumber() && b.IsNumber()) return CompareNumbers(a, b) == Order::kEqual;
  if (a.type() != b.type()) return false;
  switch (a.type()) {
    case Type::kNull:
      return true;
    case Type::kBool:
      return a.AsBool() == b.AsBool();
    case Type::kString:
    case Type::kBytes:
      return a.AsString() == b.AsString();
    case Type::kList:
      return EqualLists(a.AsList(), b.AsList());
    case Type::kMap:
      return EqualMaps(a, b);
    case Type::kTimestamp:
    case Type::kDuration:
      return a.Seconds() == b.Seconds() && a.Nanoseconds() == b.Nanoseconds();
    case Type::kType:
      return a.AsType() == b.AsType();
    default:
      return false;
  }
}

Order Compare(const Value& a, const Value& b) {
  if (a.IsNumber() && b.IsNumber()) return CompareNumbers(a, b);
  if (a.type() != b.type()) return Order::kNone;
  switch (a.type()) {
    case Type::kBool:
      return CompareSame(a.AsBool(), b.AsBool());
    case Type::kString:
    case Type::kBytes:
      return ToOrder(a.AsString().compare(b.AsString()));
    case Type::kTimestamp:
    case Type::kDuration:
      if (a.Seconds() != b.Seconds()) return CompareSame(a.Seconds(), b.Seconds());
      return CompareSame(a.Nanoseconds(), b.Nanoseconds());
    default:
      return Order::kNone;
  }
}

Value Lookup(const Value& map, const Value& key) {
  for (const MapEntry& entry : map.AsMap()) {
    if (Equal(entry.key, key)) return entry.value;
  }
  return Value();
}

Value CopyTo(Arena& arena, const Value& value) {
  static constexpr Value kNoRoom = Value::Error("out_of_memory");
  switch (value.type()) {
    case Type::kString:
    case Type::kBytes: {
      const std::string_view copy = arena.Copy(value.AsString());
      if (copy.data() == nullptr) return kNoRoom;
      return value.type() == Type::kString ? Value::String(copy) : Value::Bytes(copy);
    }
    case Type::kList: {
      const std::span<const Value> items = value.AsList();
      auto* copies = arena.AllocateArray<Value>(items.size());
      if (copies == nullptr) return kNoRoom;
      for (std::size_t i = 0; i < items.size(); ++i) {
        copies[i] = CopyTo(arena, items[i]);
        if (copies[i].IsError()) return copies[i];
      }
      return Value::List({copies, items.size()});
    }
    case Type::kMap: {
      const std::span<const MapEntry> entries = value.AsMap();
      auto* copies = arena.AllocateArray<MapEntry>(entries.size());
      if (copies == nullptr) return kNoRoom;
      for (std::size_t i = 0; i < entries.size(); ++i) {
        copies[i] = {CopyTo(arena, entries[i].key), CopyTo(arena, entries[i].value)};
        if (copies[i].key.IsError() || copies[i].value.IsError()) return kNoRoom;
      }
      return Value::Map({copies, entries.size()});
    }
    default:
      return value;
  }
}

}  // namespace runnel

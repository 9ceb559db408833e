#include "pipelines/aggregates/scalar_state.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "pipelines/base/hash.h"

namespace runnel {
namespace {

int Rank(const Value& value) {
  if (value.type() == Type::kBool) return 0;
  return value.IsNumber() ? 1 : 2;
}

bool IsNan(const Value& value) {
  return value.type() == Type::kDouble && std::isnan(value.AsDouble());
}

}  // namespace

const char* ScalarState::Refuses(const Value& value) {
  if (value.IsNumber() || value.type() == Type::kBool) return nullptr;
  if (value.type() != Type::kString) return "not_a_scalar";
  return value.AsString().size() <= kTextMax ? nullptr : "text_too_long";
}

void ScalarState::Set(const Value& value, StateRegion& region) {
  Free(region);
  type = value.type();
  switch (type) {
    case Type::kDouble:
      bits = std::bit_cast<std::int64_t>(value.AsDouble());
      return;
    case Type::kString: {
      const std::string_view bytes = value.AsString();
      if (bytes.empty()) return;
      text = region.Allocate(bytes.size());
      if (text == StateRegion::kNone) return;
      std::memcpy(region.Get<char>(text), bytes.data(), bytes.size());
      bits = static_cast<std::int64_t>(bytes.size());
      return;
    }
    default:
      bits = value.AsInt();
  }
}

Value ScalarState::Get(const StateRegion& region) const {
  switch (type) {
    case Type::kBool:
      return Value::Bool(bits != 0);
    case Type::kInt:
      return Value::Int(bits);
    case Type::kUint:
      return Value::Uint(static_cast<std::uint64_t>(bits));
    case Type::kDouble:
      return Value::Double(std::bit_cast<double>(bits));
    case Type::kString:
      if (text == StateRegion::kNone) return Value::String({});
      return Value::String({region.Get<char>(text), static_cast<std::size_t>(bits)});
    default:
      return Value::Null();
  }
}

void ScalarState::Release(StateRegion& region) const {
  if (text != StateRegion::kNone) region.Free(text, static_cast<std::size_t>(bits));
}

void ScalarState::Free(StateRegion& region) {
  Release(region);
  *this = ScalarState{};
}

void ScalarState::Save(const StateRegion& region, ByteWriter& writer) const {
  writer.U8(static_cast<std::uint8_t>(type));
  if (type == Type::kString) {
    writer.String(Get(region).AsString());
  } else {
    writer.U64(static_cast<std::uint64_t>(bits));
  }
}

void ScalarState::Load(StateRegion& region, ByteReader& reader) {
  const auto saved = static_cast<Type>(reader.U8());
  if (saved == Type::kString) {
    Set(Value::String(reader.String()), region);
  } else {
    bits = static_cast<std::int64_t>(reader.U64());
    type = saved <= Type::kDouble ? saved : Type::kMissing;
  }
}

std::uint64_t HashScalar(const Value& value) {
  if (value.type() == Type::kString) return Hash(value.AsString(), 1);
  if (value.type() == Type::kBool) return Hash(value.AsBool() ? "t" : "f", 2);
  std::int64_t bits = 0;
  std::uint64_t seed = 3;
  if (value.type() == Type::kDouble) {
    const double number = value.AsDouble();
    if (number == std::floor(number) && std::fabs(number) < 9.0e18) {
      bits = static_cast<std::int64_t>(number);
    } else {
      bits = std::isnan(number) ? 0 : std::bit_cast<std::int64_t>(number);
      seed = 4;
    }
  } else {
    bits = value.AsInt();
    if (value.type() == Type::kUint && value.AsUint() > INT64_MAX) seed = 5;
  }
  return Hash({reinterpret_cast<const char*>(&bits), sizeof bits}, seed);
}

bool ScalarLess(const Value& a, const Value& b) {
  if (Rank(a) != Rank(b)) return Rank(a) < Rank(b);
  if (IsNan(a) || IsNan(b)) return IsNan(a) && !IsNan(b);
  return Compare(a, b) == Order::kLess;
}

}  // namespace runnel

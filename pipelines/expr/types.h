// Types: a set of types, such as those that an argument or an expression may have.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "pipelines/value/value.h"

namespace runnel::expr {

class Types final {
 public:
  constexpr Types() = default;
  constexpr Types(std::initializer_list<Type> types) {
    for (const Type type : types) Add(type);
  }
  constexpr bool Has(Type type) const { return (bits_ >> static_cast<unsigned>(type) & 1u) != 0; }
  constexpr void Add(Type type) { bits_ |= 1u << static_cast<unsigned>(type); }
  constexpr bool Meets(Types other) const { return (bits_ & other.bits_) != 0; }
  constexpr std::uint32_t bits() const { return bits_; }

  friend constexpr Types operator|(Types a, Types b) {
    a.bits_ |= b.bits_;
    return a;
  }
  friend constexpr Types operator&(Types a, Types b) {
    a.bits_ &= b.bits_;
    return a;
  }
  friend constexpr bool operator==(Types a, Types b) = default;

 private:
  std::uint32_t bits_ = 0;
};

inline constexpr Types kAnyType = {Type::kNull,   Type::kBool,      Type::kInt,      Type::kUint,
                                   Type::kDouble, Type::kString,    Type::kBytes,    Type::kList,
                                   Type::kMap,    Type::kTimestamp, Type::kDuration, Type::kType};
inline constexpr Types kNumberType = {Type::kInt, Type::kUint, Type::kDouble};
inline constexpr Types kIntType = {Type::kInt};
inline constexpr Types kTextType = {Type::kString};
inline constexpr Types kListType = {Type::kList};

// For messages: `int`, `int, uint or double`, `anything`.
std::string Spelled(Types types);

}  // namespace runnel::expr

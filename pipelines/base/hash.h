// Hash: a fixed, seedless 64-bit hash.
//
// Its values are stored in journals and decide which task owns a key, so they
// are part of the format: the same on every machine and in every version.
#pragma once

#include <cstdint>
#include <string_view>

namespace runnel {

// Source of the construction: multiply-and-fold of 64-bit words, as in wyhash
// (Wang Yi, 2019). Not for input that an attacker picks to make collisions:
// bounded tables make those slow, not unbounded.
std::uint64_t Hash(std::string_view bytes, std::uint64_t seed = 0);

// The two halves of a * b.
struct Product {
  std::uint64_t low;
  std::uint64_t high;
};
inline Product Multiply(std::uint64_t a, std::uint64_t b) {
#ifdef __SIZEOF_INT128__
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return {static_cast<std::uint64_t>(product), static_cast<std::uint64_t>(product >> 64)};
#else
  const std::uint64_t a0 = a & 0xffffffff, a1 = a >> 32;
  const std::uint64_t b0 = b & 0xffffffff, b1 = b >> 32;
  const std::uint64_t low = a0 * b0, middle1 = a1 * b0, middle2 = a0 * b1, high = a1 * b1;
  const std::uint64_t carry = (low >> 32) + (middle1 & 0xffffffff) + (middle2 & 0xffffffff);
  return {a * b, high + (middle1 >> 32) + (middle2 >> 32) + (carry >> 32)};
#endif
}

// Two words into one: what Hash is made of.
inline std::uint64_t Mix(std::uint64_t a, std::uint64_t b) {
  const Product product = Multiply(a, b);
  return product.low ^ product.high;
}

// number % places, without the division where it can be: that takes as long as a short hash.
inline std::uint64_t Remainder(std::uint64_t number, std::uint64_t places) {
  return (places & (places - 1)) == 0 ? number & (places - 1) : number % places;
}

}  // namespace runnel

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

// number % places, without the division where it can be: that takes as long as a short hash.
inline std::uint64_t Remainder(std::uint64_t number, std::uint64_t places) {
  return (places & (places - 1)) == 0 ? number & (places - 1) : number % places;
}

}  // namespace runnel

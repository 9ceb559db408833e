// SameBytes: whether two short texts are equal, without a call.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace runnel {

// As a == b. Up to 16 bytes are compared as two words that may overlap.
inline bool SameBytes(std::string_view a, std::string_view b) {
  const std::size_t size = a.size();
  if (size != b.size()) return false;
  if (size > 16) return std::memcmp(a.data(), b.data(), size) == 0;
  const auto differ = [&](auto word) {
    const auto difference = [&](std::size_t at) {
      auto left = word;
      auto right = word;
      std::memcpy(&left, a.data() + at, sizeof left);
      std::memcpy(&right, b.data() + at, sizeof right);
      return left ^ right;
    };
    return (difference(0) | difference(size - sizeof word)) != 0;
  };
  if (size >= 8) return !differ(std::uint64_t{});
  if (size >= 4) return !differ(std::uint32_t{});
  for (std::size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

}  // namespace runnel

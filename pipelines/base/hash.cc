#include "pipelines/base/hash.h"

#include "pipelines/base/scan.h"

namespace runnel {
namespace {

// Odd, half of the bits set, found by Wang Yi's search (wyhash final 4).
constexpr std::uint64_t kSecret[4] = {0x2d358dccaa6c78a5, 0x8bb84b93962eacc9, 0x4b33a62ed433d4a3,
                                      0x4d5a2da51de1aa47};

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

inline std::uint64_t Mix(std::uint64_t a, std::uint64_t b) {
  const Product product = Multiply(a, b);
  return product.low ^ product.high;
}

inline std::uint64_t Word4(const char* at) { return scan::Load4(at); }

inline std::uint64_t Byte(const char* at) { return static_cast<unsigned char>(*at); }

}  // namespace

std::uint64_t Hash(std::string_view bytes, std::uint64_t seed) {
  const char* at = bytes.data();
  const std::size_t size = bytes.size();
  seed ^= Mix(seed ^ kSecret[0], kSecret[1]);
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  if (size <= 16) [[likely]] {
    if (size >= 4) [[likely]] {
      const std::size_t inner = (size >> 3) << 2;
      a = Word4(at) << 32 | Word4(at + inner);
      b = Word4(at + size - 4) << 32 | Word4(at + size - 4 - inner);
    } else if (size > 0) {
      a = Byte(at) << 16 | Byte(at + (size >> 1)) << 8 | Byte(at + size - 1);
    }
  } else {
    std::size_t rest = size;
    if (rest >= 48) {
      std::uint64_t seed1 = seed;
      std::uint64_t seed2 = seed;
      for (; rest >= 48; at += 48, rest -= 48) {
        seed = Mix(scan::Load8(at) ^ kSecret[1], scan::Load8(at + 8) ^ seed);
        seed1 = Mix(scan::Load8(at + 16) ^ kSecret[2], scan::Load8(at + 24) ^ seed1);
        seed2 = Mix(scan::Load8(at + 32) ^ kSecret[3], scan::Load8(at + 40) ^ seed2);
      }
      seed ^= seed1 ^ seed2;
    }
    for (; rest > 16; at += 16, rest -= 16) {
      seed = Mix(scan::Load8(at) ^ kSecret[1], scan::Load8(at + 8) ^ seed);
    }
    a = scan::Load8(at + rest - 16);
    b = scan::Load8(at + rest - 8);
  }
  const Product product = Multiply(a ^ kSecret[1], b ^ seed);
  return Mix(product.low ^ kSecret[0] ^ size, product.high ^ kSecret[1]);
}

}  // namespace runnel

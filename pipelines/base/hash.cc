#include "pipelines/base/hash.h"

#include "pipelines/base/scan.h"

namespace runnel {
namespace {

// Odd, half of the bits set, found by Wang Yi's search (wyhash final 4).
constexpr std::uint64_t kSecret[4] = {0x2d358dccaa6c78a5, 0x8bb84b93962eacc9, 0x4b33a62ed433d4a3,
                                      0x4d5a2da51de1aa47};

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

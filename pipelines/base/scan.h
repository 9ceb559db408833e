// Scanning text several bytes at a time.
//
// Each function looks at a fixed number of bytes from where it starts, whether
// they belong to the text or not: the caller has that many readable bytes
// (Decoder::kPadding behind a payload) and drops what lies behind its end.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(RUNNEL_SCAN_PORTABLE)  // the test of what there is for other machines
#elif defined(__SSE2__)
#define RUNNEL_SCAN_SSE2
#include <emmintrin.h>
#elif defined(__aarch64__)
#define RUNNEL_SCAN_NEON
#include <arm_neon.h>
#endif

namespace runnel::scan {

static_assert(std::endian::native == std::endian::little);

inline std::uint64_t Load8(const char* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}
inline std::uint32_t Load4(const char* at) {
  std::uint32_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kTops = 0x8080808080808080;

// The top bit of each byte of `word` that is not plain text: a quote, a backslash, a
// control character, or not ASCII. Exact up to and including the first such byte.
// (The test for a zero byte is Mycroft's, 1987.)
inline std::uint64_t SpecialBytes(std::uint64_t word) {
  const std::uint64_t quote = word ^ (kOnes * '"');
  const std::uint64_t backslash = word ^ (kOnes * '\\');
  const std::uint64_t zero = ((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash) |
                             ((word - kOnes * 0x20) & ~word);
  return (zero | word) & kTops;
}

// 16 bytes. Of a comparison each byte has its top bit set, or has not, and only that counts.
#if defined(RUNNEL_SCAN_SSE2)

using Bytes16 = __m128i;

inline Bytes16 Load16(const char* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}
inline Bytes16 Fill16(char byte) { return _mm_set1_epi8(byte); }
inline Bytes16 Equal(Bytes16 a, Bytes16 b) { return _mm_cmpeq_epi8(a, b); }
inline Bytes16 Or(Bytes16 a, Bytes16 b) { return _mm_or_si128(a, b); }
// Control characters, and what is not ASCII: as signed numbers those are below them.
inline Bytes16 NotPrintable(Bytes16 bytes) { return _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)); }
// A bit for each byte, the first byte lowest.
inline std::uint32_t Mask(Bytes16 found) { return static_cast<unsigned>(_mm_movemask_epi8(found)); }
inline std::uint64_t Mask64(Bytes16 a, Bytes16 b, Bytes16 c, Bytes16 d) {
  return std::uint64_t{Mask(a)} | std::uint64_t{Mask(b)} << 16 | std::uint64_t{Mask(c)} << 32 |
         std::uint64_t{Mask(d)} << 48;
}
// The first byte that is found, or 16.
inline int First(Bytes16 found) { return std::countr_zero(Mask(found) | 0x10000U); }

// How many bytes were found, of at most kMost times Equal().
class Tally final {
 public:
  static constexpr std::size_t kMost = 255;  // a byte takes no more
  void Add(Bytes16 equal) { counts_ = _mm_sub_epi8(counts_, equal); }
  std::uint64_t Sum() const {
    const __m128i halves = _mm_sad_epu8(counts_, _mm_setzero_si128());
    return static_cast<std::uint64_t>(_mm_cvtsi128_si64(halves)) +
           static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_srli_si128(halves, 8)));
  }

 private:
  Bytes16 counts_ = _mm_setzero_si128();
};

#elif defined(RUNNEL_SCAN_NEON)

using Bytes16 = uint8x16_t;

inline Bytes16 Load16(const char* at) {
  return vld1q_u8(reinterpret_cast<const std::uint8_t*>(at));
}
inline Bytes16 Fill16(char byte) { return vdupq_n_u8(static_cast<std::uint8_t>(byte)); }
inline Bytes16 Equal(Bytes16 a, Bytes16 b) { return vceqq_u8(a, b); }
inline Bytes16 Or(Bytes16 a, Bytes16 b) { return vorrq_u8(a, b); }
inline Bytes16 NotPrintable(Bytes16 bytes) {
  return vcltq_s8(vreinterpretq_s8_u8(bytes), vdupq_n_s8(0x20));
}
// The top bit of each byte as the bit of its place among eight.
inline Bytes16 Weighed(Bytes16 found) {
  constexpr std::uint8_t kWeights[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const Bytes16 lanes =
      vreinterpretq_u8_s8(vshrq_n_s8(vreinterpretq_s8_u8(found), 7));  // all bits or none
  return vandq_u8(lanes, vld1q_u8(kWeights));
}
inline std::uint64_t Mask64(Bytes16 a, Bytes16 b, Bytes16 c, Bytes16 d) {
  const Bytes16 pairs =
      vpaddq_u8(vpaddq_u8(Weighed(a), Weighed(b)), vpaddq_u8(Weighed(c), Weighed(d)));
  return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(pairs, pairs)), 0);
}
inline std::uint32_t Mask(Bytes16 found) {
  const Bytes16 weighed = Weighed(found);
  return vaddv_u8(vget_low_u8(weighed)) | std::uint32_t{vaddv_u8(vget_high_u8(weighed))} << 8;
}
inline int First(Bytes16 found) {
  // Four bits of each byte, in a word.
  const uint8x16_t lanes = vreinterpretq_u8_s8(vshrq_n_s8(vreinterpretq_s8_u8(found), 7));
  const uint8x8_t nibbles = vshrn_n_u16(vreinterpretq_u16_u8(lanes), 4);
  return std::countr_zero(vget_lane_u64(vreinterpret_u64_u8(nibbles), 0)) / 4;
}

// How many bytes were found, of at most kMost times Equal().
class Tally final {
 public:
  static constexpr std::size_t kMost = 255;  // a byte takes no more
  void Add(Bytes16 equal) { counts_ = vsubq_u8(counts_, equal); }
  std::uint64_t Sum() const { return vaddlvq_u8(counts_); }

 private:
  Bytes16 counts_ = vdupq_n_u8(0);
};

#else

struct Bytes16 {
  std::uint64_t low;
  std::uint64_t high;
};

// The top bit of each byte that is zero, exact for every byte.
inline std::uint64_t ZeroBytes(std::uint64_t word) {
  return ~(((word & ~kTops) + ~kTops) | word | ~kTops);
}
inline Bytes16 Load16(const char* at) { return {Load8(at), Load8(at + 8)}; }
inline Bytes16 Fill16(char byte) {
  const std::uint64_t all = kOnes * static_cast<unsigned char>(byte);
  return {all, all};
}
inline Bytes16 Equal(Bytes16 a, Bytes16 b) {
  return {ZeroBytes(a.low ^ b.low), ZeroBytes(a.high ^ b.high)};
}
inline Bytes16 Or(Bytes16 a, Bytes16 b) { return {a.low | b.low, a.high | b.high}; }
inline Bytes16 NotPrintable(Bytes16 bytes) {
  constexpr std::uint64_t kUpper = kOnes * 0xe0;
  return {ZeroBytes(bytes.low & kUpper) | bytes.low, ZeroBytes(bytes.high & kUpper) | bytes.high};
}
inline std::uint32_t Mask(Bytes16 found) {
  // The top bits side by side.
  constexpr std::uint64_t kGather = 0x0102040810204080;
  const std::uint64_t low = ((found.low & kTops) >> 7) * kGather >> 56;
  const std::uint64_t high = ((found.high & kTops) >> 7) * kGather >> 56;
  return static_cast<std::uint32_t>(low | high << 8);
}
inline std::uint64_t Mask64(Bytes16 a, Bytes16 b, Bytes16 c, Bytes16 d) {
  return std::uint64_t{Mask(a)} | std::uint64_t{Mask(b)} << 16 | std::uint64_t{Mask(c)} << 32 |
         std::uint64_t{Mask(d)} << 48;
}
inline int First(Bytes16 found) {
  const std::uint64_t low = found.low & kTops;
  const std::uint64_t high = found.high & kTops;
  return low != 0 ? std::countr_zero(low) / 8 : 8 + std::countr_zero(high) / 8;
}

// How many bytes were found, of at most kMost times Equal().
class Tally final {
 public:
  static constexpr std::size_t kMost = 255;  // a byte takes no more
  void Add(Bytes16 equal) {
    counts_.low += equal.low >> 7;
    counts_.high += equal.high >> 7;
  }
  std::uint64_t Sum() const { return SumOf(counts_.low) + SumOf(counts_.high); }

 private:
  static std::uint64_t SumOf(std::uint64_t bytes) {
    constexpr std::uint64_t kEven = 0x00ff00ff00ff00ff;
    const std::uint64_t pairs = (bytes & kEven) + (bytes >> 8 & kEven);
    return pairs * 0x0001000100010001 >> 48;
  }

  Bytes16 counts_{0, 0};
};

#endif

// How many of the 16 bytes at `at` are plain text (no quote, no backslash, no control character,
// ASCII) before the first that is not.
inline int PlainPrefix(const char* at) {
  const Bytes16 bytes = Load16(at);
  return First(Or(Or(Equal(bytes, Fill16('"')), Equal(bytes, Fill16('\\'))), NotPrintable(bytes)));
}

// Which of the 16 bytes at `a` and at `b` are the same, a bit each, the first byte lowest.
inline std::uint32_t Same16(const char* a, const char* b) {
  return Mask(Equal(Load16(a), Load16(b)));
}

// Which of the 16 bytes at `at` are `wanted`, a bit each, the first byte lowest.
inline std::uint32_t Find16(const char* at, char wanted) {
  return Mask(Equal(Load16(at), Fill16(wanted)));
}

// Which of the 64 bytes at `at` are one of three, or also not ASCII, a bit each, the first
// byte lowest.
enum class NotAscii : bool { kPassed, kFound };
template <NotAscii kNotAscii = NotAscii::kPassed>
inline std::uint64_t Find64(const char* at, char a, char b, char c) {
  const Bytes16 first = Fill16(a);
  const Bytes16 second = Fill16(b);
  const Bytes16 third = Fill16(c);
  const auto found = [&](int i) {
    const Bytes16 bytes = Load16(at + 16 * i);
    const Bytes16 equal = Or(Or(Equal(bytes, first), Equal(bytes, second)), Equal(bytes, third));
    return kNotAscii == NotAscii::kFound ? Or(equal, bytes) : equal;
  };
  return Mask64(found(0), found(1), found(2), found(3));
}

// Whether all 64 bytes at `at` are ASCII.
inline bool IsAscii64(const char* at) {
  const Bytes16 all = Or(Or(Load16(at), Load16(at + 16)), Or(Load16(at + 32), Load16(at + 48)));
  return Mask(all) == 0;
}

// How many of `size` bytes are `a`, and how many are `b`.
struct TwoCounts {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};
inline TwoCounts Count(const char* at, std::size_t size, char a, char b) {
  TwoCounts counts;
  std::size_t done = 0;
  const Bytes16 one = Fill16(a);
  const Bytes16 other = Fill16(b);
  while (size - done >= 16) {
    Tally ones;
    Tally others;
    const std::size_t stop = done + 16 * std::min<std::size_t>(Tally::kMost, (size - done) / 16);
    for (; done < stop; done += 16) {
      const Bytes16 bytes = Load16(at + done);
      ones.Add(Equal(bytes, one));
      others.Add(Equal(bytes, other));
    }
    counts.first += ones.Sum();
    counts.second += others.Sum();
  }
  for (; done < size; ++done) {
    counts.first += at[done] == a ? 1U : 0U;
    counts.second += at[done] == b ? 1U : 0U;
  }
  return counts;
}

// The top bit of each byte of `digits` (text ^ "00000000") that is not a digit. Exact
// up to the first that is not ASCII.
inline std::uint64_t NotDigits(std::uint64_t digits) {
  // A byte above 9 sets its top bit; only a byte above 0x89 carries.
  return ((digits + kOnes * 0x76) | digits) & kTops;
}

// How many of the 8 bytes are digits before the first that is not.
inline int DigitPrefix(std::uint64_t digits) { return std::countr_zero(NotDigits(digits)) / 8; }

// The number that 8 digits (values, the first in the lowest byte) make.
// Source: Lemire, "Quickly parsing eight digits", 2018.
inline std::uint64_t EightDigits(std::uint64_t digits) {
  constexpr std::uint64_t kMask = 0x000000ff000000ff;
  constexpr std::uint64_t kEven = 0x000f424000000064;  // 1'000'000 and 100
  constexpr std::uint64_t kOdd = 0x0000271000000001;   // 10'000 and 1
  const std::uint64_t pairs = digits * 10 + (digits >> 8);
  return ((pairs & kMask) * kEven + ((pairs >> 16) & kMask) * kOdd) >> 32;
}

}  // namespace runnel::scan

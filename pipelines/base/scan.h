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

#if defined(__SSE2__)
#include <emmintrin.h>
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

// Which of the 8 bytes of `word` are zero, a bit each, the lowest byte lowest.
inline std::uint32_t ZeroBytes(std::uint64_t word) {
  // The top bit of each, exact for every byte; then the bits side by side.
  const std::uint64_t found = ~(((word & ~kTops) + ~kTops) | word | ~kTops);
  return static_cast<std::uint32_t>((found >> 7) * 0x0102040810204080 >> 56);
}

// How many of the 16 bytes at `at` are plain text before the first that is not.
inline int PlainPrefix(const char* at) {
#if defined(__SSE2__)
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
  const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
  // As signed numbers, bytes that are not ASCII are below the control characters.
  const __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
  const int mask = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), low));
  return std::countr_zero(static_cast<unsigned>(mask) | 0x10000U);
#else
  const std::uint64_t first = SpecialBytes(Load8(at));
  if (first != 0) return std::countr_zero(first) / 8;
  const std::uint64_t second = SpecialBytes(Load8(at + 8));
  return second == 0 ? 16 : 8 + std::countr_zero(second) / 8;
#endif
}

// Which of the 16 bytes at `a` and at `b` are the same, a bit each, the first byte lowest.
inline std::uint32_t Same16(const char* a, const char* b) {
#if defined(__SSE2__)
  const __m128i left = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a));
  const __m128i right = _mm_loadu_si128(reinterpret_cast<const __m128i*>(b));
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(left, right)));
#else
  return ZeroBytes(Load8(a) ^ Load8(b)) | ZeroBytes(Load8(a + 8) ^ Load8(b + 8)) << 8;
#endif
}

// Which of the 16 bytes at `at` are `wanted`, a bit each, the first byte lowest.
inline std::uint32_t Find16(const char* at, char wanted) {
#if defined(__SSE2__)
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(wanted))));
#else
  const std::uint64_t all = kOnes * static_cast<unsigned char>(wanted);
  return ZeroBytes(Load8(at) ^ all) | ZeroBytes(Load8(at + 8) ^ all) << 8;
#endif
}

// Which of the 64 bytes at `at` are one of three, or also not ASCII, a bit each, the first
// byte lowest.
enum class NotAscii : bool { kPassed, kFound };
template <NotAscii kNotAscii = NotAscii::kPassed>
inline std::uint64_t Find64(const char* at, char a, char b, char c) {
#if defined(__SSE2__)
  const __m128i first = _mm_set1_epi8(a);
  const __m128i second = _mm_set1_epi8(b);
  const __m128i third = _mm_set1_epi8(c);
  std::uint64_t found = 0;
  for (int i = 0; i < 4; ++i) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 16 * i));
    __m128i equal =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, first), _mm_cmpeq_epi8(bytes, second)),
                     _mm_cmpeq_epi8(bytes, third));
    // What counts is the top bit.
    if constexpr (kNotAscii == NotAscii::kFound) equal = _mm_or_si128(equal, bytes);
    found |= static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(equal))) << 16 * i;
  }
  return found;
#else
  std::uint64_t found = 0;
  for (int i = 0; i < 64; ++i) {
    const bool equal = at[i] == a || at[i] == b || at[i] == c ||
                       (kNotAscii == NotAscii::kFound && static_cast<signed char>(at[i]) < 0);
    found |= static_cast<std::uint64_t>(equal) << i;
  }
  return found;
#endif
}

// Whether all 64 bytes at `at` are ASCII.
inline bool IsAscii64(const char* at) {
#if defined(__SSE2__)
  const auto* from = reinterpret_cast<const __m128i*>(at);
  const __m128i low = _mm_or_si128(_mm_loadu_si128(from), _mm_loadu_si128(from + 1));
  const __m128i high = _mm_or_si128(_mm_loadu_si128(from + 2), _mm_loadu_si128(from + 3));
  return _mm_movemask_epi8(_mm_or_si128(low, high)) == 0;
#else
  std::uint64_t all = 0;
  for (int i = 0; i < 8; ++i) all |= Load8(at + 8 * i);
  return (all & kTops) == 0;
#endif
}

// How many of `size` bytes are `a`, and how many are `b`.
struct TwoCounts {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};
inline TwoCounts Count(const char* at, std::size_t size, char a, char b) {
  TwoCounts counts;
  std::size_t done = 0;
#if defined(__SSE2__)
  const __m128i zero = _mm_setzero_si128();
  const __m128i one = _mm_set1_epi8(a);
  const __m128i other = _mm_set1_epi8(b);
  const auto sum = [&](__m128i bytes) {
    const __m128i halves = _mm_sad_epu8(bytes, zero);
    return static_cast<std::uint64_t>(_mm_cvtsi128_si64(halves)) +
           static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_srli_si128(halves, 8)));
  };
  while (size - done >= 16) {
    __m128i ones = zero;
    __m128i others = zero;
    // A byte of the sums takes no more.
    const std::size_t stop = done + 16 * std::min<std::size_t>(255, (size - done) / 16);
    for (; done < stop; done += 16) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + done));
      ones = _mm_sub_epi8(ones, _mm_cmpeq_epi8(bytes, one));
      others = _mm_sub_epi8(others, _mm_cmpeq_epi8(bytes, other));
    }
    counts.first += sum(ones);
    counts.second += sum(others);
  }
#endif
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

#include "pipelines/base/scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

// Built twice: with what this machine has, and with RUNNEL_SCAN_PORTABLE, as on a machine for
// which there is nothing of its own.
namespace runnel {
namespace {

constexpr std::size_t kMost = 64;

// Text of bytes that matter more often than by chance, of every value all the same.
std::string SomeText(std::mt19937_64& random, std::size_t size) {
  static constexpr char kOften[] = {',', '\n', '"', '\\', '/', 'a', '\x1f', ' ', '\x7f', '\x80'};
  std::string text(size, '\0');
  for (char& c : text) {
    c = random() % 4 == 0 ? static_cast<char>(random() % 256) : kOften[random() % sizeof kOften];
  }
  return text;
}

class ScanTest : public testing::Test {
 protected:
  // Calls `check` with many texts of kMost bytes or more, at every alignment.
  template <typename Check>
  void ForManyTexts(Check check) {
    constexpr std::uint64_t kSeed = 20261127;
    SCOPED_TRACE("seed " + std::to_string(kSeed));
    std::mt19937_64 random(kSeed);
    for (int i = 0; i < 2'000 && !HasFailure(); ++i) {
      const std::string text = SomeText(random, kMost + 16);
      check(text.data() + i % 16);
    }
    // Each byte alone among others.
    for (int byte = 0; byte < 256 && !HasFailure(); ++byte) {
      for (std::size_t at = 0; at < kMost; ++at) {
        std::string text(kMost, 'x');
        text[at] = static_cast<char>(byte);
        check(text.data());
      }
    }
  }
};

bool IsAscii(char c) { return static_cast<unsigned char>(c) < 0x80; }

TEST_F(ScanTest, FindsWhatThereIsAmongSixteen) {
  ForManyTexts([](const char* text) {
    std::uint32_t commas = 0;
    std::uint32_t same = 0;
    int plain = 16;
    for (int i = 15; i >= 0; --i) {
      const char c = text[i];
      commas |= (c == ',' ? 1U : 0U) << i;
      same |= (c == text[i + 16] ? 1U : 0U) << i;
      const bool is_plain =
          static_cast<unsigned char>(c) >= 0x20 && IsAscii(c) && c != '"' && c != '\\';
      if (!is_plain) plain = i;
    }
    EXPECT_EQ(scan::Find16(text, ','), commas);
    EXPECT_EQ(scan::Same16(text, text + 16), same);
    EXPECT_EQ(scan::PlainPrefix(text), plain);
  });
}

TEST_F(ScanTest, FindsWhatThereIsAmongSixtyFour) {
  ForManyTexts([](const char* text) {
    std::uint64_t of_three = 0;
    std::uint64_t not_ascii = 0;
    for (std::size_t i = 0; i < kMost; ++i) {
      const bool found = text[i] == ',' || text[i] == '\n' || text[i] == '"';
      of_three |= std::uint64_t{found} << i;
      not_ascii |= std::uint64_t{!IsAscii(text[i])} << i;
    }
    EXPECT_EQ(scan::Find64(text, ',', '\n', '"'), of_three);
    EXPECT_EQ(scan::Find64<scan::NotAscii::kFound>(text, ',', '\n', '"'), of_three | not_ascii);
    EXPECT_EQ(scan::IsAscii64(text), not_ascii == 0);
  });
}

TEST_F(ScanTest, CountsInTextsOfEverySize) {
  constexpr std::uint64_t kSeed = 5;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937_64 random(kSeed);
  const auto check = [](const std::string& text) {
    const scan::TwoCounts counts = scan::Count(text.data(), text.size(), '\n', '\x80');
    EXPECT_EQ(counts.first, static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n')));
    EXPECT_EQ(counts.second,
              static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\x80')));
  };
  for (std::size_t size = 0; size < 200; ++size) check(SomeText(random, size));
  // More of them than a byte can count.
  check(std::string(16 * 600 + 3, '\n'));
  check(std::string(16 * 255, '\x80'));
}

TEST_F(ScanTest, ReadsEightDigits) {
  const auto digits = [](const char* text) { return scan::Load8(text) ^ (scan::kOnes * '0'); };
  EXPECT_EQ(scan::EightDigits(digits("12345678")), 12'345'678u);
  EXPECT_EQ(scan::EightDigits(digits("00000009")), 9u);
  EXPECT_EQ(scan::DigitPrefix(digits("12345678")), 8);
  EXPECT_EQ(scan::DigitPrefix(digits("123.5678")), 3);
  EXPECT_EQ(scan::DigitPrefix(digits(":2345678")), 0);
  EXPECT_EQ(scan::DigitPrefix(digits("1/345678")), 1);
}

}  // namespace
}  // namespace runnel

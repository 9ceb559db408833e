#include "pipelines/base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace runnel {
namespace {

// `code_point` in UTF-8.
std::string Utf8(char32_t code_point) {
  const auto tail = [&](int shift) {
    return static_cast<char>(0x80 | (code_point >> shift & 0x3f));
  };
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  if (code_point < 0x800) return {static_cast<char>(0xc0 | code_point >> 6), tail(0)};
  if (code_point < 0x10000) return {static_cast<char>(0xe0 | code_point >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | code_point >> 18), tail(12), tail(6), tail(0)};
}

// MQTT 5, 1.5.4, for every character that there is.
TEST(UnfitForTopic, IsWhatMqttDoesNotWant) {
  for (char32_t code_point = 0; code_point <= 0x10ffff; ++code_point) {
    if (code_point >= 0xd800 && code_point < 0xe000) continue;  // surrogates are no UTF-8
    const bool control = code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
    const bool none =
        (code_point >= 0xfdd0 && code_point < 0xfdf0) || (code_point & 0xfffe) == 0xfffe;
    const std::string text = Utf8(code_point) + "a";
    ASSERT_EQ(UnfitForTopic(text), control || none ? text.size() - 1 : 0)
        << std::hex << std::uint32_t{code_point};
  }
}

TEST(UnfitForTopic, IsEachByteThatIsNoUtf8) {
  for (const char* text : {"\x80", "\xc3", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xc0\xaf"}) {
    EXPECT_EQ(UnfitForTopic(text), 1u);
    EXPECT_TRUE(IsUnfitTopic(std::string("a/") + text));
  }
  EXPECT_FALSE(IsUnfitTopic(""));
  EXPECT_FALSE(IsUnfitTopic("hall/Gerät/温度/😀"));
  EXPECT_TRUE(IsUnfitTopic("hall/Gerät/\t"));
}

}  // namespace
}  // namespace runnel

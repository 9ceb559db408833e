// UTF-8 (RFC 3629), checked strictly: no overlong forms, no surrogates, nothing
// above U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace runnel {

// Bytes of the well-formed sequence at `at`; 0 when it is not one. `valid` is then
// the number of its bytes that were right, up to `end`: at + valid == end means that
// the text broke off. REQUIRES: at < end.
struct Utf8Sequence {
  std::size_t size;
  std::size_t valid;
};
Utf8Sequence CheckUtf8Sequence(const char* at, const char* end);

bool IsUtf8(std::string_view text);

// Writes `code_point` (no surrogate, at most U+10FFFF) to `to`; the bytes written, 1 to 4.
std::size_t WriteUtf8(std::uint32_t code_point, char* to);

}  // namespace runnel

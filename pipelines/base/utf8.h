// Utf8CharacterSize: tells UTF-8 from other bytes.
#pragma once

#include <cstddef>
#include <string_view>

namespace runnel {

// The bytes of the character at the start of `text`, 0 where it is none: RFC 3629,
// without overlong forms, surrogates and values over U+10FFFF. REQUIRES: not empty.
std::size_t Utf8CharacterSize(std::string_view text);

}  // namespace runnel

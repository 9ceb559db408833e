// Utf8CharacterSize: tells UTF-8 from other bytes. UnfitForTopic: what MQTT does not want of it.
#pragma once

#include <cstddef>
#include <string_view>

namespace runnel {

// The bytes of the character at the start of `text`, 0 where it is none: RFC 3629,
// without overlong forms, surrogates and values over U+10FFFF. REQUIRES: not empty.
std::size_t Utf8CharacterSize(std::string_view text);

// The bytes at the start of `text` that are unfit for a topic: a control character or a
// non-character (MQTT 5, 1.5.4), for which brokers may end the connection, or one byte that is no
// UTF-8. 0 where the first character is fit. REQUIRES: not empty.
std::size_t UnfitForTopic(std::string_view text);
// Whether there is anything unfit in it.
bool IsUnfitTopic(std::string_view topic);

}  // namespace runnel

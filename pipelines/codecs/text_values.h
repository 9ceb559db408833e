// Values that stand in a payload as bare text: numbers and truths.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pipelines/value/value.h"

namespace runnel {

enum class TextType : std::uint8_t { kAuto, kNumber, kText, kBool };

// A number as JSON writes it, also with a `+` in front; missing where `text` is none. An
// int where there is neither fraction nor exponent and it fits, else a double. One too
// large for a double is the error `number_too_large`.
Value ParseNumber(std::string_view text);
// `true` or `false`; missing otherwise.
Value ParseTruth(std::string_view text);
// Of the type that is asked for, or missing. kAuto: a number, a truth, or else text.
Value ParseText(std::string_view text, TextType type);

std::string_view TrimBlanks(std::string_view text);

// A value alone, as text: numbers and truths as JSON has them, lists and maps as JSON;
// text as it is. Null is nothing.
void AppendText(const Value& value, std::string& out);

}  // namespace runnel

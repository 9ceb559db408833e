// JSON (RFC 8259): one object per payload.
//
// Decoding is strict (a value of the object's nesting up to 32, valid UTF-8, no
// trailing text, no duplicate names: the last one wins is not deterministic
// enough to promise, so a duplicate is an error). Numbers without fraction and
// exponent that fit are int, else double. Encoding writes the shortest number
// text that reads back the same; NaN and infinities are null.
#pragma once

#include <memory>
#include <string>

#include "pipelines/codecs/codec.h"

namespace runnel {

enum class Unmentioned { kSkip, kKeep };  // fields that the plan does not mention

std::unique_ptr<Decoder> MakeJsonDecoder(const FieldTable& table, Unmentioned unmentioned);
std::unique_ptr<Encoder> MakeJsonEncoder();

// One value of any type as JSON text: bytes as base64, times as RFC 3339 text.
void AppendJson(const Value& value, std::string& out);
// `text` as a JSON string with its quotes.
void AppendJsonString(std::string_view text, std::string& out);
// The shortest text that reads back as `number`.
void AppendNumber(double number, std::string& out);

}  // namespace runnel

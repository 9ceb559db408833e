// JSON (RFC 8259): one object per payload.
//
// Decoding is strict: nesting up to 32, valid UTF-8, no lone surrogate, no trailing
// text, no two members of one name (the last one wins is not deterministic enough to
// promise). Fields that nobody asked for are skipped: their grammar is checked, but
// neither their names against each other nor the range of their numbers. Numbers
// without fraction and exponent that fit are int, else double, rounded correctly;
// `-0` is the double -0.0. A number too large for double is refused, one too small
// is zero. Encoding writes the shortest number text that reads back the same; NaN
// and infinities are null.
#pragma once

#include <memory>
#include <string>

#include "pipelines/codecs/codec.h"

namespace runnel {

// REQUIRES: `table` is complete. It outlives the decoder.
std::unique_ptr<Decoder> MakeJsonDecoder(const FieldTable& table, Unmentioned unmentioned);
std::unique_ptr<Encoder> MakeJsonEncoder();

// One value of any type as JSON text: bytes as base64, timestamps as RFC 3339 text in
// UTC, durations as `1.5s`, keys of maps as text; errors and missing values are null.
void AppendJson(const Value& value, std::string& out);
// `text` as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
void AppendJsonString(std::string_view text, std::string& out);
// The shortest text that reads back as `number`, with `.0` or an exponent where it
// would otherwise be an int; NaN and infinities are null.
void AppendNumber(double number, std::string& out);

namespace internal {
// The same decoder, predicting nothing; for tests and bench.
std::unique_ptr<Decoder> MakePlainJsonDecoder(const FieldTable& table, Unmentioned unmentioned);
}  // namespace internal

}  // namespace runnel

// Where records of a text end: at newlines, in CSV at those that stand in no quotes.
//
// For whoever hands a large text out in pieces: counts bytes and never looks at a value.
// Quotes are counted, not parsed: a newline is inside where an odd number of them stands in
// front of it. In CSV that breaks the rules that can put an end in the wrong place, which
// the reader of the rows then reports; it never loses a byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace runnel {

struct TextCounts {
  std::uint64_t lines = 0;
  std::uint64_t quotes = 0;
};

// `quote` is 0 where there are none.
TextCounts CountText(std::string_view text, char quote);

// What is behind the last record of `text` that is whole; 0 where there is none. `counts`
// are those of `text`, which begins with a record.
std::size_t LastRecordEnd(std::string_view text, const TextCounts& counts, char quote);
// What is behind the first record of `text`; 0 where it does not end.
std::size_t FirstRecordEnd(std::string_view text, char quote);

}  // namespace runnel

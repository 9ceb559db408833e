// Lines of a payload, for codecs with a record a line.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "pipelines/codecs/codec.h"

namespace runnel {

// The line at `at` without its end (LF or CRLF); moves `at` behind it.
inline std::string_view TakeLine(std::string_view payload, std::uint64_t& at) {
  const std::size_t end = std::min(payload.find('\n', at), payload.size());
  std::string_view line = payload.substr(at, end - at);
  at = end < payload.size() ? end + 1 : end;
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// The next line that is not skipped; false where there is none. Moves the cursor behind it
// and what is skipped, to the end behind the last one.
template <typename IsSkipped>
bool NextLine(std::string_view payload, DecodeCursor& cursor, std::string_view& line,
              IsSkipped&& is_skipped) {
  std::uint64_t at = cursor.at;
  bool found = false;
  while (at < payload.size()) {
    const std::uint64_t begin = at;
    const std::string_view next = TakeLine(payload, at);
    if (is_skipped(next)) continue;
    if (found) {
      cursor.at = begin;
      return true;
    }
    line = next;
    found = true;
  }
  cursor.at = DecodeCursor::kEnd;
  return found;
}

inline bool IsBlank(std::string_view line) {
  return std::all_of(line.begin(), line.end(), [](char c) { return c == ' ' || c == '\t'; });
}

}  // namespace runnel

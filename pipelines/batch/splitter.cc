#include "pipelines/batch/splitter.h"

#include <bit>

#include "pipelines/codecs/scan.h"

namespace runnel {

TextCounts CountText(std::string_view text, char quote) {
  TextCounts counts;
  const char second = quote == 0 ? '\n' : quote;
  for (std::size_t at = 0; at < text.size(); at += 64) {
    const std::size_t rest = text.size() - at;
    const std::uint64_t kept = rest >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << rest) - 1;
    const std::uint64_t lines = scan::Find64(text.data() + at, '\n', '\n', '\n') & kept;
    counts.lines += static_cast<std::uint64_t>(std::popcount(lines));
    if (quote == 0) continue;
    const std::uint64_t quotes = scan::Find64(text.data() + at, second, second, second) & kept;
    counts.quotes += static_cast<std::uint64_t>(std::popcount(quotes));
  }
  return counts;
}

std::size_t LastRecordEnd(std::string_view text, const TextCounts& counts, char quote) {
  bool inside = counts.quotes % 2 == 1;
  for (std::size_t at = text.size(); at-- > 0;) {
    if (text[at] == '\n' && !inside) return at + 1;
    if (quote != 0 && text[at] == quote) inside = !inside;
  }
  return 0;
}

std::size_t FirstRecordEnd(std::string_view text, char quote) {
  bool inside = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\n' && !inside) return at + 1;
    if (quote != 0 && text[at] == quote) inside = !inside;
  }
  return 0;
}

}  // namespace runnel

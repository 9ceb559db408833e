#include "pipelines/batch/splitter.h"

#include "pipelines/base/scan.h"

namespace runnel {

TextCounts CountText(std::string_view text, char quote) {
  TextCounts counts;
  const scan::TwoCounts both = scan::Count(text.data(), text.size(), '\n', quote);
  counts.lines = both.first;
  counts.quotes = quote == 0 ? 0 : both.second;
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

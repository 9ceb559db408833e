// SourceText: the bytes of a configuration file, checked to be text, and the
// place of each byte.
//
// Refuses invalid UTF-8, NUL and other control characters, a carriage return
// without line feed, and files over the limit, each with its place. A byte order
// mark at the start is skipped.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/spec/diagnostics.h"

namespace runnel {

class SourceText final {
 public:
  // Borrows `text`. nullopt after an error, which is in `diagnostics`.
  static std::optional<SourceText> Check(std::string_view text, const std::string& file,
                                         std::size_t bytes_max, Diagnostics& diagnostics);

  // Without the byte order mark.
  std::string_view text() const { return text_; }
  // What begins at `offset`; empty behind the end.
  std::string_view From(std::size_t offset) const {
    return offset < text_.size() ? text_.substr(offset) : std::string_view();
  }
  // The place of the byte at `offset`. Fast for offsets that grow.
  Position At(std::size_t offset) const;
  // The tab that indents the line of `offset`, or the last line with text before it.
  std::optional<std::size_t> IndentingTab(std::size_t offset) const;

 private:
  SourceText(std::string_view text, std::string file);

  std::string_view text_;
  std::string file_;
  std::vector<std::size_t> lines_;  // offset of each line
  // The last answer of At(), from which the next is counted on.
  mutable std::size_t last_offset_ = 0;
  mutable std::size_t last_line_ = 0;
  mutable int last_column_ = 1;
};

}  // namespace runnel

#include "config/source_text.h"

#include <algorithm>

#include "pipelines/base/utf8.h"

namespace runnel {
namespace {

unsigned char ByteAt(std::string_view text, std::size_t offset) {
  return offset < text.size() ? static_cast<unsigned char>(text[offset]) : 0;
}

// Why the byte at `offset` may not be in a text file, or nullptr.
const char* Refusal(std::string_view text, std::size_t offset) {
  const unsigned char byte = ByteAt(text, offset);
  if (byte == 0) return "a NUL byte: this is not a text file";
  if (byte == '\r') {
    return ByteAt(text, offset + 1) == '\n' ? nullptr : "a carriage return without a line feed";
  }
  if ((byte < 0x20 && byte != '\t' && byte != '\n') || byte == 0x7f) return "a control character";
  const unsigned char second = ByteAt(text, offset + 1);
  if (byte == 0xc2 && second >= 0x80 && second < 0xa0) return "a control character";
  return Utf8CharacterSize(text.substr(offset)) == 0 ? "a byte that is not UTF-8" : nullptr;
}

}  // namespace

SourceText::SourceText(std::string_view text, std::string file)
    : text_(text), file_(std::move(file)), lines_{0} {}

std::optional<SourceText> SourceText::Check(std::string_view text, const std::string& file,
                                            std::size_t bytes_max, Diagnostics& diagnostics) {
  if (text.size() > bytes_max) {
    diagnostics.Error({file, 0, 0},
                      "the file is larger than " + std::to_string(bytes_max) + " bytes");
    return std::nullopt;
  }
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  diagnostics.AddSource(file, text);
  SourceText source(text, file);
  std::size_t offset = 0;
  while (offset < text.size()) {
    if (const char* refusal = Refusal(text, offset)) {
      diagnostics.Error(source.At(offset), refusal);
      return std::nullopt;
    }
    if (text[offset] == '\n') source.lines_.push_back(offset + 1);
    offset += Utf8CharacterSize(text.substr(offset));
  }
  return source;
}

Position SourceText::At(std::size_t offset) const {
  offset = std::min(offset, text_.size());
  const bool same_line = offset >= last_offset_ &&
                         (last_line_ + 1 == lines_.size() || offset < lines_[last_line_ + 1]);
  if (!same_line) {
    const auto after = std::upper_bound(lines_.begin(), lines_.end(), offset);
    last_line_ = static_cast<std::size_t>(after - lines_.begin()) - 1;
    last_offset_ = lines_[last_line_];
    last_column_ = 1;
  }
  for (; last_offset_ < offset; ++last_offset_) {
    const bool continues = (static_cast<unsigned char>(text_[last_offset_]) & 0xc0) == 0x80;
    last_column_ += continues ? 0 : 1;
  }
  return {file_, static_cast<int>(last_line_) + 1, last_column_};
}

std::optional<std::size_t> SourceText::IndentingTab(std::size_t offset) const {
  auto line = std::upper_bound(lines_.begin(), lines_.end(), std::min(offset, text_.size()));
  while (line != lines_.begin()) {
    --line;
    const std::size_t start = *line;
    const std::size_t content = std::min(text_.find_first_not_of(" \t\r\n", start), text_.size());
    const std::size_t end = std::min(text_.find('\n', start), text_.size());
    if (content >= end && line != lines_.begin()) continue;  // a blank line
    const std::size_t tab = text_.find('\t', start);
    if (tab < content) return tab;
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace runnel

#include "pipelines/base/utf8.h"

namespace runnel {
namespace {

unsigned char ByteAt(std::string_view text, std::size_t offset) {
  return offset < text.size() ? static_cast<unsigned char>(text[offset]) : 0;
}

}  // namespace

std::size_t Utf8CharacterSize(std::string_view text) {
  const unsigned char lead = ByteAt(text, 0);
  if (lead < 0x80) return 1;
  std::size_t size = 0;
  unsigned char second_least = 0x80;
  unsigned char second_most = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) {
    size = 2;
  } else if ((lead & 0xf0) == 0xe0) {
    size = 3;
    if (lead == 0xe0) second_least = 0xa0;
    if (lead == 0xed) second_most = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    size = 4;
    if (lead == 0xf0) second_least = 0x90;
    if (lead == 0xf4) second_most = 0x8f;
  } else {
    return 0;
  }
  const unsigned char second = ByteAt(text, 1);
  if (second < second_least || second > second_most) return 0;
  for (std::size_t i = 2; i < size; ++i) {
    if ((ByteAt(text, i) & 0xc0) != 0x80) return 0;
  }
  return size;
}

std::size_t UnfitForTopic(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  if (byte(0) < 0x80) return byte(0) < 0x20 || byte(0) == 0x7f ? 1 : 0;
  const std::size_t size = Utf8CharacterSize(text);
  if (size == 0) return 1;
  // U+0080 to U+009F; U+FDD0 to U+FDEF; the last two of each 65,536.
  const bool control = byte(0) == 0xc2 && byte(1) < 0xa0;
  const bool of_arabic = byte(0) == 0xef && byte(1) == 0xb7 && byte(2) >= 0x90 && byte(2) < 0xb0;
  const bool last_two = size >= 3 && byte(size - 1) >= 0xbe && byte(size - 2) == 0xbf &&
                        (size == 3 ? byte(0) == 0xef : (byte(1) & 0x0f) == 0x0f);
  return control || of_arabic || last_two ? size : 0;
}

bool IsUnfitTopic(std::string_view topic) {
  while (!topic.empty()) {
    if (UnfitForTopic(topic) != 0) return true;
    topic.remove_prefix(static_cast<unsigned char>(topic[0]) < 0x80 ? 1 : Utf8CharacterSize(topic));
  }
  return false;
}

}  // namespace runnel

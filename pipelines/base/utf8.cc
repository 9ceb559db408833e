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

}  // namespace runnel

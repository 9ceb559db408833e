#include "pipelines/codecs/utf8.h"

#include "pipelines/base/scan.h"

namespace runnel {
namespace {

struct Lead {
  std::size_t size;          // of the sequence; 0: not a lead byte
  unsigned char second_min;  // the range of the second byte (RFC 3629, section 4)
  unsigned char second_max;
};

Lead LeadOf(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xc2) return {0, 0, 0};
  if (byte < 0xe0) return {2, 0x80, 0xbf};
  if (byte == 0xe0) return {3, 0xa0, 0xbf};
  if (byte == 0xed) return {3, 0x80, 0x9f};
  if (byte < 0xf0) return {3, 0x80, 0xbf};
  if (byte == 0xf0) return {4, 0x90, 0xbf};
  if (byte < 0xf4) return {4, 0x80, 0xbf};
  if (byte == 0xf4) return {4, 0x80, 0x8f};
  return {0, 0, 0};
}

}  // namespace

Utf8Sequence CheckUtf8Sequence(const char* at, const char* end) {
  const Lead lead = LeadOf(static_cast<unsigned char>(*at));
  if (lead.size == 0) return {0, 0};
  unsigned char low = lead.second_min;
  unsigned char high = lead.second_max;
  for (std::size_t i = 1; i < lead.size; ++i) {
    if (at + i == end) return {0, i};
    const auto byte = static_cast<unsigned char>(at[i]);
    if (byte < low || byte > high) return {0, i};
    low = 0x80;
    high = 0xbf;
  }
  return {lead.size, lead.size};
}

bool IsUtf8(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    if (end - at >= 8 && (scan::Load8(at) & scan::kTops) == 0) {
      at += 8;
      continue;
    }
    const std::size_t size = CheckUtf8Sequence(at, end).size;
    if (size == 0) return false;
    at += size;
  }
  return true;
}

std::size_t WriteUtf8(std::uint32_t code_point, char* to) {
  const auto tail = [&](unsigned shift) {
    return static_cast<char>(0x80 | ((code_point >> shift) & 0x3f));
  };
  if (code_point < 0x80) {
    to[0] = static_cast<char>(code_point);
    return 1;
  }
  if (code_point < 0x800) {
    to[0] = static_cast<char>(0xc0 | (code_point >> 6));
    to[1] = tail(0);
    return 2;
  }
  if (code_point < 0x10000) {
    to[0] = static_cast<char>(0xe0 | (code_point >> 12));
    to[1] = tail(6);
    to[2] = tail(0);
    return 3;
  }
  to[0] = static_cast<char>(0xf0 | (code_point >> 18));
  to[1] = tail(12);
  to[2] = tail(6);
  to[3] = tail(0);
  return 4;
}

}  // namespace runnel

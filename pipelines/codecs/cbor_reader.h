// CborReader: the values of a CBOR payload (RFC 8949), strictly.
//
// Text is checked and borrowed from the payload, or from the arena where it came in
// chunks; lists and maps are in the arena. No claim of a length is believed that is longer
// than what is left of the payload.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "pipelines/base/arena.h"
#include "pipelines/value/value.h"

namespace runnel {

class CborReader final {
 public:
  static constexpr int kDepthMax = 32;

  CborReader(std::string_view payload, std::uint64_t at, Arena& arena)
      : payload_(payload), at_(at), arena_(&arena) {}

  // The next value; false with a literal reason().
  bool Read(Value& value, int depth);
  std::uint64_t at() const { return at_; }
  const char* reason() const { return reason_; }

 private:
  struct Head {
    unsigned major = 0;
    unsigned low = 0;
    std::uint64_t argument = 0;
    bool indefinite = false;
  };

  bool Fail(const char* reason) {
    reason_ = reason;
    return false;
  }
  bool TakeHead(Head& head);
  bool IsBreak();
  bool ReadText(const Head& head, Value& value);
  bool ReadList(const Head& head, Value& value, int depth);
  bool ReadMap(const Head& head, Value& value, int depth);
  bool ReadTagged(const Head& head, Value& value, int depth);
  bool ReadSimple(const Head& head, Value& value);
  bool CheckKeys(std::size_t from);

  std::string_view payload_;
  std::uint64_t at_;
  Arena* arena_;
  const char* reason_ = nullptr;
  std::vector<Value> open_;  // items of lists and maps that are being read
};

}  // namespace runnel

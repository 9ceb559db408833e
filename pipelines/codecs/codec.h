// Decoder, Encoder: payload bytes to a record and back.
//
// A codec is one file with one line in codecs.def. Decoders read untrusted
// bytes: any input gives a record or a literal reason, in bounded time and depth.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "pipelines/base/arena.h"
#include "pipelines/value/record.h"

namespace runnel {

// What a stage does with one record, or with one attempt at it.
class [[nodiscard]] Outcome final {
 public:
  static Outcome Done() { return Outcome(nullptr); }
  // `reason` is a literal, such as "json_bad_number"; it is counted and dead-lettered.
  static Outcome Failed(const char* reason) { return Outcome(reason); }
  bool ok() const { return reason_ == nullptr; }
  const char* reason() const { return reason_; }

 private:
  explicit Outcome(const char* reason) : reason_(reason) {}
  const char* reason_;
};

enum class Unmentioned { kSkip, kKeep };  // fields that the plan does not mention

class Decoder {
 public:
  virtual ~Decoder() = default;
  // Fills `record` (cleared by the caller) from `payload`, which has at least
  // kPadding readable bytes behind it and outlives the record's turn. Fields that
  // the record's table does not know are kept only if `keep_all` was chosen when the
  // decoder was made. Not const: a decoder may learn the shape of what it sees, but
  // what it has learnt never changes a result.
  virtual Outcome Decode(std::string_view payload, Arena& arena, Record& record) = 0;

  static constexpr std::size_t kPadding = 64;
};

class Encoder {
 public:
  virtual ~Encoder() = default;
  // Appends the record to `out`. Deterministic: equal records give equal bytes.
  virtual Outcome Encode(const Record& record, std::string& out) = 0;
};

}  // namespace runnel

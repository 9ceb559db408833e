// Decoder, Encoder: payload bytes to a record and back.
//
// A codec is one file with one line in codecs.def. Decoders read untrusted
// bytes: any input gives a record or a literal reason, in bounded time and depth.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
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

// Where in a payload with several records a decoder is. Plain bytes: it is kept in the
// state of a task between two records.
struct DecodeCursor {
  static constexpr std::uint64_t kEnd = UINT64_MAX;
  std::uint64_t at = 0;           // kEnd: there is nothing more
  std::uint64_t carried[7] = {};  // the decoder's own, such as where a base name stands
  bool AtEnd() const { return at == kEnd; }
};

class Decoder {
 public:
  virtual ~Decoder() = default;
  // Fills `record` (cleared by the caller) with the record at `cursor` and moves it on, to
  // kEnd behind the last one. `payload` has at least kPadding readable bytes behind it and
  // outlives the record's turn; it is the same for every record of it. After a failure
  // the cursor is behind what was wrong, or at the end. Fields that the record's table
  // does not know are kept only if Unmentioned::kKeep was chosen when the decoder was
  // made. Not const: a decoder may learn the shape of what it sees, but what it has
  // learnt never changes a result.
  virtual Outcome Next(std::string_view payload, DecodeCursor& cursor, Arena& arena,
                       Record& record) = 0;

  // The one record of a payload.
  Outcome Decode(std::string_view payload, Arena& arena, Record& record) {
    DecodeCursor cursor;
    const Outcome outcome = Next(payload, cursor, arena, record);
    return outcome.ok() && !cursor.AtEnd() ? Outcome::Failed("several_records") : outcome;
  }

  static constexpr std::size_t kPadding = 64;
};

class Encoder {
 public:
  virtual ~Encoder() = default;
  // Appends the record to `out`. Deterministic: equal records give equal bytes.
  virtual Outcome Encode(const Record& record, std::string& out) = 0;
};

// A codec with its options, checked: immutable, part of a plan.
class Format {
 public:
  virtual ~Format() = default;
  // REQUIRES: the table is complete. It outlives the decoder.
  virtual std::unique_ptr<Decoder> MakeDecoder(const FieldTable& table,
                                               Unmentioned unmentioned) const = 0;
  virtual std::unique_ptr<Encoder> MakeEncoder() const = 0;
};

}  // namespace runnel

// The encoding of records between the stages of a pipeline (InputKind::kExchange).
//
// Compact and deterministic: equal records give equal bytes. Fields go by their
// number in the sender's table, whose digest stands in each record, so that one of
// another plan is refused and never misread; fields that the sender's plan does not
// mention go by name. The decoder reads bytes that a worker wrote and trusts none of
// them: any input gives a record or a reason (that names of kept fields and keys of
// maps are unique is not checked). Errors and missing values are refused: no record
// holds them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/base/bytes.h"
#include "pipelines/codecs/codec.h"

namespace runnel {

// Nesting of lists and maps in a field.
constexpr int kExchangeDepthMax = 64;

class ExchangeEncoder final {
 public:
  // For records of `table`, which is complete.
  explicit ExchangeEncoder(const FieldTable& table);

  // Appends time, arrival, topic and fields of `record` to `out`.
  Outcome Encode(const Record& record, std::string& out);

 private:
  std::uint32_t digest_;
  ByteWriter writer_;  // keeps its memory
};

class ExchangeDecoder final {
 public:
  // `sender` is the table of the records that are encoded, `receiver` of those that
  // are filled; both are complete. Fields that the receiver does not know are
  // skipped or kept.
  ExchangeDecoder(const FieldTable& sender, const FieldTable& receiver, Unmentioned unmentioned);

  // Fills `record` (of the receiver's table, cleared). Text is borrowed from `bytes`;
  // lists and maps are in `arena`.
  Outcome Decode(std::string_view bytes, Arena& arena, Record& record) const;

  // Record::is_result of the record in `bytes`, which may be too deadly to decode.
  static bool IsResult(std::string_view bytes);

 private:
  bool DecodeField(ByteReader& reader, Arena& arena, Record& record) const;

  const FieldTable* sender_;
  const FieldTable* receiver_;
  Unmentioned unmentioned_;
  std::uint32_t digest_;      // of the sender's table
  std::vector<int> numbers_;  // the receiver's number by the sender's, or -1
};

}  // namespace runnel

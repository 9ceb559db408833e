// RowReader: the records of a piece of a file, in place.
//
// What a Decoder is for a payload this is for a chunk: it begins and ends with whole rows,
// and the header of the file stands apart. Any bytes give records or literal reasons.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "pipelines/base/arena.h"
#include "pipelines/codecs/csv_plan.h"
#include "pipelines/plan/compiled_plan.h"

namespace runnel {

struct Row {
  std::string_view text;         // without its line end
  const char* reason = nullptr;  // a literal: why there is no record
  bool again = false;            // the row before has another record
};

class RowReader {
 public:
  virtual ~RowReader() = default;
  // Begins on a chunk, which has at least 64 readable bytes behind it and outlives the
  // records. `header`: the first row of its file, empty where there is none. A literal
  // reason where no row of this file can be read, else nullptr.
  virtual const char* Start(std::string_view header, std::string_view chunk) = 0;
  // Fills `record` (cleared) with the next one; false behind the last row.
  virtual bool Next(Record& record, Arena& arena, Row& row) = 0;
  // From here on `at` bytes into the chunk, the begin of a row.
  virtual void Seek(std::size_t at) = 0;
};

// How missing values of a CSV row stand in a record.
enum class MissingAs : std::uint8_t { kMissing, kNull };

// A reader of the format that the plan decodes. `csv` where that is csv, else nullptr; all
// outlive the reader.
std::unique_ptr<RowReader> MakeRowReader(const CompiledPlan& plan, const CsvPlan* csv,
                                         MissingAs missing);
std::unique_ptr<RowReader> MakeCsvRows(const CompiledPlan& plan, const CsvPlan& csv,
                                       MissingAs missing);

}  // namespace runnel

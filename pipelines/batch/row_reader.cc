#include "pipelines/batch/row_reader.h"

#include <algorithm>

#include "pipelines/codecs/lines.h"

namespace runnel {
namespace {

// Formats with a payload a line.
class LineRows final : public RowReader {
 public:
  explicit LineRows(const CompiledPlan& plan)
      : decoder_(plan.decode_format->MakeDecoder(*plan.tables[0], plan.unmentioned)),
        comments_(plan.decode == "line") {}

  const char* Start(std::string_view, std::string_view chunk) override {
    chunk_ = chunk;
    Seek(0);
    return nullptr;
  }
  void Seek(std::size_t at) override {
    at_ = at;
    cursor_.at = DecodeCursor::kEnd;
  }

  bool Next(Record& record, Arena& arena, Row& row) override {
    row.reason = nullptr;
    row.again = !cursor_.AtEnd();
    if (!row.again) {
      do {
        if (at_ >= chunk_.size()) return false;
        line_ = TakeLine(chunk_, at_);
      } while (IsBlank(line_) || (comments_ && line_.starts_with('#')));
      cursor_ = DecodeCursor();
    }
    row.text = line_;
    const Outcome outcome = decoder_->Next(line_, cursor_, arena, record);
    row.reason = outcome.reason();
    return true;
  }

 private:
  std::unique_ptr<Decoder> decoder_;
  bool comments_;
  std::string_view chunk_;
  std::uint64_t at_ = 0;
  std::string_view line_;
  DecodeCursor cursor_;
};

}  // namespace

std::unique_ptr<RowReader> MakeRowReader(const CompiledPlan& plan, const CsvPlan* csv,
                                         MissingAs missing) {
  if (csv != nullptr) return MakeCsvRows(plan, *csv, missing);
  return std::make_unique<LineRows>(plan);
}

}  // namespace runnel

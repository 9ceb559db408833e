// CSV, row by row. A row without quotes is taken apart at the bits of one comparison of 64
// bytes (as in simdjson: Langdale and Lemire, VLDB Journal 28, 2019); all others field by
// field with ReadCsvField.
#include <algorithm>
#include <string>
#include <vector>

#include "pipelines/base/scan.h"
#include "pipelines/batch/row_reader.h"
#include "pipelines/codecs/fields.h"
#include "pipelines/codecs/json_reader.h"
#include "pipelines/codecs/text_values.h"
#include "pipelines/codecs/utf8.h"

namespace runnel {
namespace {

constexpr std::size_t kColumnsMax = 1'000;

class CsvRows final : public RowReader {
 public:
  CsvRows(const CompiledPlan& plan, const CsvPlan& csv, MissingAs missing)
      : csv_(&csv), missing_(missing), fields_(*plan.tables[0], plan.unmentioned) {
    for (const std::string& name : csv.options.columns) AddColumn(name);
  }

  const char* Start(std::string_view header, std::string_view chunk) override {
    // A file without a row has no names, and others may have left theirs here.
    const bool is_blank = header.empty() && chunk.find_first_not_of("\r\n") == chunk.npos;
    if (csv_->has_header && csv_->options.columns.empty() && !is_blank) {
      if (const char* reason = ReadHeader(header)) return reason;
    }
    end_ = chunk.data() + chunk.size();
    begin_ = chunk.data();
    ascii_known_ = false;  // chunks of usual rows are never read here
    Seek(0);
    return nullptr;
  }

  void Seek(std::size_t at) override {
    at_ = begin_ + at;
    block_ = at_;
    found_ = scan::Find64(block_, csv_->dialect.delimiter, '\n', csv_->dialect.quote);
  }

  bool Next(Record& record, Arena& arena, Row& row) override {
    if (at_ < end_ && (*at_ == '\n' || *at_ == '\r')) [[unlikely]]
      SkipBlank();
    if (at_ >= end_) return false;
    if (!ascii_known_) [[unlikely]] {
      ascii_ = IsAscii({begin_, static_cast<std::size_t>(end_ - begin_)});
      ascii_known_ = true;
    }
    row = Row();
    numbers_.Start({begin_, static_cast<std::size_t>(end_ - begin_)}, arena);
    const char* const begin = at_;
    if (csv_->dialect.trim || !TakePlain(record, arena, row)) {
      record.Clear();
      TakeAny(begin, record, arena, row);
    }
    if (!ascii_ && row.reason == nullptr && !IsUtf8(row.text)) row.reason = "csv_not_utf8";
    return true;
  }

 private:
  struct Column {
    std::string name;
    int field = -1;
    TextType type = TextType::kAuto;
    bool wanted = false;
  };

  static bool IsAscii(std::string_view chunk) {
    bool ascii = true;
    std::size_t at = 0;
    for (; at + 64 <= chunk.size() && ascii; at += 64) ascii = scan::IsAscii64(chunk.data() + at);
    for (; at < chunk.size() && ascii; ++at) ascii = static_cast<signed char>(chunk[at]) >= 0;
    return ascii;
  }

  void AddColumn(std::string_view name) {
    Column column{std::string(name), fields_.Find(name), TextType::kAuto, false};
    for (const auto& [typed, type] : csv_->options.types) {
      if (typed == name) column.type = type;
    }
    column.wanted = column.field >= 0 || fields_.keeps();
    columns_.push_back(std::move(column));
  }

  const char* ReadHeader(std::string_view header) {
    if (header == header_) return nullptr;
    header_.clear();
    columns_.clear();
    if (!IsUtf8(header)) return "csv_not_utf8";
    Arena arena(64 << 10);
    std::uint64_t at = 0;
    CsvField field;
    do {
      if (const char* reason = ReadCsvField(header, csv_->dialect, at, arena, field)) {
        return reason;
      }
      if (field.text.empty()) return "csv_empty_name";
      if (columns_.size() == kColumnsMax) return "csv_too_many_columns";
      for (const Column& column : columns_) {
        if (column.name == field.text) return "csv_duplicate_name";
      }
      AddColumn(field.text);
    } while (!field.last);
    header_ = header;
    return nullptr;
  }

  void SkipBlank() {
    while (at_ < end_ && (*at_ == '\n' || *at_ == '\r')) ++at_;
    if (at_ < end_) Seek(static_cast<std::size_t>(at_ - begin_));
  }

  // The next delimiter, line end or quote; nullptr where the chunk ends before.
  const char* NextSpecial() {
    while (found_ == 0) {
      block_ += 64;
      if (block_ >= end_) return nullptr;
      found_ = scan::Find64(block_, csv_->dialect.delimiter, '\n', csv_->dialect.quote);
    }
    const char* const special = block_ + std::countr_zero(found_);
    found_ &= found_ - 1;
    return special < end_ ? special : nullptr;
  }

  // False where the row has a quote: then nothing is decided.
  bool TakePlain(Record& record, Arena& arena, Row& row) {
    const char* const begin = at_;
    const char* field = at_;
    for (std::size_t i = 0;; ++i) {
      const char* const special = NextSpecial();
      if (special != nullptr && *special == csv_->dialect.quote) return false;
      if (special != nullptr && *special != '\n') {
        TakeField(i, field, special, record, arena, row);
        field = special + 1;
        continue;
      }
      const char* stop = special == nullptr ? end_ : special;
      at_ = special == nullptr ? end_ : special + 1;
      if (stop > field && stop[-1] == '\r') --stop;
      TakeField(i, field, stop, record, arena, row);
      row.text = {begin, static_cast<std::size_t>(stop - begin)};
      CheckCount(i + 1, row);
      return true;
    }
  }

  void CheckCount(std::size_t count, Row& row) const {
    if (row.reason == nullptr && count < columns_.size() && !csv_->options.ragged) {
      row.reason = "csv_too_few_fields";
    }
  }

  void TakeField(std::size_t i, const char* begin, const char* stop, Record& record, Arena& arena,
                 Row& row) {
    if (i >= columns_.size()) [[unlikely]] {
      if (row.reason == nullptr) row.reason = "csv_too_many_fields";
      return;
    }
    const Column& column = columns_[i];
    if (!column.wanted) return;
    if (column.type == TextType::kAuto && begin < stop && column.field >= 0 &&
        csv_->options.null.empty()) [[likely]] {
      Value value;
      const bool number = *begin == '-' || (*begin >= '0' && *begin <= '9');
      if (number && numbers_.ReadValue(begin, 0, value) == stop) {
        record.Add(static_cast<std::uint16_t>(column.field)) = value;
        return;
      }
    }
    Put(column, {{begin, static_cast<std::size_t>(stop - begin)}, false, false}, record, arena,
        row);
  }

  void Put(const Column& column, const CsvField& field, Record& record, Arena& arena, Row& row) {
    static_cast<void>(arena);
    if (row.reason != nullptr) return;
    Value value;
    if (!field.quoted && csv_->IsNull(field.text)) {
      if (missing_ == MissingAs::kMissing) return;
      value = Value::Null();
    } else {
      const bool text = field.quoted && column.type == TextType::kAuto;
      value = ParseText(field.text, text ? TextType::kText : column.type);
      if (value.IsError()) row.reason = "csv_number_too_large";
      if (value.IsMissing()) row.reason = "csv_not_of_its_type";
      if (row.reason != nullptr) return;
    }
    fields_.PutAt(column.field, column.name, value, record);
  }

  void TakeAny(const char* begin, Record& record, Arena& arena, Row& row) {
    const std::string_view rest(begin, static_cast<std::size_t>(end_ - begin));
    std::uint64_t at = 0;
    std::size_t count = 0;
    CsvField field;
    do {
      if (const char* reason = ReadCsvField(rest, csv_->dialect, at, arena, field)) {
        row = Row();
        row.reason = reason;
        // One row is at fault, not what lies behind a quote that is never closed.
        const std::size_t line = std::min(rest.find('\n'), rest.size() - 1) + 1;
        if (std::string_view(reason) == "csv_unclosed_quote") at = line;
        break;
      }
      if (count >= columns_.size()) {
        if (row.reason == nullptr) row.reason = "csv_too_many_fields";
      } else if (columns_[count].wanted) {
        Put(columns_[count], field, record, arena, row);
      }
      ++count;
    } while (!field.last);
    CheckCount(count, row);
    row.text = rest.substr(0, at);
    while (row.text.ends_with('\n') || row.text.ends_with('\r')) row.text.remove_suffix(1);
    Seek(static_cast<std::size_t>(begin - begin_) + at);
  }

  const CsvPlan* csv_;
  MissingAs missing_;
  FieldFiller fields_;
  std::vector<Column> columns_;
  std::string header_;  // that columns_ are of
  JsonReader numbers_;
  bool ascii_ = true;
  bool ascii_known_ = false;
  const char* begin_ = nullptr;  // of the chunk
  const char* end_ = nullptr;
  const char* at_ = nullptr;     // the next row
  const char* block_ = nullptr;  // 64 bytes, of which found_ has what is not yet passed
  std::uint64_t found_ = 0;
};

}  // namespace

std::unique_ptr<RowReader> MakeCsvRows(const CompiledPlan& plan, const CsvPlan& csv,
                                       MissingAs missing) {
  return std::make_unique<CsvRows>(plan, csv, missing);
}

}  // namespace runnel

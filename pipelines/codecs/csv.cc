// csv: a record a line (RFC 4180), with the names in the first line or in the options.
//
// A quoted field is text. A field without quotes is what it looks like: a number, true or
// false, or text; an empty one is missing. The name line is read again for every record of
// a payload, unless it is the same as the last time: nothing is remembered that a successor
// of a dead process would not know.
#include "pipelines/codecs/csv.h"

#include <algorithm>
#include <cctype>

#include "pipelines/codecs/codecs.h"
#include "pipelines/codecs/csv_plan.h"
#include "pipelines/codecs/fields.h"
#include "pipelines/codecs/lines.h"
#include "pipelines/codecs/text_values.h"
#include "pipelines/codecs/utf8.h"

namespace runnel {
namespace {

constexpr std::size_t kColumnsMax = 1'000;

class CsvDecoder final : public Decoder {
 public:
  CsvDecoder(const FieldTable& table, Unmentioned unmentioned, const CsvPlan& plan)
      : plan_(&plan), fields_(table, unmentioned), header_arena_(64 << 10) {
    for (const std::string& name : plan.options.columns) AddColumn(name);
  }

  // carried[0]: where the name line begins, plus 1; 0: it has not been read.
  Outcome Next(std::string_view payload, DecodeCursor& cursor, Arena& arena,
               Record& record) override {
    if (cursor.at == 0 && cursor.carried[0] == 0) {
      if (!IsUtf8(payload)) return End(cursor, "csv_not_utf8");
      SkipBlank(payload, cursor.at);
      cursor.carried[0] = cursor.at + 1;
      if (plan_->has_header) {
        if (const char* reason = ReadHeader(payload, cursor.at, arena)) return End(cursor, reason);
        SkipBlank(payload, cursor.at);
      }
      if (cursor.at >= payload.size()) return End(cursor, "csv_no_records");
    } else if (plan_->has_header) {
      std::uint64_t at = cursor.carried[0] - 1;
      if (const char* reason = ReadHeader(payload, at, arena)) return End(cursor, reason);
    }
    const char* reason = ReadRecord(payload, cursor.at, arena, record);
    SkipBlank(payload, cursor.at);
    if (cursor.at >= payload.size()) cursor.at = DecodeCursor::kEnd;
    return reason == nullptr ? Outcome::Done() : Outcome::Failed(reason);
  }

 private:
  struct Column {
    std::string_view name;
    int field = -1;
    TextType type = TextType::kAuto;
  };

  static Outcome End(DecodeCursor& cursor, const char* reason) {
    cursor.at = DecodeCursor::kEnd;
    return Outcome::Failed(reason);
  }
  static void SkipBlank(std::string_view payload, std::uint64_t& at) {
    while (at < payload.size() && (payload[at] == '\n' || payload[at] == '\r')) ++at;
  }

  void AddColumn(std::string_view name) {
    Column column{name, fields_.Find(name), TextType::kAuto};
    for (const auto& [typed, type] : plan_->options.types) {
      if (typed == name) column.type = type;
    }
    columns_.push_back(column);
  }

  const char* ReadHeader(std::string_view payload, std::uint64_t& at, Arena& arena) {
    const std::uint64_t begin = at;
    const bool named = !plan_->options.columns.empty();
    if (!header_.empty() && payload.substr(at).starts_with(header_)) {
      at += header_.size();
      return nullptr;
    }
    header_.clear();
    header_arena_.Reset();
    if (!named) columns_.clear();
    CsvField field;
    do {
      if (const char* reason = ReadCsvField(payload, plan_->dialect, at, arena, field)) {
        return reason;
      }
      if (named) continue;
      if (field.text.empty()) return "csv_empty_name";
      if (columns_.size() == kColumnsMax) return "csv_too_many_columns";
      const std::string_view name = header_arena_.Copy(field.text);
      if (name.data() == nullptr) return "csv_too_many_columns";
      AddColumn(name);
    } while (!field.last);
    if (!named) {
      std::vector<std::string_view> names;
      for (const Column& column : columns_) names.push_back(column.name);
      std::sort(names.begin(), names.end());
      if (std::adjacent_find(names.begin(), names.end()) != names.end()) {
        return "csv_duplicate_name";
      }
    }
    // Without its line end it would also be the beginning of a longer one.
    const std::string_view header = payload.substr(begin, at - begin);
    if (header.ends_with('\n')) header_ = header;
    return nullptr;
  }

  const char* ReadRecord(std::string_view payload, std::uint64_t& at, Arena& arena,
                         Record& record) {
    std::size_t i = 0;
    const char* problem = nullptr;
    CsvField field;
    do {
      if (const char* reason = ReadCsvField(payload, plan_->dialect, at, arena, field)) {
        return reason;
      }
      if (problem == nullptr) problem = Take(i, field, arena, record);
      ++i;
    } while (!field.last);
    if (problem == nullptr && i < columns_.size() && !plan_->options.ragged) {
      return "csv_too_few_fields";
    }
    return problem;
  }

  const char* Take(std::size_t i, const CsvField& field, Arena& arena, Record& record) {
    if (i >= columns_.size()) return "csv_too_many_fields";
    const Column& column = columns_[i];
    if (column.field < 0 && !fields_.keeps()) return nullptr;
    if (!field.quoted && plan_->IsNull(field.text)) return nullptr;
    const TextType type =
        field.quoted && column.type == TextType::kAuto ? TextType::kText : column.type;
    const Value value = ParseText(field.text, type);
    if (value.IsError()) return "csv_number_too_large";
    if (value.IsMissing()) return "csv_not_of_its_type";
    // The name of a field that is kept must live as long as the record.
    std::string_view name = column.name;
    if (column.field < 0 && plan_->options.columns.empty()) name = arena.Copy(name);
    if (column.field < 0 && name.data() == nullptr) return "out_of_memory";
    fields_.PutAt(column.field, name, value, record);
    return nullptr;
  }

  const CsvPlan* plan_;
  FieldFiller fields_;
  std::vector<Column> columns_;
  std::string header_;  // the name line that columns_ are of
  Arena header_arena_;  // its names
};

class CsvEncoder final : public Encoder {
 public:
  explicit CsvEncoder(const CsvPlan& plan)
      : plan_(&plan),
        places_(plan.options.columns.size()),
        plain_numbers_(!InNumbers(plan.dialect.delimiter) && !InNumbers(plan.dialect.quote)) {}

  Outcome Encode(const Record& record, std::string& out) override {
    const std::vector<std::string>& columns = plan_->options.columns;
    const bool header = plan_->options.header.value_or(false);
    if (columns.empty()) {
      if (header) {
        for (const Record::Entry& entry : record.entries()) {
          Append(record.NameOf(entry), &entry != record.entries().data(), false, out);
        }
        out += '\n';
      }
      for (const Record::Entry& entry : record.entries()) {
        AppendField(record.ValueOf(entry), &entry != record.entries().data(), out);
      }
    } else {
      for (std::size_t i = 0; i < columns.size() && header; ++i) {
        Append(columns[i], i > 0, false, out);
      }
      if (header) out += '\n';
      for (std::size_t i = 0; i < columns.size(); ++i) {
        AppendField(Find(record, columns[i], places_[i]), i > 0, out);
      }
    }
    out += '\n';
    return Outcome::Done();
  }

 private:
  // Whether it may stand in a number, or in what is written instead of one.
  static bool InNumbers(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '+' || c == '-' || c == '.';
  }
  // `place`: where it was in the record before, where it most likely is again.
  static Value Find(const Record& record, std::string_view name, std::size_t& place) {
    const std::span<const Record::Entry> entries = record.entries();
    if (place < entries.size() && record.NameOf(entries[place]) == name) {
      return record.ValueOf(entries[place]);
    }
    for (place = 0; place < entries.size(); ++place) {
      if (record.NameOf(entries[place]) == name) return record.ValueOf(entries[place]);
    }
    return Value();
  }
  void AppendField(const Value& value, bool behind, std::string& out) {
    if (value.IsNumber() && plain_numbers_) {
      if (behind) out += plan_->dialect.delimiter;
      return AppendText(value, out);
    }
    text_.clear();
    AppendText(value, text_);
    // Text that would be read as something else is quoted.
    const bool text =
        value.type() == Type::kString && ParseText(text_, TextType::kAuto).type() != Type::kString;
    Append(text_, behind, text || (value.type() == Type::kString && text_.empty()), out);
  }
  void Append(std::string_view text, bool behind, bool quote, std::string& out) const {
    const CsvDialect& dialect = plan_->dialect;
    if (behind) out += dialect.delimiter;
    const auto is_special = [&dialect](char c) {
      return c == '\r' || c == '\n' || c == dialect.delimiter || c == dialect.quote;
    };
    const bool special = std::any_of(text.begin(), text.end(), is_special) ||
                         (!text.empty() && (text.front() == ' ' || text.back() == ' '));
    if (!quote && !special) {
      out += text;
      return;
    }
    out += dialect.quote;
    for (const char c : text) {
      if (c == dialect.quote) out += c;
      out += c;
    }
    out += dialect.quote;
  }

  const CsvPlan* plan_;
  std::vector<std::size_t> places_;  // of each column
  bool plain_numbers_;               // none needs quotes
  std::string text_;                 // scratch
};

class CsvFormat final : public Format {
 public:
  explicit CsvFormat(CsvPlan plan) : plan_(std::move(plan)) {}
  std::unique_ptr<Decoder> MakeDecoder(const FieldTable& table,
                                       Unmentioned unmentioned) const override {
    return std::make_unique<CsvDecoder>(table, unmentioned, plan_);
  }
  std::unique_ptr<Encoder> MakeEncoder() const override {
    return std::make_unique<CsvEncoder>(plan_);
  }

 private:
  CsvPlan plan_;
};

std::unique_ptr<const Format> Compile(const Node& node, const Position& at,
                                      Diagnostics& diagnostics) {
  std::optional<CsvPlan> plan = CompileCsvPlan(node, at, diagnostics);
  if (!plan.has_value()) return nullptr;
  return std::make_unique<CsvFormat>(std::move(*plan));
}

}  // namespace

Codec codecs::csv() {
  return {"csv",
          "A record a line (RFC 4180), with the names in the first line or in `columns`.",
          "ts,temp,name\n1,21.5,\"a,b\"\n2,,c\n",
          R"([{"ts":1,"temp":21.5,"name":"a,b"},{"ts":2,"name":"c"}])",
          Compile,
          Describe<CsvOptions>};
}

}  // namespace runnel

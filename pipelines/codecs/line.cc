// line: InfluxDB line protocol: `measurement,tag=a field=1.5,n=2i,text="x",ok=true TIME`.
//
// The record has `measurement`, the tags (text), the fields, and `time` (an int, in the
// option's precision) where a line has one. Blank lines and `#` comments are skipped.
// Source: InfluxDB's documentation, "Line protocol reference".
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "pipelines/codecs/codecs.h"
#include "pipelines/codecs/fields.h"
#include "pipelines/codecs/json.h"
#include "pipelines/codecs/lines.h"
#include "pipelines/codecs/text_values.h"
#include "pipelines/codecs/utf8.h"

namespace runnel {
namespace {

enum class Precision { kNanoseconds, kMicroseconds, kMilliseconds, kSeconds };

struct Options {
  std::string measurement;
  std::vector<std::string> tags;
  std::string time = "end";
  Precision precision = Precision::kNanoseconds;
  static void Describe(Schema<Options>& schema) {
    schema.Optional("measurement", &Options::measurement,
                    "When writing: the measurement; without it the field `measurement`.");
    schema.Optional("tags", &Options::tags, "When writing: the fields that are tags.")
        .OrSingle()
        .Example("[device]");
    schema.Optional("time", &Options::time,
                    "When writing: the field with the time, in milliseconds since 1970 UTC.");
    schema.Optional("precision", &Options::precision, "Of the time in a line.")
        .OneOf({{"ns", Precision::kNanoseconds},
                {"us", Precision::kMicroseconds},
                {"ms", Precision::kMilliseconds},
                {"s", Precision::kSeconds}});
  }
};

// Parts of one line, from the front.
class LineReader final {
 public:
  LineReader(std::string_view line, Arena& arena) : rest_(line), arena_(&arena) {}

  // A name or a tag's value, up to one of `stops` that no backslash escapes.
  bool TakeName(std::string_view stops, std::string_view& name) {
    std::size_t i = 0;
    bool escaped = false;
    while (i < rest_.size() && stops.find(rest_[i]) == std::string_view::npos) {
      if (rest_[i] == '\\' && i + 1 < rest_.size() && IsEscapable(rest_[i + 1])) {
        escaped = true;
        ++i;
      }
      ++i;
    }
    i = std::min(i, rest_.size());
    name = rest_.substr(0, i);
    rest_.remove_prefix(i);
    return !escaped || Unescape(name, [](char c) { return IsEscapable(c); });
  }
  bool Take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void SkipBlanks() {
    while (rest_.starts_with(' ')) rest_.remove_prefix(1);
  }
  bool AtEnd() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  // A field's value; a literal reason on failure.
  const char* TakeValue(Value& value) {
    if (rest_.starts_with('"')) return TakeText(value);
    const std::size_t size = std::min(rest_.find_first_of(", "), rest_.size());
    std::string_view text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    if (text == "t" || text == "T" || text == "true" || text == "True" || text == "TRUE") {
      value = Value::Bool(true);
      return nullptr;
    }
    if (text == "f" || text == "F" || text == "false" || text == "False" || text == "FALSE") {
      value = Value::Bool(false);
      return nullptr;
    }
    if (text.ends_with('i') || text.ends_with('u')) return TakeWhole(text, value);
    value = ParseNumber(text);
    if (value.IsError()) return "line_number_too_large";
    if (value.IsMissing()) return "line_bad_value";
    value = Value::Double(value.ToDouble());
    return nullptr;
  }

 private:
  static bool IsEscapable(char c) { return c == ',' || c == ' ' || c == '='; }

  static const char* TakeWhole(std::string_view text, Value& value) {
    const bool with_sign = text.back() == 'i';
    text.remove_suffix(1);
    const char* const end = text.data() + text.size();
    std::int64_t number = 0;
    std::uint64_t natural = 0;
    const auto read = with_sign ? std::from_chars(text.data(), end, number)
                                : std::from_chars(text.data(), end, natural);
    if (read.ec == std::errc::result_out_of_range) return "line_number_too_large";
    if (read.ec != std::errc() || read.ptr != end) return "line_bad_value";
    value = with_sign ? Value::Int(number) : Value::Uint(natural);
    return nullptr;
  }

  const char* TakeText(Value& value) {
    std::size_t i = 1;
    bool escaped = false;
    while (i < rest_.size() && rest_[i] != '"') {
      if (rest_[i] == '\\' && i + 1 < rest_.size()) {
        escaped = true;
        ++i;
      }
      ++i;
    }
    if (i >= rest_.size()) return "line_unclosed_quote";
    std::string_view text = rest_.substr(1, i - 1);
    rest_.remove_prefix(i + 1);
    if (escaped && !Unescape(text, [](char c) { return c == '"' || c == '\\'; })) {
      return "out_of_memory";
    }
    value = Value::String(text);
    return nullptr;
  }

  template <typename Escapable>
  bool Unescape(std::string_view& text, Escapable&& escapable) {
    char* copy = arena_->AllocateArray<char>(text.size());
    if (copy == nullptr) return false;
    std::size_t size = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\\' && i + 1 < text.size() && escapable(text[i + 1])) ++i;
      copy[size++] = text[i];
    }
    text = {copy, size};
    return true;
  }

  std::string_view rest_;
  Arena* arena_;
};

class LineDecoder final : public Decoder {
 public:
  LineDecoder(const FieldTable& table, Unmentioned unmentioned) : fields_(table, unmentioned) {}

  Outcome Next(std::string_view payload, DecodeCursor& cursor, Arena& arena,
               Record& record) override {
    std::string_view line;
    const auto is_skipped = [](std::string_view text) {
      return IsBlank(text) || text.starts_with('#');
    };
    if (!NextLine(payload, cursor, line, is_skipped)) return Outcome::Failed("line_no_records");
    if (!IsUtf8(line)) return Outcome::Failed("line_not_utf8");
    const char* reason = Read(line, arena, record);
    if (reason == nullptr && fields_.HasTwice(record)) reason = "line_duplicate_field";
    return reason == nullptr ? Outcome::Done() : Outcome::Failed(reason);
  }

 private:
  const char* Read(std::string_view line, Arena& arena, Record& record) {
    LineReader reader(line, arena);
    std::string_view name;
    if (!reader.TakeName(", ", name)) return "out_of_memory";
    if (name.empty()) return "line_no_measurement";
    if (!fields_.Put("measurement", Value::String(name), record)) return "line_duplicate_field";
    while (reader.Take(',')) {
      std::string_view tag;
      if (!reader.TakeName("=, ", name)) return "out_of_memory";
      if (name.empty() || !reader.Take('=')) return "line_bad_tag";
      if (!reader.TakeName(", ", tag)) return "out_of_memory";
      if (tag.empty()) return "line_bad_tag";
      if (!fields_.Put(name, Value::String(tag), record)) return "line_duplicate_field";
    }
    reader.SkipBlanks();
    if (reader.AtEnd()) return "line_no_fields";
    do {
      Value value;
      if (!reader.TakeName("=, ", name)) return "out_of_memory";
      if (name.empty() || !reader.Take('=')) return "line_bad_field";
      if (const char* reason = reader.TakeValue(value)) return reason;
      if (!fields_.Put(name, value, record)) return "line_duplicate_field";
    } while (reader.Take(','));
    if (!reader.AtEnd() && !reader.Take(' ')) return "line_bad_value";
    reader.SkipBlanks();
    if (reader.AtEnd()) return nullptr;
    const Value time = ParseNumber(TrimBlanks(reader.rest()));
    if (time.type() != Type::kInt) return "line_bad_time";
    return fields_.Put("time", time, record) ? nullptr : "line_duplicate_field";
  }

  FieldFiller fields_;
};

class LineEncoder final : public Encoder {
 public:
  explicit LineEncoder(const Options& options) : options_(&options) {}

  Outcome Encode(const Record& record, std::string& out) override {
    const char* reason = Write(record, out);
    return reason == nullptr ? Outcome::Done() : Outcome::Failed(reason);
  }

 private:
  static bool Has(const std::vector<std::string>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  // A field that is no value: the measurement, the time, what a window adds to tell it.
  bool IsOther(std::string_view name) const {
    return name == options_->time || name == "start" ||
           (options_->measurement.empty() && name == "measurement");
  }

  const char* Write(const Record& record, std::string& out) {
    std::string tags;
    std::string fields;
    std::string measurement = options_->measurement;
    std::string time;
    for (const Record::Entry& entry : record.entries()) {
      const std::string_view name = record.NameOf(entry);
      const Value& value = record.ValueOf(entry);
      if (value.IsNull() || value.IsMissing()) continue;
      if (name == options_->time) {
        if (const char* reason = AppendTime(value, time)) return reason;
      } else if (IsOther(name)) {
        if (name == "measurement") AppendText(value, measurement);
      } else if (Has(options_->tags, name)) {
        if (const char* reason = AppendTag(name, value, tags)) return reason;
      } else if (const char* reason = AppendField(name, value, fields)) {
        return reason;
      }
    }
    if (measurement.empty()) return "line_no_measurement";
    if (fields.empty()) return "line_no_fields";
    if (!AppendName(measurement, out)) return "line_bad_name";
    out.append(tags).append(" ").append(fields).append(time).append("\n");
    return nullptr;
  }

  const char* AppendTime(const Value& value, std::string& out) const {
    if (value.type() != Type::kInt) return "line_bad_time";
    std::int64_t time = value.AsInt();
    std::int64_t factor = 1;
    if (options_->precision == Precision::kNanoseconds) factor = 1'000'000;
    if (options_->precision == Precision::kMicroseconds) factor = 1'000;
    if (options_->precision == Precision::kSeconds) {
      time = time / 1'000 - (time % 1'000 < 0 ? 1 : 0);
    }
    if (__builtin_mul_overflow(time, factor, &time)) return "line_bad_time";
    out = " " + std::to_string(time);
    return nullptr;
  }

  const char* AppendTag(std::string_view name, const Value& value, std::string& out) {
    text_.clear();
    AppendText(value, text_);
    if (text_.empty()) return nullptr;
    out += ',';
    if (!AppendName(name, out)) return "line_bad_name";
    out += '=';
    return AppendName(text_, out) ? nullptr : "line_bad_name";
  }

  static const char* AppendField(std::string_view name, const Value& value, std::string& out) {
    if (!out.empty()) out += ',';
    if (!AppendName(name, out)) return "line_bad_name";
    out += '=';
    switch (value.type()) {
      case Type::kInt:
        out += std::to_string(value.AsInt()) + "i";
        return nullptr;
      case Type::kUint:
        out += std::to_string(value.AsUint()) + "u";
        return nullptr;
      case Type::kDouble:
        if (!std::isfinite(value.AsDouble())) return "line_not_finite";
        AppendNumber(value.AsDouble(), out);
        return nullptr;
      case Type::kBool:
        out += value.AsBool() ? "true" : "false";
        return nullptr;
      case Type::kString:
        out += '"';
        for (const char c : value.AsString()) {
          if (c == '\n') return "line_newline_in_text";
          if (c == '"' || c == '\\') out += '\\';
          out += c;
        }
        out += '"';
        return nullptr;
      default:
        return "line_not_a_scalar";
    }
  }

  static bool AppendName(std::string_view name, std::string& out) {
    // A backslash at the end would escape what follows.
    if (name.empty() || name.back() == '\\' || name.front() == '#') return false;
    for (const char c : name) {
      if (c == '\n' || c == '\r') return false;
      if (c == ',' || c == ' ' || c == '=') out += '\\';
      out += c;
    }
    return true;
  }

  const Options* options_;
  std::string text_;  // scratch
};

class LineFormat final : public Format {
 public:
  explicit LineFormat(Options options) : options_(std::move(options)) {}
  std::unique_ptr<Decoder> MakeDecoder(const FieldTable& table,
                                       Unmentioned unmentioned) const override {
    return std::make_unique<LineDecoder>(table, unmentioned);
  }
  std::unique_ptr<Encoder> MakeEncoder() const override {
    return std::make_unique<LineEncoder>(options_);
  }

 private:
  Options options_;
};

std::unique_ptr<const Format> Compile(const Node& node, const Position& at,
                                      Diagnostics& diagnostics) {
  std::optional<Options> options = Read<Options>(node, "line", diagnostics, &at);
  if (!options.has_value()) return nullptr;
  return std::make_unique<LineFormat>(std::move(*options));
}

}  // namespace

Codec codecs::line() {
  return {
      "line",
      "InfluxDB line protocol; a message may have several lines.",
      "climate,room=r1 temp=21.5,n=3i,ok=true 1700000000000000000\n",
      R"({"measurement":"climate","room":"r1","temp":21.5,"n":3,"ok":true,"time":1700000000000000000})",
      Compile,
      Describe<Options>};
}

}  // namespace runnel

// senml: Sensor Measurement Lists (RFC 8428), in JSON: a list of records, each resolved.
//
// A record has `n`, `u`, `v` (a number), `vs`, `vb` or `vd`, `s`, `t` (seconds since 1970),
// `ut`, and what else it has. Base fields are added and carried on as the RFC says; they
// live in the cursor, strings by their place in the payload. A time that is relative to now
// (below 2^28) is refused or kept as it is: a worker reads no clock.
#include <bit>
#include <cmath>
#include <cstring>

#include "pipelines/codecs/codecs.h"
#include "pipelines/codecs/fields.h"
#include "pipelines/codecs/json.h"
#include "pipelines/codecs/json_reader.h"
#include "pipelines/codecs/text_values.h"

namespace runnel {
namespace {

constexpr double kRelativeMax = 268'435'456;  // 2^28, RFC 8428 section 4.5.3
constexpr std::int64_t kVersion = 10;

enum class Relative { kKeep, kReject };
enum class TimeUnits { kSeconds, kMilliseconds };

struct Options {
  Relative relative = Relative::kReject;
  std::string name = "n";
  std::string value = "v";
  std::string unit = "u";
  std::string time = "t";
  TimeUnits time_unit = TimeUnits::kSeconds;
  static void Describe(Schema<Options>& schema) {
    schema
        .Optional("relative", &Options::relative, "What happens to a time that is relative to now.")
        .OneOf({{"keep", Relative::kKeep}, {"reject", Relative::kReject}});
    schema.Optional("name", &Options::name, "When writing: the field for `n`.");
    schema.Optional("value", &Options::value, "When writing: the field for the value.");
    schema.Optional("unit", &Options::unit, "When writing: the field for `u`.");
    schema.Optional("time", &Options::time, "When writing: the field for `t`.");
    schema.Optional("time_unit", &Options::time_unit, "When writing: of that field.")
        .OneOf({{"s", TimeUnits::kSeconds}, {"ms", TimeUnits::kMilliseconds}});
  }
};

// What earlier records say of later ones; in DecodeCursor::carried.
enum Carried { kBaseName, kBaseUnit, kBaseTime, kBaseValue, kBaseSum, kHasBases };
enum Bases : std::uint64_t { kHasValue = 1, kHasSum = 2 };

bool IsName(std::string_view name) {
  if (name.empty()) return false;
  const auto alnum = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (!alnum(name[0])) return false;
  for (const char c : name) {
    if (!alnum(c) && std::string_view("-:./_").find(c) == std::string_view::npos) return false;
  }
  return true;
}

class SenmlDecoder final : public Decoder {
 public:
  SenmlDecoder(const FieldTable& table, Unmentioned unmentioned, const Options& options)
      : fields_(table, unmentioned), options_(&options) {}

  Outcome Next(std::string_view payload, DecodeCursor& cursor, Arena& arena,
               Record& record) override {
    reader_.Start(payload, arena);
    const char* at = payload.data() + cursor.at;
    const bool first = cursor.at == 0;
    at = reader_.SkipSpace(at);
    if (!reader_.Is(at, first ? '[' : ',')) return End(cursor, "senml_not_a_list");
    at = reader_.SkipSpace(at + 1);
    if (first && reader_.Is(at, ']')) return End(cursor, "senml_no_records");
    if (!reader_.Is(at, '{')) return End(cursor, "senml_not_an_object");
    Value object;
    at = reader_.ReadValue(at, 1, object);
    if (at == nullptr) return End(cursor, reader_.reason());
    at = reader_.SkipSpace(at);
    if (reader_.Is(at, ']')) {
      if (reader_.SkipSpace(at + 1) != reader_.end()) return End(cursor, "senml_trailing_text");
      cursor.at = DecodeCursor::kEnd;
    } else if (!reader_.Is(at, ',')) {
      return End(cursor, at >= reader_.end() ? "json_unexpected_end" : "senml_not_a_list");
    } else {
      cursor.at = static_cast<std::uint64_t>(at - payload.data());
    }
    const char* reason = Resolve(object, payload, cursor, arena, record);
    return reason == nullptr ? Outcome::Done() : Outcome::Failed(reason);
  }

 private:
  static Outcome End(DecodeCursor& cursor, const char* reason) {
    cursor.at = DecodeCursor::kEnd;
    return Outcome::Failed(reason);
  }

  // A base text: the place and the size in the payload, or 0 for none. One with escapes is
  // not in the payload: refused, for names and units need none.
  static bool Carry(const Value& value, std::string_view payload, std::uint64_t& carried) {
    const std::string_view text = value.AsString();
    carried = 0;
    if (text.empty()) return true;
    if (text.data() < payload.data() || text.data() >= payload.data() + payload.size())
      return false;
    carried = static_cast<std::uint64_t>(text.data() - payload.data()) << 32 | text.size();
    return true;
  }
  static std::string_view Carried(std::uint64_t carried, std::string_view payload) {
    return payload.substr(carried >> 32, carried & 0xffffffff);
  }
  static double Number(std::uint64_t carried) { return std::bit_cast<double>(carried); }

  const char* TakeBases(const Value& object, std::string_view payload, DecodeCursor& cursor) {
    const auto text = [&](const char* name, int which) -> const char* {
      const Value base = Lookup(object, Value::String(name));
      if (base.IsMissing()) return nullptr;
      if (base.type() != Type::kString) return "senml_bad_base";
      return Carry(base, payload, cursor.carried[which]) ? nullptr : "senml_bad_base";
    };
    const auto number = [&](const char* name, int which, std::uint64_t has) -> const char* {
      const Value base = Lookup(object, Value::String(name));
      if (base.IsMissing()) return nullptr;
      if (!base.IsNumber()) return "senml_bad_base";
      cursor.carried[which] = std::bit_cast<std::uint64_t>(base.ToDouble());
      cursor.carried[kHasBases] |= has;
      return nullptr;
    };
    const Value version = Lookup(object, Value::String("bver"));
    if (!version.IsMissing() &&
        (version.type() != Type::kInt || version.AsInt() > kVersion || version.AsInt() < 1)) {
      return "senml_version";
    }
    if (const char* reason = text("bn", kBaseName)) return reason;
    if (const char* reason = text("bu", kBaseUnit)) return reason;
    if (const char* reason = number("bt", kBaseTime, 0)) return reason;
    if (const char* reason = number("bv", kBaseValue, kHasValue)) return reason;
    return number("bs", kBaseSum, kHasSum);
  }

  const char* Resolve(const Value& object, std::string_view payload, DecodeCursor& cursor,
                      Arena& arena, Record& record) {
    if (const char* reason = TakeBases(object, payload, cursor)) return reason;
    if (const char* reason = ResolveName(object, payload, cursor, arena, record)) return reason;
    if (const char* reason = ResolveValue(object, cursor, record)) return reason;
    if (const char* reason = ResolveTime(object, cursor, record)) return reason;
    for (const MapEntry& entry : object.AsMap()) {
      const std::string_view name = entry.key.AsString();
      if (name.ends_with('_')) return "senml_must_understand";
      if (IsKnown(name)) continue;
      if (!fields_.Put(name, entry.value, record)) return "senml_duplicate_field";
    }
    return nullptr;
  }

  static bool IsKnown(std::string_view name) {
    for (const char* known : {"bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "s", "t"}) {
      if (name == known) return true;
    }
    return false;
  }

  const char* ResolveName(const Value& object, std::string_view payload, const DecodeCursor& cursor,
                          Arena& arena, Record& record) {
    const std::string_view base = Carried(cursor.carried[kBaseName], payload);
    const Value own = Lookup(object, Value::String("n"));
    if (!own.IsMissing() && own.type() != Type::kString) return "senml_bad_name";
    std::string_view name = base;
    if (!own.IsMissing() && base.empty()) {
      name = own.AsString();
    } else if (!own.IsMissing()) {
      char* joined = arena.AllocateArray<char>(base.size() + own.AsString().size());
      if (joined == nullptr) return "out_of_memory";
      std::memcpy(joined, base.data(), base.size());
      if (!own.AsString().empty()) {
        std::memcpy(joined + base.size(), own.AsString().data(), own.AsString().size());
      }
      name = {joined, base.size() + own.AsString().size()};
    }
    if (!IsName(name)) return "senml_bad_name";
    fields_.Put("n", Value::String(name), record);
    Value unit = Lookup(object, Value::String("u"));
    if (unit.IsMissing() && cursor.carried[kBaseUnit] != 0) {
      unit = Value::String(Carried(cursor.carried[kBaseUnit], payload));
    }
    if (unit.IsMissing()) return nullptr;
    if (unit.type() != Type::kString) return "senml_bad_unit";
    fields_.Put("u", unit, record);
    return nullptr;
  }

  const char* ResolveValue(const Value& object, const DecodeCursor& cursor, Record& record) {
    const auto add = [&](const char* name, int which, std::uint64_t has) -> const char* {
      const Value own = Lookup(object, Value::String(name));
      const bool based = (cursor.carried[kHasBases] & has) != 0;
      // A base value alone is the value, unless the record has one of another kind.
      const bool other = has == kHasValue && HasOtherValue(object);
      if (own.IsMissing() && (!based || other)) return nullptr;
      if (!own.IsMissing() && !own.IsNumber()) return "senml_bad_value";
      Value value = own;
      if (based) {
        const double sum = Number(cursor.carried[which]) + (own.IsMissing() ? 0 : own.ToDouble());
        value = Value::Double(sum);
      }
      fields_.Put(name, value, record);
      return nullptr;
    };
    if (const char* reason = add("v", kBaseValue, kHasValue)) return reason;
    return add("s", kBaseSum, kHasSum);
  }
  static bool HasOtherValue(const Value& object) {
    for (const char* name : {"vs", "vb", "vd"}) {
      if (!Lookup(object, Value::String(name)).IsMissing()) return true;
    }
    return false;
  }

  const char* ResolveTime(const Value& object, const DecodeCursor& cursor, Record& record) {
    const Value own = Lookup(object, Value::String("t"));
    const double base = Number(cursor.carried[kBaseTime]);
    if (own.IsMissing() && base == 0) return nullptr;
    if (!own.IsMissing() && !own.IsNumber()) return "senml_bad_time";
    const double time = base + (own.IsMissing() ? 0 : own.ToDouble());
    if (!std::isfinite(time)) return "senml_bad_time";
    if (time < kRelativeMax && options_->relative == Relative::kReject) {
      return "senml_relative_time";
    }
    const bool whole = time == std::floor(time) && std::fabs(time) < 9e15;
    fields_.Put("t", whole ? Value::Int(static_cast<std::int64_t>(time)) : Value::Double(time),
                record);
    return nullptr;
  }

  FieldFiller fields_;
  const Options* options_;
  JsonReader reader_;
};

class SenmlEncoder final : public Encoder {
 public:
  explicit SenmlEncoder(const Options& options) : options_(&options) {}

  Outcome Encode(const Record& record, std::string& out) override {
    Value name, value, unit, time;
    for (const Record::Entry& entry : record.entries()) {
      const std::string_view field = record.NameOf(entry);
      if (field == options_->name) name = record.ValueOf(entry);
      if (field == options_->value) value = record.ValueOf(entry);
      if (field == options_->unit) unit = record.ValueOf(entry);
      if (field == options_->time) time = record.ValueOf(entry);
    }
    if (name.type() != Type::kString || !IsName(name.AsString())) {
      return Outcome::Failed("senml_bad_name");
    }
    if (value.IsMissing() || value.IsNull()) return Outcome::Failed("senml_no_value");
    out += "[{\"n\":";
    AppendJson(name, out);
    if (unit.type() == Type::kString) {
      out += ",\"u\":";
      AppendJson(unit, out);
    }
    if (const char* reason = AppendValue(value, out)) return Outcome::Failed(reason);
    if (!time.IsMissing() && !time.IsNull()) {
      if (!time.IsNumber()) return Outcome::Failed("senml_bad_time");
      const bool seconds = options_->time_unit == TimeUnits::kSeconds;
      out += ",\"t\":";
      const double number = seconds ? time.ToDouble() : time.ToDouble() / 1'000;
      const bool whole = number == std::floor(number) && std::fabs(number) < 9e15;
      AppendJson(whole ? Value::Int(static_cast<std::int64_t>(number)) : Value::Double(number),
                 out);
    }
    out += "}]";
    return Outcome::Done();
  }

 private:
  static const char* AppendValue(const Value& value, std::string& out) {
    if (value.IsNumber()) {
      if (!std::isfinite(value.ToDouble())) return "senml_bad_value";
      out += ",\"v\":";
    } else if (value.type() == Type::kBool) {
      out += ",\"vb\":";
    } else if (value.type() == Type::kString) {
      out += ",\"vs\":";
    } else {
      return "senml_bad_value";
    }
    AppendJson(value, out);
    return nullptr;
  }
  const Options* options_;
};

class SenmlFormat final : public Format {
 public:
  explicit SenmlFormat(Options options) : options_(std::move(options)) {}
  std::unique_ptr<Decoder> MakeDecoder(const FieldTable& table,
                                       Unmentioned unmentioned) const override {
    return std::make_unique<SenmlDecoder>(table, unmentioned, options_);
  }
  std::unique_ptr<Encoder> MakeEncoder() const override {
    return std::make_unique<SenmlEncoder>(options_);
  }

 private:
  Options options_;
};

std::unique_ptr<const Format> Compile(const Node& node, const Position& at,
                                      Diagnostics& diagnostics) {
  std::optional<Options> options = Read<Options>(node, "senml", diagnostics, &at);
  if (!options.has_value()) return nullptr;
  return std::make_unique<SenmlFormat>(std::move(*options));
}

}  // namespace

Codec codecs::senml() {
  return {
      "senml",
      "SenML (RFC 8428) in JSON, with its base fields resolved; a message may have several "
      "records.",
      R"([{"bn":"urn:dev:1/","bt":1700000000,"n":"temp","u":"Cel","v":21.5},{"n":"hum","v":40}])",
      R"([{"n":"urn:dev:1/temp","u":"Cel","v":21.5,"t":1700000000},{"n":"urn:dev:1/hum","v":40,"t":1700000000}])",
      Compile,
      Describe<Options>};
}

}  // namespace runnel

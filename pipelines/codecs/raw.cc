// raw: the whole payload is one value: a number, a truth or text. Blanks around it do not
// count.
#include "pipelines/codecs/codecs.h"
#include "pipelines/codecs/fields.h"
#include "pipelines/codecs/text_values.h"
#include "pipelines/codecs/utf8.h"

namespace runnel {
namespace {

struct Options {
  std::string field = "value";
  TextType type = TextType::kAuto;
  static void Describe(Schema<Options>& schema) {
    schema.Optional("field", &Options::field, "The field that holds it.").NotEmpty();
    schema.Optional("type", &Options::type, "What it must be; `auto` takes what it looks like.")
        .OneOf({{"auto", TextType::kAuto},
                {"number", TextType::kNumber},
                {"text", TextType::kText},
                {"bool", TextType::kBool}});
  }
};

class RawDecoder final : public Decoder {
 public:
  RawDecoder(const FieldTable& table, Unmentioned unmentioned, const Options& options)
      : fields_(table, unmentioned), options_(&options) {}
  Outcome Next(std::string_view payload, DecodeCursor& cursor, Arena&, Record& record) override {
    cursor.at = DecodeCursor::kEnd;
    if (!IsUtf8(payload)) return Outcome::Failed("raw_not_utf8");
    const Value value = ParseText(TrimBlanks(payload), options_->type);
    if (value.IsError()) return Outcome::Failed("raw_number_too_large");
    if (value.IsMissing()) {
      return Outcome::Failed(options_->type == TextType::kNumber ? "raw_not_a_number"
                                                                 : "raw_not_a_bool");
    }
    fields_.Put(options_->field, value, record);
    return Outcome::Done();
  }

 private:
  FieldFiller fields_;
  const Options* options_;
};

class RawEncoder final : public Encoder {
 public:
  explicit RawEncoder(const Options& options) : options_(&options) {}
  Outcome Encode(const Record& record, std::string& out) override {
    for (const Record::Entry& entry : record.entries()) {
      if (record.NameOf(entry) != options_->field) continue;
      AppendText(record.ValueOf(entry), out);
      return Outcome::Done();
    }
    return Outcome::Failed("raw_no_field");
  }

 private:
  const Options* options_;
};

class RawFormat final : public Format {
 public:
  explicit RawFormat(Options options) : options_(std::move(options)) {}
  std::unique_ptr<Decoder> MakeDecoder(const FieldTable& table,
                                       Unmentioned unmentioned) const override {
    return std::make_unique<RawDecoder>(table, unmentioned, options_);
  }
  std::unique_ptr<Encoder> MakeEncoder() const override {
    return std::make_unique<RawEncoder>(options_);
  }

 private:
  Options options_;
};

std::unique_ptr<const Format> Compile(const Node& node, const Position& at,
                                      Diagnostics& diagnostics) {
  std::optional<Options> options = Read<Options>(node, "raw", diagnostics, &at);
  if (!options.has_value()) return nullptr;
  return std::make_unique<RawFormat>(std::move(*options));
}

}  // namespace

Codec codecs::raw() {
  return {"raw",   "The whole message is one value: a number, true or false, or text.",
          "21.5",  R"({"value":21.5})",
          Compile, Describe<Options>};
}

}  // namespace runnel

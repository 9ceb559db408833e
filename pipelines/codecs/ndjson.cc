// ndjson: one JSON object a line. Blank lines are skipped; a bad line is a dead letter of
// its own and the next goes on.
#include "pipelines/codecs/codecs.h"
#include "pipelines/codecs/json.h"
#include "pipelines/codecs/lines.h"

namespace runnel {
namespace {

class NdjsonDecoder final : public Decoder {
 public:
  NdjsonDecoder(const FieldTable& table, Unmentioned unmentioned)
      : json_(MakeJsonDecoder(table, unmentioned)) {}
  Outcome Next(std::string_view payload, DecodeCursor& cursor, Arena& arena,
               Record& record) override {
    std::string_view line;
    if (!NextLine(payload, cursor, line, IsBlank)) return Outcome::Failed("ndjson_no_records");
    DecodeCursor whole;
    return json_->Next(line, whole, arena, record);
  }

 private:
  std::unique_ptr<Decoder> json_;
};

class NdjsonEncoder final : public Encoder {
 public:
  Outcome Encode(const Record& record, std::string& out) override {
    const Outcome outcome = json_->Encode(record, out);
    if (outcome.ok()) out += '\n';
    return outcome;
  }

 private:
  std::unique_ptr<Encoder> json_ = MakeJsonEncoder();
};

class NdjsonFormat final : public Format {
 public:
  std::unique_ptr<Decoder> MakeDecoder(const FieldTable& table,
                                       Unmentioned unmentioned) const override {
    return std::make_unique<NdjsonDecoder>(table, unmentioned);
  }
  std::unique_ptr<Encoder> MakeEncoder() const override {
    return std::make_unique<NdjsonEncoder>();
  }
};

struct Options {
  static void Describe(Schema<Options>&) {}
};

std::unique_ptr<const Format> Compile(const Node& options, const Position& at,
                                      Diagnostics& diagnostics) {
  if (!Read<Options>(options, "ndjson", diagnostics, &at).has_value()) return nullptr;
  return std::make_unique<NdjsonFormat>();
}

}  // namespace

Codec codecs::ndjson() {
  return {"ndjson",
          "One JSON object a line; a message may have several.",
          "{\"temp\": 21.5}\n{\"temp\": 22}\n",
          R"([{"temp":21.5},{"temp":22}])",
          Compile,
          nullptr};
}

}  // namespace runnel

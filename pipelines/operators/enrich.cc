// enrich: takes fields from a table, by a key of the record.
//
// The table stands in the pipeline, or in a file whose text config/ puts into the plan:
// workers open no files. Keys are compared as text, for a device's number is text in its
// topic and a number in a CSV file.
#include <map>
#include <utility>

#include "pipelines/codecs/codecs.h"
#include "pipelines/operators/key.h"
#include "pipelines/operators/lookup_table.h"
#include "pipelines/operators/operator.h"

namespace runnel {
namespace {

enum class Unmatched { kPass, kDrop, kDeadLetter };

struct Options {
  std::optional<std::string> file;
  Node table;
  Node decode;
  Node key;
  std::vector<std::string> on;
  Node fields;
  Unmatched unmatched = Unmatched::kPass;
  static void Describe(Schema<Options>& schema) {
    schema
        .Optional("file", &Options::file,
                  "A CSV, NDJSON or JSON file with the table (JSON: an array of objects), from the "
                  "folder of the pipeline's file. When it changes, the tasks go over to it.")
        .NotEmpty()
        .Example("devices.csv");
    schema.Optional("table", &Options::table, "The table itself instead: a list of maps.")
        .Example("[{ device: a, site: north }]");
    schema
        .Optional("decode", &Options::decode,
                  "The codec of the file and its options, as in `decode:` of a pipeline; without "
                  "it the file's name tells.")
        .Example("{ csv: { delimiter: ';' } }");
    schema
        .Required("key", &Options::key,
                  "A field or expression that finds the row, or a list of them.")
        .Example("device");
    schema
        .Optional("on", &Options::on,
                  "The columns that are compared with `key`; without it those of its names.")
        .OrSingle()
        .Example("id");
    schema
        .Required("fields", &Options::fields,
                  "The columns to take: a list, or a map of new names and columns. An empty cell "
                  "sets nothing.")
        .Example("[site, limit]");
    schema
        .Optional("unmatched", &Options::unmatched,
                  "What becomes of a record whose key is not in the table.")
        .OneOf({{"pass", Unmatched::kPass},
                {"drop", Unmatched::kDrop},
                {"dead_letter", Unmatched::kDeadLetter}});
  }
};

class Enrich final : public Operator {
 public:
  struct Parts {
    std::string name;  // of the table, for explain
    KeyPlan key;
    std::unique_ptr<const LookupTable> table;
    std::vector<std::uint16_t> fields;
    Unmatched unmatched = Unmatched::kPass;
  };
  explicit Enrich(Parts parts) : parts_(std::move(parts)) {}
  Result<std::unique_ptr<OperatorRun>> Start(StateRegion&, int) const override;
  std::string Explain() const override {
    return "enrich  " + parts_.key.Explain() + ", " + std::to_string(parts_.table->rows()) +
           " rows of " + parts_.name;
  }
  std::string EffectMark() const override { return "enrich  " + parts_.key.Explain(); }

 private:
  Parts parts_;
};

class EnrichRun final : public OperatorRun {
 public:
  explicit EnrichRun(const Enrich::Parts& parts) : parts_(&parts) {}
  Verdict Apply(Record& record, Arena& arena) override {
    key_.clear();
    for (const KeyPart& part : parts_->key.parts) {
      const int field = part.expression->AsField();
      const Value value = field >= 0 ? record.Get(static_cast<std::uint16_t>(field))
                                     : part.expression->Evaluate(record, arena);
      if (value.IsError() && value.Reason() != std::string_view("no_such_field")) {
        return Verdict::Failed(value.Reason());
      }
      if (!LookupTable::AppendKey(value, key_)) return Unmatched();
    }
    const Value* cells = parts_->table->Find(key_);
    if (cells == nullptr) return Unmatched();
    for (const std::uint16_t field : parts_->fields) {
      if (!cells->IsMissing()) record.Show(field, *cells);
      ++cells;
    }
    return Verdict::Pass();
  }

 private:
  Verdict Unmatched() const {
    switch (parts_->unmatched) {
      case Unmatched::kPass:
        return Verdict::Pass();
      case Unmatched::kDrop:
        return Verdict::Filtered();
      case Unmatched::kDeadLetter:
        break;
    }
    return Verdict::Failed("enrich_no_row");
  }

  const Enrich::Parts* parts_;
  std::string key_;  // scratch
};

Result<std::unique_ptr<OperatorRun>> Enrich::Start(StateRegion&, int) const {
  return std::unique_ptr<OperatorRun>(std::make_unique<EnrichRun>(parts_));
}

// The columns to take and the names that they get.
bool ReadFields(const StepContext& context, const Node& node,
                std::vector<std::pair<std::string, std::string>>& fields) {
  bool ok = node.IsMap() || node.IsSequence();
  for (const Node& item : node.items) {
    ok = ok && item.IsScalar();
    fields.emplace_back(item.text, item.text);
  }
  for (const Node::Member& member : node.members) {
    ok = ok && member.value.IsScalar();
    fields.emplace_back(member.key, member.value.text);
  }
  if (ok && !fields.empty()) return true;
  context.diagnostics.Error(node.position,
                            "`fields` is a list of columns, or a map of new names and columns");
  return false;
}

std::string_view CodecOf(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  const std::string_view ending = dot == std::string_view::npos ? "" : path.substr(dot + 1);
  return ending == "csv" || ending == "json" || ending == "ndjson" ? ending : "";
}

// Why a table cannot be used is said at the option that brings it.
class TableReader final {
 public:
  TableReader(const StepContext& context, const Options& options)
      : context_(&context), options_(&options) {}

  std::unique_ptr<const LookupTable> Read(LookupColumns columns, std::string& name) const {
    const bool inline_table = options_->table.kind != Node::Kind::kNull;
    if (options_->file.has_value() == inline_table) {
      return Fail(context_->at, "`enrich` has either a `file` or a `table`");
    }
    return inline_table ? OfNode(std::move(columns), name) : OfFile(std::move(columns), name);
  }

 private:
  std::unique_ptr<const LookupTable> Fail(const Position& position, std::string message,
                                          std::string hint = {}) const {
    context_->diagnostics.Error(position, std::move(message), std::move(hint));
    return nullptr;
  }

  std::unique_ptr<const LookupTable> OfNode(LookupColumns columns, std::string& name) const {
    const Node& node = options_->table;
    if (!node.IsSequence()) {
      return Fail(node.position,
                  "`table` is a list of maps, found " + std::string(node.KindName()));
    }
    auto table = LookupTable::FromNode(node, std::move(columns));
    if (!table.ok()) return Fail(node.position, table.error().message + " (`table`)");
    name = "the table";
    return std::move(table).value();
  }

  std::unique_ptr<const LookupTable> OfFile(LookupColumns columns, std::string& name) const {
    const Position& position = context_->node.Find("file")->position;
    const std::string_view all = *options_->file;
    const std::size_t end = all.find('\n');
    // Without a line behind the path it could not be read; that has been said.
    if (end == std::string_view::npos) return nullptr;
    const std::string_view path = all.substr(0, end);
    Node decode = options_->decode;
    if (decode.kind == Node::Kind::kNull) {
      decode = Node::Scalar(std::string(CodecOf(path)), false, position);
      if (decode.text.empty()) {
        return Fail(position, "the ending of `" + std::string(path) + "` does not tell its codec",
                    "name it .csv, .json or .ndjson, or say `decode: csv`");
      }
    }
    const std::unique_ptr<const Format> format =
        CompileFormat(decode, position, context_->diagnostics);
    if (format == nullptr) return nullptr;
    auto table = LookupTable::FromText(all.substr(end + 1), *format, FormatName(decode) == "json",
                                       std::move(columns));
    if (!table.ok()) {
      return Fail(position, "cannot use `" + std::string(path) + "`: " + table.error().message);
    }
    name = path;
    return std::move(table).value();
  }

  const StepContext* context_;
  const Options* options_;
};

std::unique_ptr<const Operator> Compile(StepContext& context) {
  const auto options = Read<Options>(context.node, "enrich", context.diagnostics, &context.at);
  if (!options.has_value()) return nullptr;
  Enrich::Parts parts;
  std::vector<std::pair<std::string, std::string>> fields;
  const bool key_ok = parts.key.Compile(context, options->key);
  if (!ReadFields(context, options->fields, fields) || !key_ok) return nullptr;
  if (parts.key.parts.empty()) {
    context.diagnostics.Error(context.at, "`key` names no field");
    return nullptr;
  }
  LookupColumns columns;
  columns.on = options->on;
  if (columns.on.empty()) {
    for (const KeyPart& part : parts.key.parts) columns.on.push_back(part.name);
  }
  if (columns.on.size() != parts.key.parts.size()) {
    context.diagnostics.Error(context.at, "`on` has " + std::to_string(columns.on.size()) +
                                              " columns, and `key` has " +
                                              std::to_string(parts.key.parts.size()) + " parts");
    return nullptr;
  }
  for (const auto& [name, column] : fields) columns.fields.push_back(column);
  parts.table = TableReader(context, *options).Read(std::move(columns), parts.name);
  if (parts.table == nullptr) return nullptr;
  for (const auto& [name, column] : fields) {
    parts.fields.push_back(context.fields->Intern(name));
    NoteField(context, name, Type::kMissing);
  }
  parts.unmatched = options->unmatched;
  return std::make_unique<Enrich>(std::move(parts));
}

}  // namespace

OperatorSpec operators::enrich() {
  return {"enrich", "Takes fields from a table, such as the site of a device.", Compile,
          Describe<Options>,
          R"(steps:
  - enrich:
      table:
        - { device: a, site: north, limit: 30 }
        - { device: b, site: south, limit: 25 }
      key: device
      fields: [site, limit]
  - filter: temp > limit
tests:
  - send:
      - { topic: in/a, json: { temp: 28.5 } }
      - { topic: in/b, json: { temp: 28.5 } }
    expect:
      - { topic: out/b, json: { temp: 28.5, site: south, limit: 25 } }
)"};
}

}  // namespace runnel

// drop: takes fields away. One that the record does not have is no error.
#include "pipelines/operators/operator.h"

namespace runnel {
namespace {

struct Options {
  std::vector<std::string> fields;
  static void Describe(Schema<Options>& schema) {
    schema.Whole(&Options::fields, "The fields to take away.")
        .NotEmpty()
        .OrSingle()
        .Example("[raw, debug]");
  }
};

class DropRun final : public OperatorRun {
 public:
  explicit DropRun(const std::vector<std::uint16_t>& fields) : fields_(&fields) {}
  Verdict Apply(Record& record, Arena&) override {
    for (const std::uint16_t field : *fields_) record.Remove(field);
    return Verdict::Pass();
  }

 private:
  const std::vector<std::uint16_t>* fields_;
};

class Drop final : public Operator {
 public:
  Drop(std::vector<std::uint16_t> fields, std::string text)
      : fields_(std::move(fields)), text_(std::move(text)) {}
  Result<std::unique_ptr<OperatorRun>> Start(StateRegion&, int) const override {
    return std::unique_ptr<OperatorRun>(std::make_unique<DropRun>(fields_));
  }
  std::string Explain() const override { return "drop  " + text_; }

 private:
  std::vector<std::uint16_t> fields_;
  std::string text_;
};

std::unique_ptr<const Operator> Compile(StepContext& context) {
  const auto options = Read<Options>(context.node, "drop", context.diagnostics, &context.at);
  if (!options.has_value()) return nullptr;
  std::vector<std::uint16_t> fields;
  std::string text;
  std::optional<KnownFields> known;
  if (context.known != nullptr) known = *context.known;
  for (std::size_t i = 0; i < options->fields.size(); ++i) {
    const std::string& name = options->fields[i];
    if (known.has_value() && !known->Has(name)) {
      const std::vector<std::string_view> names(known->names.begin(), known->names.end());
      const std::string_view meant = DidYouMean(name, names);
      context.diagnostics.Error(
          context.node.IsSequence() ? context.node.items[i].position : context.node.position,
          "there is no field `" + name + "` here",
          meant.empty() ? "" : "did you mean `" + std::string(meant) + "`?");
      return nullptr;
    }
    if (known.has_value()) known->Remove(name);
    context.takes_away.push_back(name);
    fields.push_back(context.fields->Intern(name));
    text += (i > 0 ? ", " : "") + name;
  }
  context.produces = std::move(known);
  return std::make_unique<Drop>(std::move(fields), std::move(text));
}

}  // namespace

OperatorSpec operators::drop() {
  return {"drop", "Takes fields away.", Compile, Describe<Options>,
          R"(steps:
  - drop: [raw]
tests:
  - send:
      - { topic: in/a, json: { temp: 21.5, raw: "0x2b" } }
    expect:
      - { topic: out/a, payload: '{"temp":21.5}' }
)"};
}

}  // namespace runnel

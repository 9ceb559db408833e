// rename: gives fields other names, in their place. One that the record does not have is
// no error; one of the new name is replaced.
#include <set>
#include <string>
#include <utility>

#include "pipelines/operators/operator.h"

namespace runnel {
namespace {

struct Options {
  std::vector<std::pair<std::string, std::string>> names;
  static void Describe(Schema<Options>& schema) {
    schema.Whole(&Options::names, "Old names and new ones.").NotEmpty().Example("{ t: temp }");
  }
};

using Pairs = std::vector<std::pair<std::uint16_t, std::uint16_t>>;

class RenameRun final : public OperatorRun {
 public:
  explicit RenameRun(const Pairs& fields) : fields_(&fields) {}
  Verdict Apply(Record& record, Arena&) override {
    for (const auto& [from, to] : *fields_) record.Rename(from, to);
    return Verdict::Pass();
  }

 private:
  const Pairs* fields_;
};

class Rename final : public Operator {
 public:
  Rename(Pairs fields, std::string text) : fields_(std::move(fields)), text_(std::move(text)) {}
  Result<std::unique_ptr<OperatorRun>> Start(StateRegion&, int) const override {
    return std::unique_ptr<OperatorRun>(std::make_unique<RenameRun>(fields_));
  }
  std::string Explain() const override { return "rename  " + text_; }

 private:
  Pairs fields_;
  std::string text_;
};

std::unique_ptr<const Operator> Compile(StepContext& context) {
  const auto options = Read<Options>(context.node, "rename", context.diagnostics, &context.at);
  if (!options.has_value()) return nullptr;
  Pairs fields;
  std::string text;
  std::set<std::string> taken;
  std::optional<KnownFields> known;
  if (context.known != nullptr) known = *context.known;
  for (std::size_t i = 0; i < options->names.size(); ++i) {
    const auto& [from, to] = options->names[i];
    if (!taken.insert(to).second) {
      context.diagnostics.Error(context.node.members[i].value.position,
                                "two fields cannot both be `" + to + "`");
      return nullptr;
    }
    if (known.has_value() && !known->Has(from)) {
      const std::vector<std::string_view> names(known->names.begin(), known->names.end());
      const std::string_view meant = DidYouMean(from, names);
      context.diagnostics.Error(context.node.members[i].position,
                                "there is no field `" + from + "` here",
                                meant.empty() ? "" : "did you mean `" + std::string(meant) + "`?");
      return nullptr;
    }
    if (known.has_value()) {
      known->Remove(from);
      known->Set(to, Type::kMissing);
    }
    context.takes_away.push_back(from);
    context.sets.push_back(to);
    fields.emplace_back(context.fields->Intern(from), context.fields->Intern(to));
    text += (i > 0 ? ", " : "") + from + " to " + to;
  }
  context.produces = std::move(known);
  return std::make_unique<Rename>(std::move(fields), std::move(text));
}

}  // namespace

OperatorSpec operators::rename() {
  return {"rename", "Gives fields other names.", Compile, Describe<Options>,
          R"(steps:
  - rename: { t: temp }
tests:
  - send:
      - { topic: in/a, json: { t: 21.5, ok: true } }
    expect:
      - { topic: out/a, payload: '{"temp":21.5,"ok":true}' }
)"};
}

}  // namespace runnel

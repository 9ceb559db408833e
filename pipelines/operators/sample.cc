// sample: lets one of so many records of a key pass, or a part of them.
//
// Nothing is left to chance: a part is chosen by a hash of the record's number, so that a
// replay chooses the same.
#include <cmath>

#include "pipelines/base/hash.h"
#include "pipelines/operators/keyed.h"

namespace runnel {
namespace {

struct Options : KeyedOptions {
  std::optional<std::int64_t> every;
  std::optional<double> part;
  static void Describe(Schema<Options>& schema) {
    schema.Optional("every", &Options::every, "The first of so many records passes.")
        .Between(1, 1'000'000'000)
        .Example("10");
    schema.Optional("part", &Options::part, "This part of the records passes, spread evenly.")
        .Between(0, 1)
        .Example("0.1");
    DescribeKey(schema);
  }
};

struct State {
  std::uint64_t seen;
};

class Sample final : public KeyedOperator<Sample, State> {
 public:
  Sample(KeyedPlan plan, const Options& options, std::string text)
      : KeyedOperator(std::move(plan), std::move(text)),
        every_(static_cast<std::uint64_t>(options.every.value_or(0))),
        part_(options.part.value_or(0)) {}

  Verdict Decide(State& state, bool, Record&, Arena&) const {
    const std::uint64_t number = state.seen++;
    bool passes = false;
    if (every_ > 0) {
      passes = number % every_ == 0;
    } else {
      const std::uint64_t hash = Hash({reinterpret_cast<const char*>(&number), sizeof number});
      passes = std::ldexp(static_cast<double>(hash >> 11), -53) < part_;
    }
    return passes ? Verdict::Pass() : Verdict::Filtered();
  }

 private:
  std::uint64_t every_;
  double part_;
};

std::unique_ptr<const Operator> Compile(StepContext& context) {
  const auto options = Read<Options>(context.node, "sample", context.diagnostics, &context.at);
  KeyedPlan plan;
  if (!options.has_value() || !plan.Compile(context, *options)) return nullptr;
  if (options->every.has_value() == options->part.has_value()) {
    context.diagnostics.Error(context.at, "`sample` takes `every` or `part`",
                              "`every: 10` lets one of ten pass, `part: 0.1` as many");
    return nullptr;
  }
  const Node* part = context.node.Find("part");
  std::string text = "sample  " + (part == nullptr ? "one of " + std::to_string(*options->every)
                                                   : "a part of " + part->text);
  return std::make_unique<Sample>(std::move(plan), *options, std::move(text));
}

}  // namespace

OperatorSpec operators::sample() {
  return {"sample", "Lets one of so many records of a key pass, or a part of them.", Compile,
          Describe<Options>,
          R"(steps:
  - sample: { every: 2, key: device }
tests:
  - send:
      - { topic: in/a, json: { v: 1 } }
      - { topic: in/a, json: { v: 2 } }
      - { topic: in/a, json: { v: 3 } }
    expect:
      - { topic: out/a, json: { v: 1 } }
      - { topic: out/a, json: { v: 3 } }
)"};
}

}  // namespace runnel

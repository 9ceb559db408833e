// throttle: lets at most so many records of a key pass in each stretch of time.
//
// A stretch begins with the first record behind the last one. Time is the record's.
#include "pipelines/operators/keyed.h"

namespace runnel {
namespace {

struct Options : KeyedOptions {
  Duration every{};
  std::int64_t count = 1;
  static void Describe(Schema<Options>& schema) {
    schema.Required("every", &Options::every, "Length of a stretch of time.")
        .AtLeast(std::chrono::milliseconds(1))
        .Example("10s");
    schema.Optional("count", &Options::count, "Records that pass in each.").Between(1, 1'000'000);
    DescribeKey(schema);
  }
};

struct State {
  std::int64_t begin;  // microseconds
  std::int64_t passed;
};

class Throttle final : public KeyedOperator<Throttle, State> {
 public:
  Throttle(KeyedPlan plan, const Options& options)
      : KeyedOperator(std::move(plan), "throttle  " + std::to_string(options.count) + " every " +
                                           FormatDuration(options.every)),
        every_(options.every.count()),
        count_(options.count) {}

  Verdict Decide(State& state, bool fresh, Record& record, Arena&) const {
    const std::int64_t time = Microseconds(record.time);
    if (fresh || Elapsed(state.begin, time) >= every_) state = {time, 0};
    if (state.passed >= count_) return Verdict::Filtered();
    ++state.passed;
    return Verdict::Pass();
  }

 private:
  std::int64_t every_;
  std::int64_t count_;
};

std::unique_ptr<const Operator> Compile(StepContext& context) {
  const auto options = Read<Options>(context.node, "throttle", context.diagnostics, &context.at);
  KeyedPlan plan;
  if (!options.has_value() || !plan.Compile(context, *options)) return nullptr;
  return std::make_unique<Throttle>(std::move(plan), *options);
}

}  // namespace

OperatorSpec operators::throttle() {
  return {"throttle", "Lets at most so many records of a key pass in each stretch of time.",
          Compile, Describe<Options>,
          R"(steps:
  - throttle: { every: 10s, key: device }
tests:
  - send:
      - { topic: in/a, at: 0s, json: { v: 1 } }
      - { topic: in/a, at: 9s, json: { v: 2 } }
      - { topic: in/a, at: 10s, json: { v: 3 } }
    expect:
      - { topic: out/a, json: { v: 1 } }
      - { topic: out/a, json: { v: 3 } }
)"};
}

}  // namespace runnel

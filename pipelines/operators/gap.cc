// gap: how many numbers of a sequence are missing in front of a record.
//
// The next number is one more than the highest so far; a lower one came late or again and
// misses nothing. With `wrap` the sequence begins at 0 again behind wrap - 1; a number that
// is less than half of it behind is late, one further behind is ahead.
#include "pipelines/expr/expression.h"
#include "pipelines/operators/keyed.h"

namespace runnel {
namespace {

struct Options : KeyedOptions {
  std::string sequence;
  std::string as = "missed";
  std::optional<std::int64_t> wrap;
  bool only = false;
  static void Describe(Schema<Options>& schema) {
    schema.Required("sequence", &Options::sequence, "A whole number that grows by one.")
        .NotEmpty()
        .Example("seq");
    schema.Optional("as", &Options::as, "The field for how many are missing.").NotEmpty();
    schema.Optional("wrap", &Options::wrap, "Behind how many numbers it begins again.")
        .Between(2, INT64_C(1) << 62)
        .Example("65536");
    schema.Optional("only", &Options::only,
                    "Only records pass in front of which some are missing.");
    DescribeKey(schema);
  }
};

struct State {
  std::int64_t last;
};

class Gap final : public KeyedOperator<Gap, State> {
 public:
  Gap(KeyedPlan plan, std::string text, const Options& options,
      std::unique_ptr<Expression> sequence, std::uint16_t as)
      : KeyedOperator(std::move(plan), std::move(text)),
        sequence_(std::move(sequence)),
        wrap_(options.wrap.value_or(0)),
        only_(options.only),
        as_(as) {}

  Verdict Decide(State& state, bool fresh, Record& record, Arena& arena) const {
    if (fresh) state.last = kNone;
    const Value value = sequence_->Evaluate(record, arena);
    if (value.IsError()) return Verdict::Failed(value.Reason());
    if (value.type() != Type::kInt ||
        (wrap_ > 0 && (value.AsInt() < 0 || value.AsInt() >= wrap_))) {
      return Verdict::Failed("gap_not_a_sequence_number");
    }
    const std::int64_t missed = Take(state, value.AsInt());
    record.Show(as_, Value::Int(missed));
    return only_ && missed == 0 ? Verdict::Filtered() : Verdict::Pass();
  }

 private:
  static constexpr std::int64_t kNone = INT64_MIN;

  std::int64_t Take(State& state, std::int64_t number) const {
    if (state.last == kNone) {
      state.last = number;
      return 0;
    }
    std::int64_t ahead = 0;
    if (__builtin_sub_overflow(number, state.last, &ahead)) {
      ahead = number > state.last ? INT64_MAX : INT64_MIN;
    }
    if (wrap_ > 0) {
      ahead = (number - state.last + wrap_) % wrap_;
      if (ahead > wrap_ / 2) ahead -= wrap_;
    }
    if (ahead <= 0) return 0;
    state.last = number;
    return ahead - 1;
  }

  std::unique_ptr<Expression> sequence_;
  std::int64_t wrap_;
  bool only_;
  std::uint16_t as_;
};

std::unique_ptr<const Operator> Compile(StepContext& context) {
  const auto options = Read<Options>(context.node, "gap", context.diagnostics, &context.at);
  KeyedPlan plan;
  if (!options.has_value() || !plan.Compile(context, *options)) return nullptr;
  std::unique_ptr<Expression> sequence = CompileNumber(context, "sequence", options->sequence);
  if (sequence == nullptr) return nullptr;
  NoteField(context, options->as, Type::kInt);
  return std::make_unique<Gap>(std::move(plan), "gap  " + options->as + " of " + options->sequence,
                               *options, std::move(sequence), context.fields->Intern(options->as));
}

}  // namespace

OperatorSpec operators::gap() {
  return {"gap", "How many numbers of a sequence are missing in front of a record.", Compile,
          Describe<Options>,
          R"(steps:
  - gap: { sequence: seq, key: device }
tests:
  - send:
      - { topic: in/a, json: { seq: 1 } }
      - { topic: in/a, json: { seq: 2 } }
      - { topic: in/a, json: { seq: 5 } }
    expect:
      - { topic: out/a, json: { seq: 1, missed: 0 } }
      - { topic: out/a, json: { seq: 2, missed: 0 } }
      - { topic: out/a, json: { seq: 5, missed: 2 } }
)"};
}

}  // namespace runnel

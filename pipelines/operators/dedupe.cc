// dedupe: lets a record pass once: one with the same id within the ttl does not.
//
// The ttl counts from the record that passed. Ids are remembered whole, so two are never
// taken for one; at ids_max the one that was silent longest is forgotten.
#include "pipelines/operators/keyed.h"

namespace runnel {
namespace {

struct Options {
  Node id;
  Node key;
  Duration ttl{};
  std::int64_t ids_max = 10'000;
  static void Describe(Schema<Options>& schema) {
    schema
        .Required("id", &Options::id,
                  "A field or expression, or a list of them, that tells records apart.")
        .Example("seq");
    schema.Required("ttl", &Options::ttl, "How long an id is remembered.")
        .AtLeast(std::chrono::milliseconds(1))
        .Example("10m");
    schema.Optional("key", &Options::key, "Ids count within a key.").Example("device");
    schema.Optional("ids_max", &Options::ids_max, "Ids that a task remembers.")
        .Between(1, 10'000'000);
  }
};

struct State {
  std::int64_t passed;  // microseconds
};

class Dedupe final : public KeyedOperator<Dedupe, State> {
 public:
  Dedupe(KeyedPlan plan, const Options& options)
      : KeyedOperator(std::move(plan), "dedupe  ttl " + FormatDuration(options.ttl)),
        ttl_(options.ttl.count()) {}

  Verdict Decide(State& state, bool fresh, Record& record, Arena&) const {
    const std::int64_t time = Microseconds(record.time);
    if (!fresh && Elapsed(state.passed, time) < ttl_) return Verdict::Filtered();
    state.passed = time;
    return Verdict::Pass();
  }

 private:
  std::int64_t ttl_;
};

// One list of the parts of the key and of the id.
Node Join(const Node& key, const Node& id) {
  Node all;
  all.kind = Node::Kind::kSequence;
  all.position = id.position;
  for (const Node* node : {&key, &id}) {
    if (node->IsSequence()) {
      all.items.insert(all.items.end(), node->items.begin(), node->items.end());
    } else if (node->kind != Node::Kind::kNull) {
      all.items.push_back(*node);
    }
  }
  return all;
}

std::unique_ptr<const Operator> Compile(StepContext& context) {
  const auto options = Read<Options>(context.node, "dedupe", context.diagnostics, &context.at);
  if (!options.has_value()) return nullptr;
  KeyedOptions keyed;
  keyed.key = Join(options->key, options->id);
  keyed.keys_max = options->ids_max;
  KeyedPlan plan;
  if (!plan.Compile(context, keyed)) return nullptr;
  return std::make_unique<Dedupe>(std::move(plan), *options);
}

}  // namespace

OperatorSpec operators::dedupe() {
  return {"dedupe", "Lets a record pass once: one with the same id within the ttl does not.",
          Compile, Describe<Options>,
          R"(steps:
  - dedupe: { id: seq, key: device, ttl: 1m }
tests:
  - send:
      - { topic: in/a, at: 0s, json: { seq: 1 } }
      - { topic: in/a, at: 1s, json: { seq: 1 } }
      - { topic: in/b, at: 1s, json: { seq: 1 } }
    expect:
      - { topic: out/a, json: { seq: 1 } }
      - { topic: out/b, json: { seq: 1 } }
)"};
}

}  // namespace runnel

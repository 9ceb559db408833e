#include <algorithm>
#include <utility>

#include "pipelines/base/hash.h"
#include "pipelines/codecs/codecs.h"
#include "pipelines/plan/compiled_plan.h"
#include "pipelines/plan/endpoints.h"
#include "pipelines/plan/registry.h"

namespace runnel {
namespace {

struct TimestampOptions {
  std::string field;
  TimeUnit unit = TimeUnit::kMilliseconds;
  static void Describe(Schema<TimestampOptions>& schema) {
    schema.Required("field", &TimestampOptions::field, "The field with the event time.").NotEmpty();
    schema.Optional("unit", &TimestampOptions::unit, "Of a number; text is RFC 3339.")
        .OneOf({{"s", TimeUnit::kSeconds},
                {"ms", TimeUnit::kMilliseconds},
                {"us", TimeUnit::kMicroseconds},
                {"ns", TimeUnit::kNanoseconds}});
    schema.Shorthand("field");
  }
};

struct FileOptions {
  std::optional<std::string> name;
  Node source;
  Node decode;
  std::vector<std::pair<std::string, Type>> schema;
  std::optional<TimestampOptions> timestamp;
  std::vector<Node> steps;
  Node sink;
  std::vector<std::pair<std::string, Node>> sinks;
  Node late;
  Node encode;
  std::int64_t partitions = 4;
  std::vector<std::pair<std::string, std::string>> zones;
  std::vector<Node> tests;

  static void Describe(Schema<FileOptions>& schema) {
    schema.Optional("name", &FileOptions::name, "Name of the pipeline; the file's without it.");
    schema.Required("source", &FileOptions::source, "Where messages come from.");
    schema.Optional("decode", &FileOptions::decode,
                    "How a payload becomes a record: a codec, or one with its options.");
    schema
        .Optional("schema", &FileOptions::schema,
                  "The fields of a record and their types; others are errors in expressions, and "
                  "records of other types are dead letters.")
        .OneOf({{"any", Type::kMissing},
                {"bool", Type::kBool},
                {"int", Type::kInt},
                {"double", Type::kDouble},
                {"string", Type::kString},
                {"list", Type::kList},
                {"map", Type::kMap}})
        .Example("{ temp: double, device: string }");
    schema.Optional("timestamp", &FileOptions::timestamp,
                    "The field with the event time; without it time is arrival.");
    schema.Optional("steps", &FileOptions::steps, "What is done, in order.");
    schema.Required("sink", &FileOptions::sink, "Where results go.");
    schema.Optional("sinks", &FileOptions::sinks, "More sinks by name, for `switch`.");
    schema.Optional("late", &FileOptions::late,
                    "Where late records go; without it they are dead letters.");
    schema.Optional("encode", &FileOptions::encode,
                    "How a result becomes a payload: a codec, or one with its options.");
    schema
        .Optional(
            "partitions", &FileOptions::partitions,
            "Tasks that the keys are spread over; more of them use more workers. Open windows are "
            "emitted as partial when it is changed to a number that does not divide it, or from "
            "or to 1 where a key is from the payload.")
        .Between(1, 64);
    schema
        .Optional("zones", &FileOptions::zones,
                  "The rules of time zones that expressions name: the first offset in seconds, "
                  "then each time and its offset; those of the zone database without it.")
        .Example("{ Middle/Europe: 3600 1711846800:7200 1729990800:3600 }");
    schema.Optional("tests", &FileOptions::tests, "Cases for `runnel test`.");
  }
};

}  // namespace

class PlanCompiler final {
 public:
  PlanCompiler(const Node& root, std::string_view name, const Registry& registry,
               const PlanLimits& limits, Diagnostics& diagnostics)
      : root_(root),
        registry_(registry),
        diagnostics_(diagnostics),
        errors_before_(diagnostics.errors()),
        plan_(std::make_unique<CompiledPlan>()) {
    plan_->name_ = std::string(name);
    plan_->limits = limits;
  }

  std::unique_ptr<const Plan> Run() {
    // What else is wrong is told too.
    all_read_ = ReadInto(options_, root_, "pipeline", diagnostics_);
    if (options_.name.has_value()) plan_->name_ = *options_.name;
    plan_->fingerprint_ = Hash(root_.Encode());
    plan_->tables.push_back(std::make_unique<FieldTable>());
    CheckCodecs();
    ReadEndpoints();
    ReadTimestamp();
    ReadSchema();
    ReadZones();
    for (std::size_t i = 0; i < options_.steps.size(); ++i) CompileStep(i);
    CompileSinks();
    WarnOfUnusedSinks();
    // A step that is wrong may have been one.
    if (options_.late.kind != Node::Kind::kNull && !late_table_.has_value() && AllStepsAreRight()) {
      diagnostics_.Error(PlaceOf("late"), "`late` without a window: nothing is ever late");
    }
    if (!all_read_) return nullptr;
    // What is missing for an error that was found when the file was read is not one again.
    if (!AllStepsAreRight() || diagnostics_.errors() != errors_before_) return nullptr;
    if (known_.has_value()) plan_->result_fields = known_->names;
    DecideFields();
    DecideStages();
    return std::move(plan_);
  }

 private:
  bool AllStepsAreRight() const {
    return plan_->steps.size() == options_.steps.size() &&
           std::all_of(plan_->steps.begin(), plan_->steps.end(),
                       [](const CompiledStep& step) { return step.op != nullptr; });
  }
  FieldTable& Fields() { return *plan_->tables.back(); }
  const Position& PlaceOf(std::string_view key) const {
    for (const Node::Member& member : root_.members) {
      if (member.key == key) return member.position;
    }
    return root_.position;
  }

  void CheckCodecs() {
    plan_->decode = std::string(FormatName(options_.decode));
    plan_->encode = std::string(FormatName(options_.encode));
    plan_->decode_format = CompileFormat(options_.decode, PlaceOf("decode"), diagnostics_);
    plan_->encode_format = CompileFormat(options_.encode, PlaceOf("encode"), diagnostics_);
  }

  void ReadEndpoints() {
    // One that is missing is an error by now.
    const bool has_source = all_read_ || options_.source.kind != Node::Kind::kNull;
    if (std::optional<MqttSource> source =
            !has_source ? std::nullopt
                        : ReadSource(options_.source, PlaceOf("source"), diagnostics_)) {
      plan_->source_ = std::move(*source);
    }
    for (const Capture& capture : CapturesOf(plan_->source_.topic)) {
      plan_->captures.push_back(capture.name);
      plan_->capture_fields.push_back(Fields().Intern(capture.name));
      plan_->capture_levels.push_back(capture.level);
      if (!capture.at.has_value()) continue;
      plan_->captures_from = capture.level;
      plan_->captures_at = *capture.at;
    }
    if (all_read_ || options_.sink.kind != Node::Kind::kNull) {
      AddSink(options_.sink, PlaceOf("sink"), "sink", 0);
    }
    for (std::size_t i = 0; i < options_.sinks.size(); ++i) {
      const Node::Member& member = root_.Find("sinks")->members[i];
      const std::uint64_t tag = Hash("sinks." + member.key);
      if (AddSink(member.value, member.position, member.key, tag)) {
        sink_names_.push_back(member.key);
        sinks_used_.push_back(false);
      }
    }
    if (options_.late.kind == Node::Kind::kNull) return;
    if (AddSink(options_.late, PlaceOf("late"), "late", Hash("late"))) {
      plan_->late = static_cast<std::uint16_t>(plan_->sinks_.size() - 1);
    }
  }

  bool AddSink(const Node& node, const Position& at, const std::string& name, std::uint64_t tag) {
    std::optional<MqttSink> sink = ReadSink(node, at, name, diagnostics_);
    if (!sink.has_value()) return false;
    sink->tag = tag;
    plan_->sinks_.push_back(std::move(*sink));
    const Node* kind = node.Find("mqtt");
    const Node* topic = kind == nullptr ? nullptr : kind->Find("topic");
    sink_places_.push_back(topic == nullptr ? node.position : topic->position);
    return true;
  }

  void ReadTimestamp() {
    if (!options_.timestamp.has_value()) return;
    plan_->timestamp = Fields().Intern(options_.timestamp->field);
    plan_->unit = options_.timestamp->unit;
  }

  void ReadSchema() {
    if (options_.schema.empty()) return;
    known_.emplace();
    for (const auto& [name, type] : options_.schema) {
      known_->Set(name, type);
      plan_->schema.push_back({Fields().Intern(name), type});
    }
    for (const std::string& capture : plan_->captures) known_->Set(capture, Type::kString);
    if (options_.timestamp.has_value() && !known_->Has(options_.timestamp->field)) {
      known_->Set(options_.timestamp->field, Type::kMissing);
    }
  }

  void ReadZones() {
    for (std::size_t i = 0; i < options_.zones.size(); ++i) {
      const auto& [name, rules] = options_.zones[i];
      std::optional<Zone> zone = Zone::Parse(name + " " + rules);
      if (zone.has_value()) {
        plan_->zones.emplace(name, std::move(*zone));
        continue;
      }
      diagnostics_.Error(root_.Find("zones")->members[i].value.position,
                         "`" + name + "` has no rules of a time zone",
                         "such as `3600 1711846800:7200 1729990800:3600`");
    }
  }

  // Of a step that has several keys, or none.
  std::string StepHint(const Node& step) const {
    if (!step.IsMap() || step.members.empty()) return {};
    const Node::Member& first = step.members[0];
    if (registry_.FindOperator(first.key) == nullptr) return {};
    if (first.value.kind == Node::Kind::kNull) {
      return "indent the options of `" + first.key + "` by two blanks more than its name";
    }
    return registry_.FindOperator(step.members[1].key) == nullptr
               ? ""
               : "begin each with `- ` on a line of its own";
  }

  void CompileStep(std::size_t index) {
    const Node& step = options_.steps[index];
    if (!step.IsMap() || step.members.size() != 1) {
      diagnostics_.Error(step.position,
                         "a step is one operator with its options, such as `filter: temp > 20`",
                         StepHint(step));
      return;
    }
    const Node::Member& member = step.members[0];
    const OperatorSpec* spec = registry_.FindOperator(member.key);
    if (spec == nullptr) {
      const std::string_view meant = DidYouMean(member.key, registry_.OperatorNames());
      diagnostics_.Error(member.position, "unknown operator `" + member.key + "`",
                         meant.empty() ? "" : "did you mean `" + std::string(meant) + "`?");
      return;
    }
    FieldTable produced;
    StepContext context{.node = member.value,
                        .at = member.position,
                        .stage = "steps[" + std::to_string(index) + "]." + member.key,
                        .registry = registry_,
                        .diagnostics = diagnostics_,
                        .fields = &Fields(),
                        .known = known_.has_value() ? &*known_ : nullptr,
                        .zones = &plan_->zones,
                        .event_time = plan_->timestamp.has_value() || made_records_ || !all_read_,
                        .use = plan_->limits.use,
                        .captures = &plan_->captures,
                        .sinks = &sink_names_,
                        .sinks_used = &sinks_used_,
                        .produces = std::nullopt,
                        .produced_fields = &produced,
                        .drops_unmentioned = false,
                        .forgets_fields = false,
                        .sets = {},
                        .takes_away = {}};
    CompiledStep compiled;
    compiled.label = context.stage;
    compiled.table = plan_->tables.size() - 1;
    compiled.op = spec->compile(context);
    const bool makes = compiled.op != nullptr && compiled.op->MakesRecords();
    if (context.produces.has_value()) known_ = std::move(context.produces);
    // Of what a wrong step would leave nobody knows; a filter leaves what came.
    const bool wrong = compiled.op == nullptr && member.key != "filter";
    if (context.forgets_fields || wrong) known_.reset();
    drops_unmentioned_ |= context.drops_unmentioned || makes;
    if (makes) {
      if (!late_table_.has_value()) late_table_ = compiled.table;
      made_records_ = true;
      plan_->tables.push_back(std::make_unique<FieldTable>(std::move(produced)));
    }
    compiled.produced_table = plan_->tables.size() - 1;
    std::vector<std::string> changes = std::move(context.takes_away);
    changes.insert(changes.end(), context.sets.begin(), context.sets.end());
    keys_.push_back(
        {compiled.op == nullptr ? std::nullopt : compiled.op->Key(), std::move(changes)});
    compiled.sets = std::move(context.sets);
    plan_->steps.push_back(std::move(compiled));
  }

  void CompileSinks() {
    for (std::size_t i = 0; i < plan_->sinks_.size(); ++i) {
      const bool late = plan_->late == i;
      const std::size_t table = late ? late_table_.value_or(0) : plan_->tables.size() - 1;
      const KnownFields* known = !late && known_.has_value() ? &*known_ : nullptr;
      std::optional<TopicTemplate> compiled = TopicTemplate::Compile(
          plan_->sinks_[i].topic, sink_places_[i], *plan_->tables[table], known, diagnostics_);
      if (compiled.has_value()) {
        plan_->compiled_sinks.push_back({std::move(*compiled), table});
      }
    }
  }

  void WarnOfUnusedSinks() {
    if (!all_read_ || !AllStepsAreRight() || sink_names_.size() != options_.sinks.size()) return;
    for (std::size_t i = 0; i < sink_names_.size(); ++i) {
      if (sinks_used_[i]) continue;
      diagnostics_.Warning(root_.Find("sinks")->members[i].position,
                           "nothing goes to `" + sink_names_[i] + "`",
                           "a `switch` step names the sink of a record");
    }
  }

  void DecideFields() {
    plan_->whole_record = !drops_unmentioned_;
    plan_->unmentioned = plan_->whole_record ? Unmentioned::kKeep : Unmentioned::kSkip;
  }

  void DecideStages() {
    const auto partitions = static_cast<std::uint32_t>(options_.partitions);
    plan_->layout = Partition(keys_, plan_->captures, partitions);
    for (const StageLayout& stage : plan_->layout) plan_->partitions_.push_back(stage.tasks);
    plan_->exchange_digest_ = ExchangeDigest();
    plan_->sharding_.partitions = partitions;
    for (const std::string& name : plan_->layout[0].spread_by) {
      const auto at = std::find(plan_->captures.begin(), plan_->captures.end(), name);
      plan_->sharding_.captures.push_back(static_cast<std::uint16_t>(at - plan_->captures.begin()));
    }
  }

  std::uint64_t ExchangeDigest() const {
    std::uint64_t digest = plan_->layout.size();
    if (digest == 1) return digest;
    const auto add = [&digest](std::uint64_t number) {
      digest = Hash({reinterpret_cast<const char*>(&number), sizeof number}, digest);
    };
    for (std::size_t stage = 1; stage < plan_->layout.size(); ++stage) {
      add(plan_->TableOf(stage).Digest());
      for (const std::string& name : plan_->layout[stage].spread_by) digest = Hash(name, digest);
    }
    // What records have behind them: it must not be done again, nor left out.
    for (std::size_t step = 0; step < plan_->layout.back().first; ++step) {
      digest = Hash(plan_->steps[step].op->EffectMark(), digest);
    }
    // A later stage may look for the captures in the topic.
    for (std::size_t i = 0; i < plan_->captures.size(); ++i) {
      digest = Hash(plan_->captures[i], digest);
      add(plan_->capture_levels[i]);
    }
    add(plan_->captures_from);
    add(plan_->captures_at);
    add(plan_->whole_record ? 1 : 0);
    // Records say by its number which sink is theirs.
    for (const MqttSink& sink : plan_->sinks_) add(sink.tag);
    return digest;
  }

  const Node& root_;
  const Registry& registry_;
  Diagnostics& diagnostics_;
  std::size_t errors_before_;
  std::unique_ptr<CompiledPlan> plan_;
  FileOptions options_;
  bool all_read_ = false;  // otherwise `options_` has what could be read
  std::optional<KnownFields> known_;
  std::vector<StepKey> keys_;              // of the steps
  std::optional<std::size_t> late_table_;  // of what comes into the first window
  bool made_records_ = false;              // a step has: their time is that of a window
  std::vector<std::string> sink_names_;    // of `sinks:`
  std::vector<bool> sinks_used_;           // of each, whether a step names it
  std::vector<Position> sink_places_;      // of the topics of all sinks
  bool drops_unmentioned_ = false;
};

std::unique_ptr<const Plan> CompilePlan(const Node& root, std::string_view name,
                                        const Registry& registry, const PlanLimits& limits,
                                        Diagnostics& diagnostics) {
  return PlanCompiler(root, name, registry, limits, diagnostics).Run();
}

std::uint64_t CompiledPlan::StateBytesMax(std::size_t stage) const {
  std::uint64_t bytes = 16 * 1024;
  for (std::size_t i = FirstStep(stage); i < EndStep(stage); ++i) {
    bytes += steps[i].op->StateBytesMax();
  }
  return bytes;
}

bool CompiledPlan::HasState(std::size_t stage) const {
  for (std::size_t i = FirstStep(stage); i < EndStep(stage); ++i) {
    if (steps[i].op->StateBytesMax() > 0) return true;
  }
  return false;
}

namespace {

std::string WhySpread(const CompiledPlan& plan, std::size_t stage) {
  const StageLayout& layout = plan.layout[stage];
  std::string names;
  for (const std::string& name : layout.spread_by) names += (names.empty() ? "" : ", ") + name;
  if (stage > 0 && names.empty()) return "it has all records, one by one over the exchange";
  if (stage > 0) return "one by one over the exchange by the key: " + names;
  if (!names.empty()) return "by what the topic says of the key: " + names;
  return layout.tasks == 1 ? "as `partitions: 1` says" : "by topic";
}

}  // namespace

std::string CompiledPlan::Explain() const {
  std::string text = "pipeline " + name() + "\n";
  text += "  source  mqtt `" + source().topic + "`, qos " + std::to_string(source().qos) +
          ", decode " + decode + "\n";
  for (std::size_t stage = 0; stage < stages(); ++stage) {
    text += "  stage " + std::to_string(stage) + ": " + std::to_string(partitions(stage)) +
            (partitions(stage) == 1 ? " task, " : " tasks, ") + WhySpread(*this, stage) + "\n";
    for (std::size_t i = FirstStep(stage); i < EndStep(stage); ++i) {
      text += "    " + steps[i].op->Explain() + "\n";
      if (const std::uint64_t bytes = steps[i].op->StateBytesPerKey(); bytes > 0) {
        text += "        state: about " + std::to_string(bytes) + " bytes a key\n";
      }
    }
  }
  for (std::size_t i = 0; i < sinks().size(); ++i) {
    text += std::string(late == i ? "  late    " : "  sink    ") + "mqtt `" + sinks()[i].topic +
            "`, qos " + std::to_string(sinks()[i].qos) + ", encode " + encode + "\n";
  }
  return text;
}

std::vector<OptionDoc> DescribePipeline() { return Describe<FileOptions>(); }

void RegisterAll(Registry& registry) {
#define OPERATOR(name) registry.Add(operators::name());
#include "pipelines/operators/operators.def"
#undef OPERATOR
#define AGGREGATE(name) registry.Add(aggregates::name());
#include "pipelines/aggregates/aggregates.def"
#undef AGGREGATE
}

}  // namespace runnel

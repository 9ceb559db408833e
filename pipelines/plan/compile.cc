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
  std::optional<TimestampOptions> timestamp;
  std::vector<Node> steps;
  Node sink;
  Node late;
  Node encode;
  std::int64_t partitions = 4;
  std::vector<Node> tests;

  static void Describe(Schema<FileOptions>& schema) {
    schema.Optional("name", &FileOptions::name, "Name of the pipeline; the file's without it.");
    schema.Required("source", &FileOptions::source, "Where messages come from.");
    schema.Optional("decode", &FileOptions::decode,
                    "How a payload becomes a record: a codec, or one with its options.");
    schema.Optional("timestamp", &FileOptions::timestamp,
                    "The field with the event time; without it time is arrival.");
    schema.Optional("steps", &FileOptions::steps, "What is done, in order.");
    schema.Required("sink", &FileOptions::sink, "Where results go.");
    schema.Optional("late", &FileOptions::late,
                    "Where late records go; without it they are dead letters.");
    schema.Optional("encode", &FileOptions::encode,
                    "How a result becomes a payload: a codec, or one with its options.");
    schema
        .Optional("partitions", &FileOptions::partitions,
                  "Tasks that the keys are spread over; more of them use more workers.")
        .Between(1, 64);
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
    std::optional<FileOptions> options = Read<FileOptions>(root_, "pipeline", diagnostics_);
    if (!options.has_value()) return nullptr;
    options_ = std::move(*options);
    if (options_.name.has_value()) plan_->name_ = *options_.name;
    plan_->fingerprint_ = Hash(root_.Encode());
    plan_->tables.push_back(std::make_unique<FieldTable>());
    CheckCodecs();
    ReadEndpoints();
    ReadTimestamp();
    for (std::size_t i = 0; i < options_.steps.size(); ++i) CompileStep(i);
    CompileSinks();
    if (options_.late.kind != Node::Kind::kNull && !window_.has_value()) {
      diagnostics_.Error(PlaceOf("late"), "`late` without a window: nothing is ever late");
    }
    if (diagnostics_.errors() != errors_before_) return nullptr;
    DecideFields();
    DecideStages();
    return std::move(plan_);
  }

 private:
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
    if (std::optional<MqttSource> source =
            ReadSource(options_.source, PlaceOf("source"), diagnostics_)) {
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
    if (std::optional<MqttSink> sink =
            ReadSink(options_.sink, PlaceOf("sink"), "sink", diagnostics_)) {
      plan_->sinks_.push_back(std::move(*sink));
    }
    if (options_.late.kind == Node::Kind::kNull) return;
    if (std::optional<MqttSink> late =
            ReadSink(options_.late, PlaceOf("late"), "late", diagnostics_)) {
      plan_->sinks_.push_back(std::move(*late));
    }
  }

  void ReadTimestamp() {
    if (!options_.timestamp.has_value()) return;
    plan_->timestamp = Fields().Intern(options_.timestamp->field);
    plan_->unit = options_.timestamp->unit;
  }

  void CompileStep(std::size_t index) {
    const Node& step = options_.steps[index];
    if (!step.IsMap() || step.members.size() != 1) {
      diagnostics_.Error(step.position,
                         "a step is one operator with its options, such as `filter: temp > 20`");
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
                        .event_time = plan_->timestamp.has_value(),
                        .captures = &plan_->captures,
                        .produces = std::nullopt,
                        .produced_fields = &produced,
                        .drops_unmentioned = false};
    CompiledStep compiled;
    compiled.label = context.stage;
    compiled.table = plan_->tables.size() - 1;
    compiled.op = spec->compile(context);
    const bool windowed = compiled.op != nullptr && compiled.op->Key().has_value();
    if (windowed && window_.has_value()) {
      diagnostics_.Error(member.position, "a second window in one pipeline is not in this version",
                         "publish the first one's results and window them in another pipeline");
    }
    if (context.produces.has_value()) known_ = std::move(context.produces);
    if (member.key == "set" && compiled.op != nullptr) NoteSet(member.value);
    drops_unmentioned_ |= context.drops_unmentioned;
    if (windowed) {
      window_ = plan_->steps.size();
      plan_->tables.push_back(std::make_unique<FieldTable>(std::move(produced)));
    }
    plan_->steps.push_back(std::move(compiled));
  }

  void NoteSet(const Node& fields) {
    if (window_.has_value()) return;
    for (const Node::Member& field : fields.members) set_.push_back(field.key);
  }

  void CompileSinks() {
    for (std::size_t i = 0; i < plan_->sinks_.size(); ++i) {
      const bool late = i == 1;
      const Node* kind = (late ? options_.late : options_.sink).Find("mqtt");
      const Node* topic = kind == nullptr ? nullptr : kind->Find("topic");
      const std::size_t table = late ? 0 : plan_->tables.size() - 1;
      const std::vector<std::string>* known = !late && known_.has_value() ? &*known_ : nullptr;
      std::optional<TopicTemplate> compiled = TopicTemplate::Compile(
          plan_->sinks_[i].topic, topic == nullptr ? root_.position : topic->position,
          *plan_->tables[table], known, diagnostics_);
      if (compiled.has_value()) {
        plan_->compiled_sinks.push_back({std::move(*compiled), table});
      }
    }
  }

  void DecideFields() {
    plan_->whole_record = !window_.has_value() && !drops_unmentioned_;
    plan_->unmentioned = plan_->whole_record ? Unmentioned::kKeep : Unmentioned::kSkip;
  }

  void DecideStages() {
    const auto partitions = static_cast<std::uint32_t>(options_.partitions);
    plan_->sharding_.partitions = partitions;
    plan_->partitions_ = {partitions};
    plan_->cut = plan_->steps.size();
    if (!window_.has_value()) {
      plan_->why_partitioned = "by topic: no step needs all records of a key in one place";
      return;
    }
    const std::vector<std::string> key = *plan_->steps[*window_].op->Key();
    if (partitions == 1) {
      plan_->why_partitioned = "one task, as `partitions: 1` says";
    } else if (key.empty()) {
      plan_->cut = *window_;
      plan_->partitions_ = {partitions, 1};
      plan_->why_partitioned = "by topic; the window has no key, so one task owns it";
    } else if (KeyIsInTopic(key)) {
      plan_->why_partitioned = "by the captures of the topic that make the key";
    } else {
      plan_->cut = *window_;
      plan_->partitions_ = {partitions, partitions};
      plan_->why_partitioned = "by topic, then over the exchange by a key that the payload knows";
    }
  }

  // Whether every part of the key is a capture that no step has changed; notes which.
  bool KeyIsInTopic(const std::vector<std::string>& key) {
    std::vector<std::uint16_t> captures;
    for (const std::string& part : key) {
      const auto found = std::find(plan_->captures.begin(), plan_->captures.end(), part);
      if (found == plan_->captures.end()) return false;
      if (std::find(set_.begin(), set_.end(), part) != set_.end()) return false;
      captures.push_back(static_cast<std::uint16_t>(found - plan_->captures.begin()));
    }
    plan_->sharding_.captures = std::move(captures);
    return true;
  }

  const Node& root_;
  const Registry& registry_;
  Diagnostics& diagnostics_;
  std::size_t errors_before_;
  std::unique_ptr<CompiledPlan> plan_;
  FileOptions options_;
  std::optional<std::vector<std::string>> known_;
  std::optional<std::size_t> window_;
  std::vector<std::string> set_;  // names that `set` steps in front of the window make
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

std::string CompiledPlan::Explain() const {
  std::string text = "pipeline " + name() + "\n";
  text += "  source  mqtt `" + source().topic + "`, qos " + std::to_string(source().qos) +
          ", decode " + decode + "\n";
  for (std::size_t stage = 0; stage < stages(); ++stage) {
    text += "  stage " + std::to_string(stage) + ": " + std::to_string(partitions(stage)) +
            (partitions(stage) == 1 ? " task" : " tasks");
    text += stage == 0 ? ", " + why_partitioned + "\n" : "\n";
    for (std::size_t i = FirstStep(stage); i < EndStep(stage); ++i) {
      text += "    " + steps[i].op->Explain() + "\n";
    }
  }
  for (std::size_t i = 0; i < sinks().size(); ++i) {
    text += std::string(i == 0 ? "  sink    " : "  late    ") + "mqtt `" + sinks()[i].topic +
            "`, qos " + std::to_string(sinks()[i].qos) + ", encode " + encode + "\n";
  }
  return text;
}

void RegisterAll(Registry& registry) {
#define OPERATOR(name) registry.Add(operators::name());
#include "pipelines/operators/operators.def"
#undef OPERATOR
#define AGGREGATE(name) registry.Add(aggregates::name());
#include "pipelines/aggregates/aggregates.def"
#undef AGGREGATE
}

}  // namespace runnel

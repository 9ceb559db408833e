// CompiledPlan: what CompilePlan makes and the stages run from.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pipelines/codecs/codec.h"
#include "pipelines/expr/expression.h"
#include "pipelines/operators/operator.h"
#include "pipelines/plan/partitioning.h"
#include "pipelines/plan/plan.h"
#include "pipelines/plan/topic_template.h"

namespace runnel {

enum class TimeUnit : std::uint8_t { kSeconds, kMilliseconds, kMicroseconds, kNanoseconds };

struct CompiledStep {
  std::string label;  // `steps[2].filter`
  std::unique_ptr<const Operator> op;
  std::size_t table = 0;           // of the records that come in; index into CompiledPlan::tables
  std::size_t produced_table = 0;  // of the records that it produces
  std::vector<std::string> sets;   // fields that it gives values
};

struct SchemaField {
  std::uint16_t field = 0;  // in tables[0]
  Type type = Type::kMissing;
};

struct CompiledSink {
  TopicTemplate topic;
  std::size_t table = 0;
};

class CompiledPlan final : public Plan {
 public:
  std::uint64_t StateBytesMax(std::size_t stage) const override;
  bool HasState(std::size_t stage) const override;
  const std::vector<std::string>& SpreadBy(std::size_t stage) const override {
    return layout[stage].spread_by;
  }
  std::string Explain() const override;

  std::size_t FirstStep(std::size_t stage) const { return layout[stage].first; }
  std::size_t EndStep(std::size_t stage) const {
    return stage + 1 == stages() ? steps.size() : layout[stage + 1].first;
  }
  // The table of the records that come into a stage.
  const FieldTable& TableOf(std::size_t stage) const { return *tables[InputTable(stage)]; }
  std::size_t InputTable(std::size_t stage) const {
    return stage == 0 ? 0 : steps[FirstStep(stage)].table;
  }

  std::string decode = "json";  // names, for explain
  std::string encode = "json";
  std::unique_ptr<const Format> decode_format;
  std::unique_ptr<const Format> encode_format;
  // Records have a table each until a window makes records of a new kind.
  std::vector<std::unique_ptr<FieldTable>> tables;
  // The only fields of what passes all steps, where that is known: behind a window, or by schema.
  std::optional<std::vector<std::string>> result_fields;
  std::vector<std::string> captures;          // of the topic, in order
  std::vector<std::uint16_t> capture_fields;  // their fields in tables[0]
  std::vector<std::uint32_t> capture_levels;  // of the topic, from 0
  // A level before which there is none of these, and where it begins in every topic.
  std::uint32_t captures_from = 0;
  std::size_t captures_at = 0;
  Unmentioned unmentioned = Unmentioned::kSkip;
  bool whole_record = false;               // passes on what came in: captures stay hidden
  std::optional<std::uint16_t> timestamp;  // field in tables[0]
  TimeUnit unit = TimeUnit::kMilliseconds;
  ZoneTable zones;  // of expressions; stands before what points to it
  std::vector<CompiledStep> steps;
  std::vector<StageLayout> layout;           // of the stages
  std::vector<CompiledSink> compiled_sinks;  // as Plan::sinks(); [0] is `sink`
  std::optional<std::uint16_t> late;         // the sink of late records
  std::vector<SchemaField> schema;           // what the plan says of fields that come in
  PlanLimits limits;

  friend class PlanCompiler;
};

}  // namespace runnel

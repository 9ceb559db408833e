// Intake: what a record of a file needs before the steps: captures of the topic, the
// schema, the event time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/plan/compiled_plan.h"

namespace runnel {

// Where the topic of a row comes from.
struct TopicOrigin {
  std::string filter;                 // with named captures, as the pipeline has it
  std::string topic;                  // of all rows
  std::optional<std::string> column;  // or the field that has it
};

class Intake final {
 public:
  // `plan` and `origin` outlive this.
  Intake(const CompiledPlan& plan, const TopicOrigin& origin);

  // Takes from a cleared record what the last one has left in it.
  void Prepare(Record& record) const {
    for (const Capture& capture : captures_) record.SetHidden(capture.field, Value());
  }
  // A literal reason why the record is none, or nullptr.
  const char* Admit(Record& record) const;
  // The parts of it, to be done once each: the topic, which the record then has, with its captures;
  const char* SetTopic(Record& record) const;
  // and its values and its time.
  const char* SetTime(Record& record) const;

 private:
  struct Capture {
    std::uint16_t field;
    std::uint32_t level;
  };

  const CompiledPlan* plan_;
  const TopicOrigin* origin_;
  std::vector<Capture> captures_;
  int topic_field_ = -1;
  bool has_topic_;
};

}  // namespace runnel

#include "pipelines/batch/intake.h"

#include <algorithm>

#include "pipelines/plan/admission.h"
#include "pipelines/plan/endpoints.h"

namespace runnel {
Intake::Intake(const CompiledPlan& plan, const TopicOrigin& origin)
    : plan_(&plan),
      origin_(&origin),
      has_topic_(!origin.topic.empty() || origin.column.has_value()) {
  if (!has_topic_) return;
  for (const runnel::Capture& capture : CapturesOf(origin.filter)) {
    const int field = plan.tables[0]->Find(capture.name);
    if (field >= 0) captures_.push_back({static_cast<std::uint16_t>(field), capture.level});
  }
  if (origin.column.has_value()) topic_field_ = plan.tables[0]->Find(*origin.column);
}

const char* Intake::Admit(Record& record) const {
  const char* reason = SetTopic(record);
  return reason == nullptr ? SetTime(record) : reason;
}

const char* Intake::SetTime(Record& record) const {
  record.arrival = record.time = Time{};
  record.sink = 0;
  record.is_result = false;
  if (const char* reason = ApplySchema(*plan_, record)) return reason;
  return SetEventTime(*plan_, record);
}

// Captures win over fields of the same name; where a record passes whole they are hidden.
const char* Intake::SetTopic(Record& record) const {
  record.topic = origin_->topic;
  if (!has_topic_) return nullptr;
  if (topic_field_ >= 0) {
    const Value& value = record.Get(static_cast<std::uint16_t>(topic_field_));
    if (value.type() != Type::kString) return "topic_is_missing";
    record.topic = value.AsString();
    if (!origin_->filter.empty() && !TopicMatches(origin_->filter, record.topic)) {
      return "topic_does_not_match";
    }
  }
  for (const Capture& capture : captures_) {
    std::size_t begin = 0;
    for (std::uint32_t level = 0; level < capture.level; ++level) {
      begin = record.topic.find('/', begin) + 1;  // one that matches has as many levels
    }
    const std::size_t end = std::min(record.topic.find('/', begin), record.topic.size());
    const Value value = Value::String(record.topic.substr(begin, end - begin));
    if (plan_->whole_record && record.Get(capture.field).IsMissing()) {
      record.SetHidden(capture.field, value);
    } else {
      record.Set(capture.field, value);
    }
  }
  return nullptr;
}

}  // namespace runnel

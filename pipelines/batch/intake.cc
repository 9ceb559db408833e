#include "pipelines/batch/intake.h"

#include <cmath>

#include "pipelines/plan/endpoints.h"

namespace runnel {
namespace {

constexpr std::int64_t kFarthest = 900'000'000'000'000'000;  // microseconds

std::optional<std::int64_t> ToMicroseconds(const Value& value, TimeUnit unit) {
  if (value.type() == Type::kDouble) {
    double scaled = value.AsDouble();
    if (unit == TimeUnit::kSeconds) scaled *= 1e6;
    if (unit == TimeUnit::kMilliseconds) scaled *= 1e3;
    if (unit == TimeUnit::kNanoseconds) scaled /= 1e3;
    if (!(std::fabs(scaled) < static_cast<double>(kFarthest))) return std::nullopt;
    return static_cast<std::int64_t>(std::floor(scaled));
  }
  std::int64_t number = value.AsInt();
  if (unit == TimeUnit::kNanoseconds) return number / 1'000 - (number % 1'000 < 0 ? 1 : 0);
  std::int64_t factor = 1;
  if (unit == TimeUnit::kSeconds) factor = 1'000'000;
  if (unit == TimeUnit::kMilliseconds) factor = 1'000;
  if (__builtin_mul_overflow(number, factor, &number)) return std::nullopt;
  if (number > kFarthest || number < -kFarthest) return std::nullopt;
  return number;
}

}  // namespace

std::optional<Time> EventTime(const Value& value, TimeUnit unit, const char*& reason) {
  switch (value.type()) {
    case Type::kInt:
    case Type::kDouble: {
      const std::optional<std::int64_t> time = ToMicroseconds(value, unit);
      if (time.has_value()) return TimeFromMicroseconds(*time);
      reason = "timestamp_out_of_range";
      return std::nullopt;
    }
    case Type::kString: {
      const std::optional<Time> time = ParseTimestamp(value.AsString());
      // Files often have UTC without saying so.
      if (time.has_value()) return time;
      const std::string_view text = value.AsString();
      char zoned[40];
      if (text.size() >= 19 && text.size() < sizeof zoned - 1) {
        text.copy(zoned, text.size());
        zoned[text.size()] = 'Z';
        if (const auto utc = ParseTimestamp({zoned, text.size() + 1}); utc.has_value()) return utc;
      }
      reason = "timestamp_not_rfc3339";
      return std::nullopt;
    }
    case Type::kMissing:
      reason = "timestamp_is_missing";
      return std::nullopt;
    default:
      reason = "timestamp_not_a_time";
      return std::nullopt;
  }
}

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

const char* Intake::Admit(Record& record) {
  record.arrival = record.time = Time{};
  record.sink = 0;
  record.is_result = false;
  record.topic = {};
  if (has_topic_) {
    if (const char* reason = SetTopic(record)) return reason;
  }
  if (!plan_->schema.empty()) {
    if (const char* reason = CheckSchema(record)) return reason;
  }
  return plan_->timestamp.has_value() ? SetTime(record) : nullptr;
}

// Captures win over fields of the same name; where a record passes whole they are hidden.
const char* Intake::SetTopic(Record& record) const {
  record.topic = origin_->topic;
  if (topic_field_ >= 0) {
    const Value& value = record.Get(static_cast<std::uint16_t>(topic_field_));
    if (value.type() != Type::kString) return "topic_is_missing";
    record.topic = value.AsString();
  }
  for (const Capture& capture : captures_) {
    std::size_t begin = 0;
    for (std::uint32_t level = 0; level < capture.level; ++level) {
      const std::size_t slash = record.topic.find('/', begin);
      if (slash == std::string_view::npos) return "topic_does_not_match";
      begin = slash + 1;
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

const char* Intake::CheckSchema(Record& record) const {
  for (const SchemaField& expected : plan_->schema) {
    const Value& value = record.Get(expected.field);
    if (expected.type == Type::kMissing || value.type() == expected.type || value.IsMissing() ||
        value.IsNull()) {
      continue;
    }
    if (expected.type != Type::kDouble || !value.IsNumber()) return "not_of_the_schema";
    record.Set(expected.field, Value::Double(value.ToDouble()));
  }
  return nullptr;
}

const char* Intake::SetTime(Record& record) const {
  const char* reason = nullptr;
  const std::optional<Time> time = EventTime(record.Get(*plan_->timestamp), plan_->unit, reason);
  if (!time.has_value()) return reason;
  record.time = *time;
  return nullptr;
}

}  // namespace runnel

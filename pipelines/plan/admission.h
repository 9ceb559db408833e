// What makes a decoded record one of a plan, in a stage and over files: the types of its
// schema and its event time. Each gives a literal reason why it is none, or nullptr.
// Inline: a stage does this for every message.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>

#include "pipelines/plan/compiled_plan.h"

namespace runnel {

// An int becomes a double where the plan says so.
inline const char* ApplySchema(const CompiledPlan& plan, Record& record) {
  for (const SchemaField& expected : plan.schema) {
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

// The farthest event time from 1970, in microseconds: what is reckoned with it stays in 64 bits.
constexpr std::int64_t kFarthestTime = 900'000'000'000'000'000;

// An int or a double of `unit` as microseconds; nullopt where it does not fit.
inline std::optional<std::int64_t> ToMicroseconds(const Value& value, TimeUnit unit) {
  if (value.type() == Type::kDouble) {
    double scaled = value.AsDouble();
    if (unit == TimeUnit::kSeconds) scaled *= 1e6;
    if (unit == TimeUnit::kMilliseconds) scaled *= 1e3;
    if (unit == TimeUnit::kNanoseconds) scaled /= 1e3;
    if (!(std::fabs(scaled) < static_cast<double>(kFarthestTime))) return std::nullopt;
    return static_cast<std::int64_t>(std::floor(scaled));
  }
  std::int64_t number = value.AsInt();
  if (unit == TimeUnit::kNanoseconds) return number / 1'000 - (number % 1'000 < 0 ? 1 : 0);
  std::int64_t factor = 1;
  if (unit == TimeUnit::kSeconds) factor = 1'000'000;
  if (unit == TimeUnit::kMilliseconds) factor = 1'000;
  if (__builtin_mul_overflow(number, factor, &number)) return std::nullopt;
  if (number > kFarthestTime || number < -kFarthestTime) return std::nullopt;
  return number;
}

// Text without a zone is refused; of files, which often have it so, it is taken for UTC.
inline std::optional<Time> ParseEventTime(std::string_view text, PlanUse use) {
  const std::optional<Time> time = ParseTimestamp(text);
  char zoned[40];
  if (time.has_value() || use == PlanUse::kDevice || text.size() < 19 ||
      text.size() >= sizeof zoned - 1) {
    return time;
  }
  text.copy(zoned, text.size());
  zoned[text.size()] = 'Z';
  return ParseTimestamp({zoned, text.size() + 1});
}

// Sets the record's time by the field that the plan names, where it names one.
inline const char* SetEventTime(const CompiledPlan& plan, Record& record) {
  if (!plan.timestamp.has_value()) return nullptr;
  const Value& value = record.Get(*plan.timestamp);
  switch (value.type()) {
    case Type::kInt:
    case Type::kDouble: {
      const std::optional<std::int64_t> time = ToMicroseconds(value, plan.unit);
      if (!time.has_value()) return "timestamp_out_of_range";
      record.time = TimeFromMicroseconds(*time);
      return nullptr;
    }
    case Type::kString: {
      const std::optional<Time> time = ParseEventTime(value.AsString(), plan.limits.use);
      if (!time.has_value()) return "timestamp_not_rfc3339";
      record.time = *time;
      return nullptr;
    }
    case Type::kMissing:
      return "timestamp_is_missing";
    default:
      return "timestamp_not_a_time";
  }
}

}  // namespace runnel

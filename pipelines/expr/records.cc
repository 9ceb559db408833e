// Functions of the record itself: its time and its topic.
#include "pipelines/expr/functions.h"

namespace runnel::expr {
namespace {

using Arguments = std::span<const Value>;

// Never a clock: a replay sees the same.
Value Now(const Record& record, Arguments, Arena&) {
  const std::int64_t time = Microseconds(record.time);
  const std::int64_t seconds = time / 1'000'000 - (time % 1'000'000 < 0 ? 1 : 0);
  return Value::Timestamp(seconds, static_cast<std::int32_t>((time - seconds * 1'000'000) * 1'000));
}

Value Topic(const Record& record, Arguments a, Arena&) {
  if (a.empty()) return Value::String(record.topic);
  std::string_view rest = record.topic;
  std::int64_t level = a[0].AsInt();
  if (level < 0) return Value::Error("index_out_of_range");
  for (; level > 0; --level) {
    const std::size_t end = rest.find('/');
    if (end == std::string_view::npos) return Value::Error("index_out_of_range");
    rest.remove_prefix(end + 1);
  }
  return Value::String(rest.substr(0, rest.find('/')));
}

using enum Function::Style;
constexpr std::array<Types, 3> kInts = {kIntType, kIntType, kIntType};

constexpr Function kTable[] = {
    {"now", kGlobal, 0, 0, kInts, Type::kTimestamp, nullptr, "now()",
     "The time of the record, never of a clock.", Now},
    {"topic", kGlobal, 0, 1, kInts, Type::kString, nullptr, "topic() or topic(level)",
     "The topic that the record came by, or one of its levels, from 0.", Topic},
};

}  // namespace

std::span<const Function> RecordFunctions() { return kTable; }

}  // namespace runnel::expr

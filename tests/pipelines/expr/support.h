// What the tests of expressions share: an expression over one fixed record.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "pipelines/codecs/json.h"
#include "pipelines/expr/expression.h"

namespace runnel {

// A value as JSON; an error as `error: reason`; what JSON does not have as its type.
inline std::string Shown(const Value& value) {
  if (value.IsError()) return "error: " + std::string(value.Reason());
  switch (value.type()) {
    case Type::kType:
      return "type " + std::string(TypeName(value.AsType()));
    case Type::kTimestamp:
    case Type::kDuration:
      return std::to_string(value.Seconds()) + "s " + std::to_string(value.Nanoseconds()) + "ns";
    case Type::kBytes:
      return "bytes " + std::string(value.AsBytes());
    case Type::kUint:
      return std::to_string(value.AsUint()) + "u";
    default: {
      std::string json;
      AppendJson(value, json);
      return json;
    }
  }
}

struct Options {
  std::size_t arena_bytes = 4096;
  ExpressionLimits limits;
};

// The value of `text` over the record
//   temp 21.5, count 7, total 7u, device "a-17", big INT64_MAX, ok true, none null,
//   nan NaN, raw b"raw", mixed [1, 2.5, "x"], numbers [3, 1, 2],
//   pos {lat: 52.5, `a b`: 1}, type "alarm", `temp-1` 5
// or what is wrong with it, as the user sees it at p.yaml:3:10.
inline std::string Evaluated(std::string_view text, const Options& options = {}) {
  FieldTable fields;
  Diagnostics diagnostics;
  Scope scope;
  scope.fields = &fields;
  const auto expression =
      Expression::Compile(text, {"p.yaml", 3, 10}, scope, diagnostics, options.limits);
  if (expression == nullptr) return diagnostics.Format();
  for (const char* name : {"temp", "count", "total", "device", "big", "ok", "none", "nan", "raw",
                           "mixed", "numbers", "pos", "type", "temp-1"}) {
    fields.Intern(name);
  }
  const Value mixed[] = {Value::Int(1), Value::Double(2.5), Value::String("x")};
  const Value numbers[] = {Value::Int(3), Value::Int(1), Value::Int(2)};
  const MapEntry pos[] = {{Value::String("lat"), Value::Double(52.5)},
                          {Value::String("a b"), Value::Int(1)}};
  Record record(fields);
  const auto set = [&](const char* name, const Value& value) {
    record.Set(fields.Intern(name), value);
  };
  set("temp", Value::Double(21.5));
  set("count", Value::Int(7));
  set("total", Value::Uint(7));
  set("device", Value::String("a-17"));
  set("big", Value::Int(INT64_MAX));
  set("ok", Value::Bool(true));
  set("none", Value::Null());
  set("nan", Value::Double(__builtin_nan("")));
  set("raw", Value::Bytes("raw"));
  set("mixed", Value::List(mixed));
  set("numbers", Value::List(numbers));
  set("pos", Value::Map(pos));
  set("type", Value::String("alarm"));
  set("temp-1", Value::Int(5));
  Arena arena(options.arena_bytes);
  return Shown(expression->Evaluate(record, arena));
}

struct Case {
  std::string_view text;
  std::string_view expected;
};

template <std::size_t kCount>
void ExpectAll(const Case (&cases)[kCount]) {
  for (const Case& each : cases) EXPECT_EQ(Evaluated(each.text), each.expected) << each.text;
}

}  // namespace runnel

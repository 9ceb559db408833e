#include "pipelines/expr/expression.h"

#include <gtest/gtest.h>

#include "pipelines/codecs/json.h"

namespace runnel {
namespace {

// The value of an expression over a fixed record, as JSON; an error as `error: reason`.
std::string Evaluated(std::string_view text) {
  FieldTable fields;
  Diagnostics diagnostics;
  Scope scope;
  scope.fields = &fields;
  const std::unique_ptr<Expression> expression =
      Expression::Compile(text, {"p.yaml", 3, 10}, scope, diagnostics);
  if (expression == nullptr) return diagnostics.Format();
  for (const char* name : {"temp", "count", "device", "empty", "big", "ok"}) fields.Intern(name);
  Record record(fields);
  record.Set(fields.Intern("temp"), Value::Double(21.5));
  record.Set(fields.Intern("count"), Value::Int(7));
  record.Set(fields.Intern("device"), Value::String("a-17"));
  record.Set(fields.Intern("big"), Value::Int(INT64_MAX));
  record.Set(fields.Intern("ok"), Value::Bool(true));
  Arena arena(4096);
  const Value value = expression->Evaluate(record, arena);
  if (value.IsError()) return "error: " + std::string(value.Reason());
  std::string json;
  AppendJson(value, json);
  return json;
}

struct Case {
  const char* text;
  const char* expected;
};

TEST(Expression, Evaluates) {
  const Case cases[] = {
      {"temp > -40 && temp < 85", "true"},
      {"temp * 9 / 5 + 32", "70.7"},
      {"temp > 20.5", "true"},
      {"temp >= 21.5 && temp <= 21.5", "true"},
      {"count + 1", "8"},
      {"count / 2", "3"},
      {"count % 4", "3"},
      {"-count", "-7"},
      {"-(count)", "-7"},
      {"2 + 3 * 4", "14"},
      {"(2 + 3) * 4", "20"},
      {"10 - 3 - 2", "5"},
      {"device == 'a-17'", "true"},
      {"device + \"!\"", "\"a-17!\""},
      {"device.startsWith('a') && !device.endsWith('a')", "true"},
      {"device.contains(\"-\")", "true"},
      {"device in ['b', 'a-17']", "true"},
      {"count > 5 ? 'high' : 'low'", "\"high\""},
      {"has(temp) && !has(nothing)", "true"},
      {"1 == 1.0", "true"},
      {"1 == '1'", "p.yaml:3:12: error: `==` does not go with int and string\n"},
      {"big + 1", "error: overflow"},
      {"count / 0", "error: divide_by_zero"},
      {"nothing > 1", "error: no_such_field"},
      {"nothing > 1 || ok", "true"},
      {"ok || nothing > 1", "true"},
      {"nothing > 1 && !ok", "false"},
      {"nothing > 1 && ok", "error: no_such_field"},
      {"device > 1", "error: no_such_overload"},
      {"round(temp)", "22.0"},
      {"round(21.456, 2)", "21.46"},
      {"min(3, count, 5.0)", "3"},
      {"clamp(temp, 0.0, 20.0)", "20.0"},
      {"size(device)", "4"},
      {"string(count) + 'x'", "\"7x\""},
      {"int('12') + 1", "13"},
      {"[1, 2, 3][1]", "2"},
      {"{'a': 1, 'b': 2}.b", "2"},
      {"{'a': count}['c']", "error: no_such_key"},
      {"'\\u00e4\\n'", "\"ä\\n\""},
      {"r'\\n'", "\"\\\\n\""},
      {"0x10 + 1", "17"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"1u + 2u", "3"},
      {"9007199254740993 > 9007199254740992.0", "true"},
      {"true ? 1 : nothing", "1"},
  };
  for (const Case& each : cases) {
    const std::string got = Evaluated(each.text);
    if (std::string_view(each.expected).starts_with("p.yaml")) {
      EXPECT_TRUE(got.starts_with(each.expected)) << got;
    } else {
      EXPECT_EQ(got, each.expected) << each.text;
    }
  }
}

TEST(Expression, SaysWhereAnErrorStands) {
  const Case cases[] = {
      {"temp >", "p.yaml:3:16: error: expected a value, found the end\n"},
      {"temp > > 1", "p.yaml:3:17: error: expected a value, found `>`\n"},
      {"temp = 1", "p.yaml:3:15: error: `=` is not an operator, expected `==`\n"},
      {"(temp", "p.yaml:3:15: error: expected `)`, found the end\n"},
      {"'abc", "p.yaml:3:10: error: a text without a closing quote\n"},
      {"temp temp", "p.yaml:3:15: error: expected an operator or the end, found `temp`\n"},
      {"device.startWith('a')",
       "p.yaml:3:17: error: there is no function `startWith`\n  hint: did you mean "
       "`startsWith`?\n"},
      {"abs(1, 2)",
       "p.yaml:3:10: error: `abs` does not take 2 arguments\n  hint: it is called as "
       "`abs(number)`\n"},
      {"1 / 0", "p.yaml:3:12: error: this is an error whatever the record: divide_by_zero\n"},
      {"'a' < 1",
       "p.yaml:3:14: error: `<` does not go with string and int\n"
       "  hint: double(x) makes a number of text\n"},
      {"temp && 'x'", "p.yaml:3:18: error: `&&` takes bool, found string\n"},
      {"1x", "p.yaml:3:10: error: a number with letters behind it\n"},
      {"99999999999999999999", "p.yaml:3:10: error: a number that does not fit 64 bits\n"},
      {"", "p.yaml:3:10: error: an expression is expected, found nothing\n"},
  };
  for (const Case& each : cases) EXPECT_EQ(Evaluated(each.text), each.expected) << each.text;
}

TEST(Expression, RefusesWhatIsTooDeepOrTooLong) {
  EXPECT_NE(Evaluated(std::string(64, '(') + "1" + std::string(64, ')')).find("deeper"),
            std::string::npos);
  EXPECT_EQ(Evaluated(std::string(63, '(') + "1" + std::string(63, ')')), "1");
  EXPECT_NE(Evaluated(std::string(10'000, '!') + "ok").find("deeper"), std::string::npos);
  EXPECT_NE(Evaluated(std::string(20'000, '1')).find("longer than 16384 bytes"), std::string::npos);
}

TEST(Expression, KnowsTheNamesBehindAWindow) {
  FieldTable fields;
  const std::vector<std::string> known = {"device", "n", "mean"};
  Diagnostics diagnostics;
  Scope scope;
  scope.fields = &fields;
  scope.known = &known;
  EXPECT_NE(Expression::Compile("n >= 3", {"p", 1, 1}, scope, diagnostics), nullptr);
  EXPECT_EQ(Expression::Compile("n >= 3 && maen > 1", {"p", 1, 1}, scope, diagnostics), nullptr);
  EXPECT_EQ(diagnostics.Format(),
            "p:1:11: error: there is no field `maen` here\n  hint: did you mean `mean`?\n");
}

}  // namespace
}  // namespace runnel

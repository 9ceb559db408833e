#include "pipelines/expr/expression.h"

#include "tests/pipelines/expr/support.h"

namespace runnel {
namespace {

TEST(Expression, SaysWhereAnErrorStands) {
  ExpectAll({
      {"", "p.yaml:3:10: error: an expression is expected, found nothing\n"},
      {"  // nothing", "p.yaml:3:10: error: an expression is expected, found nothing\n"},
      {"temp >", "p.yaml:3:16: error: expected a value, found the end\n"},
      {"temp > > 1", "p.yaml:3:17: error: expected a value, found `>`\n"},
      {"temp = 1", "p.yaml:3:15: error: `=` is not an operator, expected `==`\n"},
      {"ok & ok", "p.yaml:3:13: error: `&` is not an operator, expected `&&`\n"},
      {"temp > 1 and ok",
       "p.yaml:3:19: error: expected an operator or the end, found `and`\n"
       "  hint: did you mean `&&`?\n"},
      {"temp # 1", "p.yaml:3:15: error: a character that no expression has\n"},
      {"(temp", "p.yaml:3:15: error: expected `)`, found the end\n"},
      {"numbers[1", "p.yaml:3:19: error: expected `]`, found the end\n"},
      {"[1 2]", "p.yaml:3:13: error: expected `,` or `]`, found `2`\n"},
      {"{1, 2}", "p.yaml:3:12: error: expected `:`, found `,`\n"},
      {"ok ? 1", "p.yaml:3:16: error: expected `:`, found the end\n"},
      {"temp temp", "p.yaml:3:15: error: expected an operator or the end, found `temp`\n"},
      {"'ä' == temp temp", "p.yaml:3:22: error: expected an operator or the end, found `temp`\n"},
      {"has(1)", "p.yaml:3:10: error: `has` takes a field, such as has(temp)\n"},
  });
}

TEST(Expression, KnowsItsFunctions) {
  ExpectAll({
      {"device.startWith('a')",
       "p.yaml:3:17: error: there is no function `startWith`\n"
       "  hint: did you mean `startsWith`?\n"},
      {"abss(temp) + siez(device)",
       "p.yaml:3:10: error: there is no function `abss`\n"
       "  hint: did you mean `abs`?\n"
       "p.yaml:3:23: error: there is no function `siez`\n"
       "  hint: did you mean `size`?\n"},
      {"abs(1, 2)",
       "p.yaml:3:10: error: `abs` does not take 2 arguments\n"
       "  hint: it is called as `abs(number)`\n"},
      {"device.contains()",
       "p.yaml:3:17: error: `contains` does not take 0 arguments behind a "
       "value\n  hint: it is called as `text.contains(part)`\n"},
      {"contains(device, 'a')",
       "p.yaml:3:10: error: `contains` does not take 2 arguments\n"
       "  hint: it is called as `text.contains(part)`\n"},
      {"frobnicate()", "p.yaml:3:10: error: there is no function `frobnicate`\n"},
  });
}

TEST(Expression, RefusesTypesThatNeverGoTogether) {
  ExpectAll({
      {"1 == '1'",
       "p.yaml:3:12: error: `==` does not go with int and string\n"
       "  hint: double(x) makes a number of text\n"},
      {"'a' < 1",
       "p.yaml:3:14: error: `<` does not go with string and int\n"
       "  hint: double(x) makes a number of text\n"},
      {"'a' + 1",
       "p.yaml:3:14: error: `+` does not go with string and int\n"
       "  hint: string(x) makes text of a number\n"},
      {"string(temp) > 20",
       "p.yaml:3:23: error: `>` does not go with string and int\n"
       "  hint: double(x) makes a number of text\n"},
      {"device * 'a'",
       "p.yaml:3:17: error: `*` does not go with anything and string\n"
       "  hint: double(x) makes a number of text\n"},
      {"(temp + 1) && ok", "p.yaml:3:16: error: `&&` takes bool, found int or double\n"},
      {"(temp + 1).contains('a')",
       "p.yaml:3:16: error: `contains` takes string, found int or double\n"},
      {"abs(temp) == 'a'",
       "p.yaml:3:20: error: `==` does not go with int, uint or double and string\n"
       "  hint: double(x) makes a number of text\n"},
      {"-temp + 'a'",
       "p.yaml:3:16: error: `+` does not go with int, double or duration and string\n"
       "  hint: string(x) makes text of a number\n"},
      {"temp && 'x'", "p.yaml:3:18: error: `&&` takes bool, found string\n"},
      {"temp > 1 || 1", "p.yaml:3:22: error: `||` takes bool, found int\n"},
      {"!1", "p.yaml:3:11: error: `!` takes bool, found int\n"},
      {"1 ? 2 : 3", "p.yaml:3:10: error: `?` takes bool, found int\n"},
      {"-'a'", "p.yaml:3:11: error: `-` takes int, double or duration, found string\n"},
      {"abs('a')", "p.yaml:3:14: error: `abs` takes int, uint or double, found string\n"},
      {"device.startsWith(1)", "p.yaml:3:28: error: `startsWith` takes string, found int\n"},
      {"1 in 'abc'", "p.yaml:3:12: error: `in` does not go with int and string\n"},
      {"'abc'.lat", "p.yaml:3:10: error: `.lat` takes map, found string\n"},
      {"'abc'[0]", "p.yaml:3:10: error: `[]` takes list or map, found string\n"},
      {"[1]['a']", "p.yaml:3:14: error: an index takes int, uint or double, found string\n"},
      {"{1.5: 2}", "p.yaml:3:11: error: a key takes bool, int, uint or string, found double\n"},
      {"1 + true && 'a' + 1 == 2",
       "p.yaml:3:12: error: `+` does not go with int and bool\n"
       "p.yaml:3:26: error: `+` does not go with string and int\n"
       "  hint: string(x) makes text of a number\n"},
  });
}

TEST(Expression, RefusesWhatIsAnErrorWhateverTheRecord) {
  ExpectAll({
      {"1 / 0", "p.yaml:3:12: error: this is an error whatever the record: divide_by_zero\n"},
      {"temp > 1 / 0",
       "p.yaml:3:19: error: this is an error whatever the record: divide_by_zero\n"},
      {"9223372036854775807 + 1 > count",
       "p.yaml:3:30: error: this is an error whatever the record: overflow\n"},
      {"int('x')", "p.yaml:3:10: error: this is an error whatever the record: not_a_number\n"},
      {"[1, 2][2]",
       "p.yaml:3:16: error: this is an error whatever the record: index_out_of_range\n"},
      {"{'a': 1, 'a': 2}",
       "p.yaml:3:10: error: this is an error whatever the record: duplicate_key\n"},
      {"1 / 0 > 1 || ok", "true"},
      {"ok ? 1 : 1 / 0", "1"},
  });
}

TEST(Expression, RefusesWhatIsTooDeepOrTooLong) {
  const auto repeat = [](int count, std::string_view text) {
    std::string out;
    for (int i = 0; i < count; ++i) out += text;
    return out;
  };
  const std::string deep = "error: the expression is nested deeper than 64 levels\n";
  EXPECT_EQ(Evaluated(repeat(63, "(") + "1" + repeat(63, ")")), "1");
  EXPECT_EQ(Evaluated(repeat(64, "(") + "1" + repeat(64, ")")), "p.yaml:3:74: " + deep);
  EXPECT_EQ(Evaluated(repeat(63, "!") + "ok"), "false");
  EXPECT_EQ(Evaluated(repeat(10'000, "!") + "ok"), "p.yaml:3:73: " + deep);
  EXPECT_EQ(Evaluated(repeat(10'000, "[") + "ok"), "p.yaml:3:74: " + deep);
  EXPECT_EQ(Evaluated("1" + repeat(255, "+count")), "1786");
  EXPECT_NE(Evaluated("1" + repeat(256, "+count")).find(deep), std::string::npos);
  EXPECT_EQ(Evaluated("ok" + repeat(2'000, "&& ok")), "true");
  EXPECT_NE(Evaluated("pos" + repeat(300, ".lat")).find(deep), std::string::npos);
  EXPECT_EQ(Evaluated(repeat(16'385, "1")),
            "p.yaml:3:10: error: the expression is longer than 16384 bytes\n");
  EXPECT_EQ(Evaluated(repeat(16'380, " ") + "ok"), "true");
}

TEST(Expression, IsBoundedInCostAndMemory) {
  Options options;
  options.limits.cost_max = 100;
  EXPECT_EQ(Evaluated("numbers.all(x, numbers.all(y, x * y < 10))", options), "true");
  EXPECT_EQ(Evaluated("numbers.all(x, numbers.all(y, numbers.all(z, x * y * z < 100)))", options),
            "error: cost_exceeded");
  EXPECT_EQ(Evaluated("numbers.map(x, numbers.map(y, numbers.map(z, x * y)))", options),
            "error: cost_exceeded");
  EXPECT_EQ(Evaluated("temp > 1 && count > 1", {0, {}}), "true");
  EXPECT_EQ(Evaluated("device + device", {8, {}}), "\"a-17a-17\"");
  EXPECT_EQ(Evaluated("device + device", {7, {}}), "error: out_of_memory");
  EXPECT_EQ(Evaluated("[count, 1, 2]", {47, {}}), "error: out_of_memory");
  EXPECT_EQ(Evaluated("{'a': count}", {31, {}}), "error: out_of_memory");
  EXPECT_EQ(Evaluated("numbers.map(x, x)", {47, {}}), "error: out_of_memory");
  EXPECT_EQ(Evaluated("string(count)", {0, {}}), "error: out_of_memory");
  EXPECT_EQ(Evaluated("device.upperAscii()", {3, {}}), "error: out_of_memory");
  EXPECT_EQ(Evaluated("numbers + numbers", {95, {}}), "error: out_of_memory");
}

// Two comparisons of one field are one node, which changes neither what comes of them nor
// what a macro counts.
TEST(Expression, ComparesOneFieldTwice) {
  for (const char* text :
       {"temp > 1.0 && temp < 1000.0", "1.0 < temp && temp < 1000.0", "temp < 1.0 || temp > 2.0",
        "count > 1 && count < 100", "count < 1 || count >= 2", "!(temp < 1.0 || temp > 1000.0)"}) {
    EXPECT_EQ(Evaluated(text), "true") << text;
  }
  for (const char* text : {"temp > 1.0 && temp < 2.0", "temp > 1000.0 || temp < 1.0",
                           "temp == 1.0 && temp == 2.0", "count > 100 || count < 1"}) {
    EXPECT_EQ(Evaluated(text), "false") << text;
  }
  Options options;
  options.limits.cost_max = 10'000;
  EXPECT_EQ(Evaluated("lists.range(2400).all(i, temp > 1.0 && temp < 1000.0)", options), "true");
}

// What one call does with long text and lists counts, and what macros absorb too.
TEST(Expression, CallsCostWhatTheyWorkOn) {
  Options options;
  options.arena_bytes = 1 << 16;
  const auto cost = [&](const char* text, std::uint32_t cost_max) {
    options.limits.cost_max = cost_max;
    return Evaluated(text, options);
  };
  const char* const sorting = "cel.bind(all, lists.range(count * 100), all.sort().size())";
  EXPECT_EQ(cost(sorting, 350), "700");
  EXPECT_EQ(cost(sorting, 250), "error: cost_exceeded");
  const char* const writing = "'%.100f%.100f'.format([temp, temp]).size()";
  EXPECT_EQ(cost(writing, 20), "206");
  EXPECT_EQ(cost(writing, 5), "error: cost_exceeded");
  EXPECT_EQ(cost("numbers.exists(x, lists.range(count * 100000) == [])", 10'000),
            "error: out_of_memory");
  EXPECT_EQ(cost("numbers.exists(x, lists.range(count * 100000) == [])", 2'000),
            "error: cost_exceeded");
  EXPECT_EQ(cost("lists.range(256).distinct().size()", 10'000), "256");
  EXPECT_EQ(cost("lists.range(count * 100).distinct()", 10'000), "error: list_too_long");
}

class ScopeTest : public testing::Test {
 protected:
  std::unique_ptr<Expression> Compile(std::string_view text) {
    scope_.fields = &fields_;
    scope_.known = &known_;
    scope_.types = &types_;
    return Expression::Compile(text, {"p", 1, 1}, scope_, diagnostics_);
  }
  // What is wrong with the text.
  std::string Wrong(std::string_view text) {
    diagnostics_ = Diagnostics();
    return Compile(text) == nullptr ? diagnostics_.Format() : "nothing";
  }

  FieldTable fields_;
  std::vector<std::string> known_ = {"device", "n", "mean", "site.name"};
  std::vector<Type> types_ = {Type::kString, Type::kInt, Type::kDouble, Type::kString};
  Scope scope_;
  Diagnostics diagnostics_;
};

TEST_F(ScopeTest, NamesBehindAWindowAreKnown) {
  EXPECT_NE(Compile("n >= 3 && mean < 20"), nullptr);
  EXPECT_EQ(Wrong("n >= 3 && maen > 1"),
            "p:1:11: error: there is no field `maen` here\n  hint: did you mean `mean`?\n");
  EXPECT_EQ(Wrong("x + y"),
            "p:1:1: error: there is no field `x` here\n"
            "p:1:5: error: there is no field `y` here\n");
  EXPECT_EQ(Wrong("has(maen)"),
            "p:1:5: error: there is no field `maen` here\n  hint: did you mean `mean`?\n");
  EXPECT_EQ(Wrong("[1].map(value, valu)"),
            "p:1:16: error: there is no field `valu` here\n  hint: did you mean `value`?\n");
  EXPECT_NE(Compile("site.name == 'a'"), nullptr);
  EXPECT_EQ(Wrong("[1].map(x, x) == x"), "p:1:18: error: there is no field `x` here\n");
}

TEST_F(ScopeTest, TypesThatAreKnownAreChecked) {
  EXPECT_EQ(Wrong("device > 1"),
            "p:1:8: error: `>` does not go with string and int\n"
            "  hint: double(x) makes a number of text\n");
  EXPECT_EQ(Wrong("n.startsWith('a')"), "p:1:1: error: `startsWith` takes string, found int\n");
  EXPECT_EQ(Wrong("site.name + 1"),
            "p:1:11: error: `+` does not go with string and int\n"
            "  hint: string(x) makes text of a number\n");
}

TEST_F(ScopeTest, TheTypeOfAnExpressionIsKnownWhereItCanBe) {
  const std::pair<const char*, Type> cases[] = {
      {"n", Type::kInt},
      {"n + 1", Type::kInt},
      {"n + mean", Type::kDouble},
      {"n > 3", Type::kBool},
      {"device + 'x'", Type::kString},
      {"[n]", Type::kList},
      {"n > 1 ? 1 : 2", Type::kInt},
      {"n > 1 ? 1 : 'a'", Type::kMissing},
      {"dyn(n)", Type::kMissing},
      {"size(device)", Type::kInt},
      {"2 + 3", Type::kInt},
      {"[1].exists(x, x > n)", Type::kBool},
  };
  for (const auto& [text, type] : cases) {
    const auto expression = Compile(text);
    ASSERT_NE(expression, nullptr) << text << diagnostics_.Format();
    EXPECT_EQ(expression->type(), type) << text;
  }
}

TEST_F(ScopeTest, ABareFieldIsTold) {
  const int mean = fields_.Intern("mean");
  const int device = fields_.Intern("device");
  EXPECT_EQ(Compile("mean")->AsField(), mean);
  EXPECT_EQ(Compile("(device)")->AsField(), device);
  EXPECT_EQ(Compile("mean + 1")->AsField(), -1);
  EXPECT_EQ(Compile("has(mean)")->AsField(), -1);
  EXPECT_EQ(Compile("1")->AsField(), -1);
}

TEST_F(ScopeTest, WithoutStaticTypesEvaluationDecides) {
  scope_.typing = Scope::Typing::kDynamic;
  Arena arena(1024);
  const std::pair<const char*, const char*> cases[] = {
      {"1 == 'a'", "false"},
      {"'a' && false", "false"},
      {"'a' < 1", "error: no_such_overload"},
      {"unknown(1) || true", "true"},
      {"unknown(1)", "error: no_such_function"},
      {"nowhere", "error: no_such_field"},
      {"1 / 0", "error: divide_by_zero"},
  };
  for (const auto& [text, expected] : cases) {
    const auto expression = Compile(text);
    ASSERT_NE(expression, nullptr) << text;
    const Record record(fields_);
    EXPECT_EQ(Shown(expression->Evaluate(record, arena)), expected) << text;
  }
}

}  // namespace
}  // namespace runnel

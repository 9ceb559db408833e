#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "pipelines/codecs/codecs.h"
#include "tests/pipelines/codecs/support.h"

namespace runnel {
namespace {

std::string Text(const Value& value) {
  std::string out;
  AppendJson(value, out);
  return out;
}

TEST(JsonEncode, WritesDoublesSoThatTheyReadBackAsDoubles) {
  const struct {
    double number;
    std::string_view text;
  } cases[] = {
      {0.0, "0.0"},
      {-0.0, "-0.0"},
      {21, "21.0"},
      {21.37, "21.37"},
      {-21.5, "-21.5"},
      {0.1, "0.1"},
      {0.1234, "0.1234"},
      {0.12345, "0.12345"},
      {0.0001, "0.0001"},
      {0.00001, "1e-5"},
      {1.0 / 3, "0.3333333333333333"},
      {100000, "100000.0"},
      {99999999999.9999, "99999999999.9999"},
      {1e11, "100000000000.0"},
      {999999999999999, "999999999999999.0"},
      {1e15, "1e15"},
      {1.5e300, "1.5e300"},
      {-1e-300, "-1e-300"},
      {9007199254740993.0, "9.007199254740992e15"},
      {5e-324, "5e-324"},
      {1.7976931348623157e308, "1.7976931348623157e308"},
      {std::numeric_limits<double>::quiet_NaN(), "null"},
      {std::numeric_limits<double>::infinity(), "null"},
      {-std::numeric_limits<double>::infinity(), "null"},
  };
  for (const auto& c : cases) EXPECT_EQ(Text(Value::Double(c.number)), c.text);
}

TEST(JsonEncode, WritesEveryType) {
  const Value items[] = {Value::Int(1), Value::String("x"), Value::List({})};
  const MapEntry entries[] = {{Value::String("a\n"), Value::Int(1)},
                              {Value::Int(-2), Value::Bool(true)},
                              {Value::Bool(false), Value::Map({})},
                              {Value::Uint(3), Value::Null()}};
  const struct {
    Value value;
    std::string_view text;
  } cases[] = {
      {Value::Null(), "null"},
      {Value(), "null"},
      {Value::Error("no_such_field"), "null"},
      {Value::Bool(true), "true"},
      {Value::Bool(false), "false"},
      {Value::Int(INT64_MIN), "-9223372036854775808"},
      {Value::Uint(UINT64_MAX), "18446744073709551615"},
      {Value::Bytes(""), R"("")"},
      {Value::Bytes("f"), R"("Zg==")"},
      {Value::Bytes("fo"), R"("Zm8=")"},
      {Value::Bytes("foo"), R"("Zm9v")"},
      {Value::Bytes("\xff\xfe\xfd\x00"), R"("//79")"},
      {Value::List(items), R"([1,"x",[]])"},
      {Value::Map(entries), R"({"a\n":1,"-2":true,"false":{},"3":null})"},
      {Value::Timestamp(0, 0), R"("1970-01-01T00:00:00Z")"},
      {Value::Timestamp(1700000000, 123'000'000), R"("2023-11-14T22:13:20.123Z")"},
      {Value::Timestamp(1700000000, 123'400'000), R"("2023-11-14T22:13:20.123400Z")"},
      {Value::Timestamp(-1, 1), R"("1969-12-31T23:59:59.000000001Z")"},
      {Value::Timestamp(253'402'300'799, 0), R"("9999-12-31T23:59:59Z")"},
      {Value::Timestamp(253'402'300'800, 0), "253402300800"},
      {Value::Timestamp(-62'167'219'200, 0), R"("0000-01-01T00:00:00Z")"},
      {Value::Timestamp(-62'167'219'201, 0), "-62167219201"},
      {Value::Duration(0, 0), R"("0s")"},
      {Value::Duration(1, 500'000'000), R"("1.5s")"},
      {Value::Duration(-1, -500'000'000), R"("-1.5s")"},
      {Value::Duration(0, -1), R"("-0.000000001s")"},
      {Value::Duration(INT64_MIN, 0), R"("-9223372036854775808s")"},
  };
  for (const auto& c : cases) EXPECT_EQ(Text(c.value), c.text);
}

TEST(JsonEncode, EscapesNoMoreThanItMust) {
  const struct {
    std::string_view text;
    std::string_view json;
  } cases[] = {
      {"", R"("")"},
      {"a", R"("a")"},
      {"\"", R"("\"")"},
      {"abc\\", R"("abc\\")"},
      {"abcdefg\n", R"("abcdefg\n")"},
      {"\x01"
       "abcdefghijklmnop",
       R"("\u0001abcdefghijklmnop")"},
      {"\b\f\n\r\t\x1f", R"("\b\f\n\r\t\u001f")"},
      {"/<>&'\x7f", "\"/<>&'\x7f\""},
      {"\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e", "\"\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\""},
      {"a\xff"
       "b\xc3",
       "\"a\xef\xbf\xbd"
       "b\xef\xbf\xbd\""},
      {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
  };
  for (const auto& c : cases) EXPECT_EQ(Text(Value::String(c.text)), c.json);
  // A character to escape at every place of every length.
  for (std::size_t size = 1; size <= 40; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, 'x');
      text[at] = '"';
      std::string expected = "\"" + text;
      expected.insert(at + 1, 1, '\\');
      EXPECT_EQ(Text(Value::String(text)), expected + "\"");
    }
  }
}

TEST(JsonEncode, WritesRecordsInTheirOrder) {
  const std::string long_name(101, 'n');
  const FieldTable table = codec_test::TableOf({"a", "b\"", long_name});
  Record record(table);
  std::string out = "before ";
  ASSERT_TRUE(MakeJsonEncoder()->Encode(record, out).ok());
  EXPECT_EQ(out, "before {}");
  record.Set(2, Value::Int(3));
  record.Append("x", Value::Null());
  record.Set(1, Value::Int(2));
  record.Set(0, Value::Int(1));
  out.clear();
  ASSERT_TRUE(MakeJsonEncoder()->Encode(record, out).ok());
  EXPECT_EQ(out, "{\"" + long_name + R"(":3,"x":null,"b\"":2,"a":1})");
}

TEST(Codecs, AreCompiledByNameAndOptions) {
  const auto errors = [](const Node& node) {
    Diagnostics diagnostics;
    const bool made = CompileFormat(node, {"p.yaml", 3, 1}, diagnostics) != nullptr;
    EXPECT_EQ(made, !diagnostics.has_errors());
    return diagnostics.has_errors() ? diagnostics.All()[0].message : std::string();
  };
  EXPECT_EQ(errors(Node::Scalar("json", false, {})), "");
  EXPECT_EQ(errors(Node()), "");
  EXPECT_EQ(errors(Node::Scalar("jsom", false, {})), "unknown codec `jsom`");
}

}  // namespace
}  // namespace runnel

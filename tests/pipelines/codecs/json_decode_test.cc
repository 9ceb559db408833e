#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/pipelines/codecs/support.h"

namespace runnel {
namespace {

using codec_test::Again;
using codec_test::DecodeWith;
using codec_test::TableOf;

struct Case {
  std::string_view payload;
  std::string_view expected;  // the record as JSON, or the reason
};

void ExpectAll(const std::vector<Case>& cases) {
  const FieldTable table = TableOf({"a", "temp", "device"});
  for (const Case& c : cases) {
    EXPECT_EQ(Again(c.payload, table, Unmentioned::kKeep), c.expected) << c.payload;
  }
}

TEST(JsonDecode, TakesObjectsAndNothingElse) {
  ExpectAll({
      {"{}", "{}"},
      {" \t\r\n{ \n} \r\n\t ", "{}"},
      {"", "json_unexpected_end"},
      {"  ", "json_unexpected_end"},
      {"[]", "json_not_an_object"},
      {"1", "json_not_an_object"},
      {"null", "json_not_an_object"},
      {"\"a\"", "json_not_an_object"},
      {"}", "json_not_an_object"},
      {"\xef\xbb\xbf{}", "json_not_an_object"},
      {"\v{}", "json_not_an_object"},
      {"{", "json_unexpected_end"},
      {"{}{}", "json_trailing_text"},
      {"{},", "json_trailing_text"},
      {"{} x", "json_trailing_text"},
      {std::string_view("{}\0", 3), "json_trailing_text"},
      {"{}}", "json_trailing_text"},
      {"{}\f", "json_trailing_text"},
  });
}

TEST(JsonDecode, ReadsMembersStrictly) {
  ExpectAll({
      {R"({"a":1})", R"({"a":1})"},
      {R"({ "a" : 1 , "b" : 2 })", R"({"a":1,"b":2})"},
      {R"({"b":1,"a":2})", R"({"b":1,"a":2})"},
      {R"({"":1})", R"({"":1})"},
      {R"({"a":1,})", "json_bad_object"},
      {R"({,"a":1})", "json_bad_object"},
      {R"({"a":1,,"b":2})", "json_bad_object"},
      {R"({"a":1 "b":2})", "json_bad_object"},
      {R"({"a" 1})", "json_bad_object"},
      {R"({"a"})", "json_bad_object"},
      {R"({"a",1})", "json_bad_object"},
      {R"({"a"::1})", "json_bad_literal"},
      {R"({a:1})", "json_bad_object"},
      {R"({'a':1})", "json_bad_object"},
      {R"({1:1})", "json_bad_object"},
      {R"({null:1})", "json_bad_object"},
      {R"({"a":})", "json_bad_literal"},
      {R"({"a":1]})", "json_bad_object"},
      {R"({"a":1;"b":2})", "json_bad_object"},
      {R"({"a":1/*no*/})", "json_bad_object"},
      {R"({"a":1//no)", "json_bad_object"},
      {"{\"a\":1\f}", "json_bad_object"},
      {"{\"a\":\xc2\xa0"
       "1}",
       "json_bad_literal"},
  });
}

TEST(JsonDecode, RefusesAPayloadThatBreaksOff) {
  const std::string whole =
      R"({"a":-12.5e+3,"temp":[true,{"x":null}],"device":"d\u00e9\n","long":"0123456789abcdef0"} )";
  const FieldTable table = TableOf({"a", "temp"});
  for (const Unmentioned unmentioned : {Unmentioned::kSkip, Unmentioned::kKeep}) {
    const auto warm = MakeJsonDecoder(table, unmentioned);
    EXPECT_EQ(DecodeWith(*warm, table, whole).substr(0, 2), "a=");
    for (std::size_t size = 0; size + 1 < whole.size(); ++size) {
      for (const char padding : {'7', '"', '}', ' ', '\xe2', '\0', 'e', '.'}) {
        const std::string_view part = std::string_view(whole).substr(0, size);
        EXPECT_EQ(DecodeWith(*warm, table, part, padding), "json_unexpected_end") << part;
        const auto fresh = MakeJsonDecoder(table, unmentioned);
        EXPECT_EQ(DecodeWith(*fresh, table, part, padding), "json_unexpected_end") << part;
      }
    }
  }
}

TEST(JsonDecode, ReadsNumbers) {
  ExpectAll({
      {R"({"a":0})", R"({"a":0})"},
      {R"({"a":-0})", R"({"a":-0.0})"},
      {R"({"a":-0.0})", R"({"a":-0.0})"},
      {R"({"a":0e5})", R"({"a":0.0})"},
      {R"({"a":-1})", R"({"a":-1})"},
      {R"({"a":1234567})", R"({"a":1234567})"},
      {R"({"a":12345678})", R"({"a":12345678})"},
      {R"({"a":123456789})", R"({"a":123456789})"},
      {R"({"a":123456789012345})", R"({"a":123456789012345})"},
      {R"({"a":1234567890123456})", R"({"a":1234567890123456})"},
      {R"({"a":9223372036854775807})", R"({"a":9223372036854775807})"},
      {R"({"a":9223372036854775808})", R"({"a":9.223372036854776e18})"},
      {R"({"a":-9223372036854775808})", R"({"a":-9223372036854775808})"},
      {R"({"a":-9223372036854775809})", R"({"a":-9.223372036854776e18})"},
      {R"({"a":18446744073709551616})", R"({"a":1.8446744073709552e19})"},
      {R"({"a":10000000000000000000000})", R"({"a":1e22})"},
      {R"({"a":1.0})", R"({"a":1.0})"},
      {R"({"a":21.37})", R"({"a":21.37})"},
      {R"({"a":-21.375})", R"({"a":-21.375})"},
      {R"({"a":123.4567})", R"({"a":123.4567})"},
      {R"({"a":0.000001})", R"({"a":1e-6})"},
      {R"({"a":1e2})", R"({"a":100.0})"},
      {R"({"a":1E+2})", R"({"a":100.0})"},
      {R"({"a":100e-2})", R"({"a":1.0})"},
      {R"({"a":1e22})", R"({"a":1e22})"},
      {R"({"a":1e23})", R"({"a":1e23})"},
      {R"({"a":9007199254740993.0})", R"({"a":9.007199254740992e15})"},
      {R"({"a":0.1000000000000000055511151231257827021181583404541015625})", R"({"a":0.1})"},
      {R"({"a":1.7976931348623157e308})", R"({"a":1.7976931348623157e308})"},
      {R"({"a":1.7976931348623159e308})", "json_number_out_of_range"},
      {R"({"a":1e309})", "json_number_out_of_range"},
      {R"({"a":-1e309})", "json_number_out_of_range"},
      {R"({"a":1e99999999999999999999})", "json_number_out_of_range"},
      {R"({"a":0e99999999999999999999})", R"({"a":0.0})"},
      {R"({"a":5e-324})", R"({"a":5e-324})"},
      {R"({"a":2e-324})", R"({"a":0.0})"},
      {R"({"a":-1e-99999999999999999999})", R"({"a":-0.0})"},
      {R"({"a":123e-400})", R"({"a":0.0})"},
      {R"({"a":0.00000000000000000000000000000001e340})", R"({"a":1e308})"},
      {R"({"a":0.00000000000000000000000000000001e341})", "json_number_out_of_range"},
  });
}

TEST(JsonDecode, RefusesWhatIsNoNumber) {
  for (const std::string_view number : {"-",
                                        "--1",
                                        "01",
                                        "00",
                                        "-01",
                                        "0123456789",
                                        "-00",
                                        "1.",
                                        "1.e1",
                                        "-.5",
                                        "1e",
                                        "1e+",
                                        "1e-",
                                        "1E+x",
                                        "0.",
                                        "12345678.",
                                        "123456789012345678901234567890.",
                                        "1.2.",
                                        "0x",
                                        "-x",
                                        "-\"",
                                        "1.e",
                                        "-e1"}) {
    const std::string payload = "{\"a\":" + std::string(number) + ",\"b\":0}";
    const FieldTable table = TableOf({"a"});
    const std::string reason = Again(payload, table, Unmentioned::kKeep);
    const bool behind = number == "1.2." || number == "0x";  // the number before it is right
    EXPECT_EQ(reason, behind ? "json_bad_object" : "json_bad_number") << payload;
    EXPECT_EQ(Again(payload, FieldTable(), Unmentioned::kSkip), reason) << payload;
  }
  ExpectAll({{R"({"a":+1})", "json_bad_literal"},
             {R"({"a":.5})", "json_bad_literal"},
             {R"({"a":NaN})", "json_bad_literal"},
             {R"({"a":Infinity})", "json_bad_literal"},
             {R"({"a":-Infinity})", "json_bad_number"},
             {R"({"a":1_000})", "json_bad_object"},
             {R"({"a":0x1f})", "json_bad_object"}});
}

TEST(JsonDecode, ReadsLiterals) {
  ExpectAll({{R"({"a":true,"b":false,"c":null})", R"({"a":true,"b":false,"c":null})"},
             {R"({"a":truE})", "json_bad_literal"},
             {R"({"a":True})", "json_bad_literal"},
             {R"({"a":nul})", "json_bad_literal"},
             {R"({"a":nulll})", "json_bad_object"},
             {R"({"a":truefalse})", "json_bad_object"},
             {R"({"a":undefined})", "json_bad_literal"}});
}

TEST(JsonDecode, ReadsStrings) {
  ExpectAll({
      {R"({"a":""})", R"({"a":""})"},
      {R"({"a":"0123456789abcde"})", R"({"a":"0123456789abcde"})"},
      {R"({"a":"0123456789abcdef"})", R"({"a":"0123456789abcdef"})"},
      {R"({"a":"0123456789abcdef0123456789abcdef"})",
       R"({"a":"0123456789abcdef0123456789abcdef"})"},
      {R"({"a":"\"\\\/\b\f\n\r\t"})", R"({"a":"\"\\/\b\f\n\r\t"})"},
      {R"({"a":"\u0041\u00e9\u20AC\uD834\uDD1E\u0000\u001f"})",
       "{\"a\":\"A\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\\u0000\\u001f\"}"},
      {R"({"\u0061":1})", R"({"a":1})"},
      {R"({"te\u006dp":1,"x\u0079":2})", R"({"temp":1,"xy":2})"},
      {"{\"a\":\"\x7f\"}", "{\"a\":\"\x7f\"}"},
      {"{\"a\":\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"}",
       "{\"a\":\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"}"},
      {"{\"\xc3\xa4\":1}", "{\"\xc3\xa4\":1}"},
      {R"({"a":"\x"})", "json_bad_escape"},
      {R"({"a":"\'"})", "json_bad_escape"},
      {R"({"a":"\u12g4"})", "json_bad_escape"},
      {R"({"a":"\u 123"})", "json_bad_escape"},
      {R"({"a":"\U0041"})", "json_bad_escape"},
      {R"({"a":"\uD800"})", "json_bad_escape"},
      {R"({"a":"\uD800\n"})", "json_bad_escape"},
      {R"({"a":"\uD800\u0041"})", "json_bad_escape"},
      {R"({"a":"\uDC00"})", "json_bad_escape"},
      {R"({"a":"\uDC00\uD800"})", "json_bad_escape"},
      {"{\"a\":\"\n\"}", "json_bad_string"},
      {"{\"a\":\"\t\"}", "json_bad_string"},
      {std::string_view("{\"a\":\"\0\"}", 8), "json_bad_string"},
      {"{\"a\":\"\x1f\"}", "json_bad_string"},
      {"{\"a\n\":1}", "json_bad_string"},
  });
}

TEST(JsonDecode, RefusesWhatIsNotUtf8) {
  for (const std::string_view bytes :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x80\x80", "\xe0\x9f\xbf",
        "\xe2\x82", "\xe2\x28\xa1", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
        "\xfe"}) {
    for (const std::string_view before : {"", "x", "0123456789abcde", "0123456789abcdef01"}) {
      const std::string text = std::string(before) + std::string(bytes);
      const FieldTable table = TableOf({"a"});
      EXPECT_EQ(Again("{\"a\":\"" + text + "\"}", table, Unmentioned::kSkip), "json_bad_utf8");
      EXPECT_EQ(Again("{\"b\":\"" + text + "\"}", table, Unmentioned::kSkip), "json_bad_utf8");
      EXPECT_EQ(Again("{\"" + text + "\":1}", table, Unmentioned::kSkip), "json_bad_utf8");
    }
  }
}

TEST(JsonDecode, ReadsNestedValues) {
  ExpectAll({
      {R"({"a":[],"b":{},"c":[ ],"d":{ }})", R"({"a":[],"b":{},"c":[],"d":{}})"},
      {R"({"a":[1, "x" ,null,[2,[3]],{"y":[4]}]})", R"({"a":[1,"x",null,[2,[3]],{"y":[4]}]})"},
      {R"({"temp":{"a":1,"b":{"a":2}}})", R"({"temp":{"a":1,"b":{"a":2}}})"},
      {R"({"a":[1,]})", "json_bad_literal"},
      {R"({"a":[,1]})", "json_bad_literal"},
      {R"({"a":[1 2]})", "json_bad_list"},
      {R"({"a":[1}})", "json_bad_list"},
      {R"({"a":{"b":1]})", "json_bad_object"},
      {R"({"a":{"b":1,}})", "json_bad_object"},
      {R"({"a":{1:1}})", "json_bad_object"},
      {R"({"a":{"b" 1}})", "json_bad_object"},
      {R"({"a":{"b":1,"b":2}})", "json_duplicate_field"},
      {R"({"a":[{"b":1,"c":1,"\u0062":2}]})", "json_duplicate_field"},
      {R"({"a":[[[1e999]]]})", "json_number_out_of_range"},
  });
}

// What is skipped is checked the same way, but for ranges and names.
TEST(JsonDecode, ChecksWhatItSkips) {
  const FieldTable table = TableOf({"a"});
  for (const std::string_view value :
       {"[1,]", "[,1]", "[1 2]", "[1}", "{\"b\":1]", "{\"b\":1,}", "{1:1}", "{\"b\" 1}",
        "[[[\"\\x\"]]]", "[tru]", "{\"b\":01}", "\"\x01\"", "[\"\\ud800\"]", "-", "1.", "nul",
        "{\"b\"}", "{\"b\":}"}) {
    const std::string kept = "{\"a\":" + std::string(value) + ",\"z\":1}";
    const std::string skipped = "{\"b\":" + std::string(value) + ",\"z\":1}";
    const std::string reason = Again(kept, table, Unmentioned::kSkip);
    EXPECT_EQ(reason.substr(0, 5), "json_") << kept;
    EXPECT_EQ(Again(skipped, table, Unmentioned::kSkip), reason) << skipped;
  }
  for (const std::string_view value :
       {"[]", "{}", "[ ]", "{ }", "[[],[{}]]", "{\"b\":{\"c\":[1,2,{}]},\"d\":\"\\n\"}", "1e999",
        "0", "-0.0", "{\"b\":1,\"b\":2}", "true", "\"0123456789abcdefghi\"", "12345678901",
        "1.25"}) {
    const std::string payload = "{\"b\":" + std::string(value) + " ,\"a\":1,\"b\":2}";
    EXPECT_EQ(Again(payload, table, Unmentioned::kSkip), "{\"a\":1}") << payload;
  }
}

TEST(JsonDecode, RefusesTwoMembersOfOneName) {
  ExpectAll({
      {R"({"a":1,"a":2})", "json_duplicate_field"},
      {R"({"a":1,"b":1,"\u0061":2})", "json_duplicate_field"},
      {R"({"a":null,"a":null})", "json_duplicate_field"},
      {R"({"x":1,"y":1,"x":1})", "json_duplicate_field"},
      {R"({"x":1,"y":1,"\u0078":1})", "json_duplicate_field"},
      {R"({"":1,"":1})", "json_duplicate_field"},
      {R"({"a":1,"A":1,"aa":1,"a ":1})", R"({"a":1,"A":1,"aa":1,"a ":1})"},
  });
}

TEST(JsonDecode, KeepsHundredsOfFieldsAndStillFindsTheDuplicate) {
  const FieldTable table = TableOf({"a"});
  std::string payload = "{\"a\":0";
  for (int i = 0; i < 500; ++i) {
    payload += ",\"field" + std::to_string(i) + "\":" + std::to_string(i);
  }
  EXPECT_EQ(Again(payload + "}", table, Unmentioned::kKeep), payload + "}");
  EXPECT_EQ(Again(payload + ",\"field77\":1}", table, Unmentioned::kKeep), "json_duplicate_field");
  EXPECT_EQ(Again(payload + ",\"field77\":1}", table, Unmentioned::kSkip), "{\"a\":0}");
}

TEST(JsonDecode, LimitsDepth) {
  const FieldTable table = TableOf({"a"});
  // The payload's object is the first level.
  for (const char* const name : {"a", "b"}) {
    for (const bool lists : {true, false}) {
      const auto nested = [&](int levels) {
        std::string text = "{\"" + std::string(name) + "\":";
        for (int i = 1; i < levels; ++i) text += lists ? "[" : "{\"x\":";
        text += "1";
        for (int i = 1; i < levels; ++i) text += lists ? "]" : "}";
        return text + "}";
      };
      const std::string deepest = nested(32);
      EXPECT_EQ(Again(deepest, table, Unmentioned::kKeep), deepest);
      EXPECT_EQ(Again(nested(33), table, Unmentioned::kKeep), "json_too_deep");
      EXPECT_EQ(Again(nested(34), table, Unmentioned::kKeep), "json_too_deep");
      EXPECT_EQ(Again(nested(32), table, Unmentioned::kSkip), name[0] == 'a' ? deepest : "{}");
      EXPECT_EQ(Again(nested(33), table, Unmentioned::kSkip), "json_too_deep");
    }
  }
  EXPECT_EQ(Again("{\"b\":" + std::string(1'000'000, '['), table, Unmentioned::kSkip),
            "json_too_deep");
}

TEST(JsonDecode, LimitsMemoryToTheArena) {
  const FieldTable table = TableOf({"a"});
  const std::string list = R"({"a":[1,2,3,4]})";
  EXPECT_EQ(Again(list, table, Unmentioned::kSkip, 64), list);
  EXPECT_EQ(Again(list, table, Unmentioned::kSkip, 63), "json_out_of_memory");
  EXPECT_EQ(Again(list, table, Unmentioned::kSkip, 0), "json_out_of_memory");
  const std::string map = R"({"a":{"x":1}})";
  EXPECT_EQ(Again(map, table, Unmentioned::kSkip, 32), map);
  EXPECT_EQ(Again(map, table, Unmentioned::kSkip, 31), "json_out_of_memory");
  const std::string text = R"({"a":"\n234"})";
  EXPECT_EQ(Again(text, table, Unmentioned::kSkip, 5), text);
  EXPECT_EQ(Again(text, table, Unmentioned::kSkip, 4), "json_out_of_memory");
  EXPECT_EQ(Again(R"({"a":"1234","b":"\n[]","c":[1]})", table, Unmentioned::kSkip, 0),
            R"({"a":"1234"})");
}

TEST(JsonDecode, BorrowsTextWithoutEscapes) {
  const FieldTable table = TableOf({"a"});
  const codec_test::Payload payload(R"({"a":"text","b":"more"})");
  Arena arena(0);
  Record record(table);
  const auto decoder = MakeJsonDecoder(table, Unmentioned::kKeep);
  ASSERT_TRUE(decoder->Decode(payload.view(), arena, record).ok());
  EXPECT_EQ(record.Get(0).AsString().data(), payload.view().data() + 6);
}

}  // namespace
}  // namespace runnel

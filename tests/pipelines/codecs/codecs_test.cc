// The codecs in tables: payloads and what they are, limits, writing and reading back.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "config/yaml.h"
#include "tests/pipelines/codecs/multi.h"

namespace runnel {
namespace {

using codec_test::DecodeAll;
using codec_test::MakeFormat;
using codec_test::TableOf;
using Strings = std::vector<std::string>;

Node Options(const char* yaml) {
  Diagnostics diagnostics;
  return ParseYaml(yaml, "p.yaml", {}, diagnostics).value_or(Node());
}

std::string FromHex(std::string_view hex) {
  std::string bytes;
  int half = -1;
  for (const char c : hex) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) continue;
    if (half >= 0) bytes.push_back(static_cast<char>(half * 16 + digit));
    half = half >= 0 ? -1 : digit;
  }
  return bytes;
}

Strings All(std::string_view codec, std::string_view payload, const char* options = "") {
  const FieldTable table = TableOf({"temp", "ts", "value", "n"});
  const auto format = MakeFormat(codec, Options(options));
  if (format == nullptr) return {"no format"};
  const Strings kept = DecodeAll(*format, table, payload, Unmentioned::kKeep);
  DecodeAll(*format, table, payload, Unmentioned::kSkip);
  return kept;
}

struct Row {
  const char* codec;
  std::string payload;
  Strings records;
  const char* options = "";
};

const Row kPayloads[] = {
    {"ndjson", "{\"a\":1}\n\n  \n{\"a\":2}", {R"({"a":1})", R"({"a":2})"}},
    {"ndjson", "{\"a\":1}\r\n{\"a\":2}\r\n", {R"({"a":1})", R"({"a":2})"}},
    {"ndjson",
     "{\"a\":1}\n{\"a\":\n{\"a\":3}\n",
     {R"({"a":1})", "json_unexpected_end", R"({"a":3})"}},
    {"ndjson", "", {"ndjson_no_records"}},
    {"ndjson", "\n \n", {"ndjson_no_records"}},
    {"raw", " 21.5\n", {R"({"value":21.5})"}},
    {"raw", "+7", {R"({"value":7})"}},
    {"raw", "true", {R"({"value":true})"}},
    {"raw", "", {R"({"value":""})"}},
    {"raw", "on", {R"({"value":"on"})"}},
    {"raw", "1e999", {"raw_number_too_large"}},
    {"raw", "1e-999", {R"({"value":0.0})"}},
    {"raw", "0x10", {R"({"value":"0x10"})"}},
    {"raw", "01", {R"({"value":"01"})"}},
    {"raw", "9223372036854775807", {R"({"value":9223372036854775807})"}},
    {"raw", "9223372036854775808", {R"({"value":9.223372036854776e18})"}},
    {"raw", "-0", {R"({"value":-0.0})"}},
    {"raw", "\xff", {"raw_not_utf8"}},
    {"raw", "on", {"raw_not_a_number"}, "type: number"},
    {"raw", "12", {R"({"v":"12"})"}, "{ type: text, field: v }"},
    {"raw", "12", {"raw_not_a_bool"}, "type: bool"},
    {"csv", "a,b\n1,x\n2,y\n", {R"({"a":1,"b":"x"})", R"({"a":2,"b":"y"})"}},
    {"csv", "a,b\r\n1,\"x\r\ny\"\r\n", {R"({"a":1,"b":"x\r\ny"})"}},
    {"csv", "a,b\n1,\"he said \"\"no\"\"\"\n", {R"({"a":1,"b":"he said \"no\""})"}},
    {"csv", "a,b\n,\"\"\n", {R"({"b":""})"}},
    {"csv",
     "a,b\n1\n1,2,3\n4,5\n",
     {"csv_too_few_fields", "csv_too_many_fields", R"({"a":4,"b":5})"}},
    {"csv", "a,b\n1,\n", {R"({"a":1})"}},
    {"csv", "a,b\n1,", {R"({"a":1})"}},
    {"csv", "a,a\n1,2\n", {"csv_duplicate_name"}},
    {"csv", "a,\n1,2\n", {"csv_empty_name"}},
    {"csv", "a,b\n", {"csv_no_records"}},
    {"csv", "", {"csv_empty_name"}},
    {"csv", "a,b\n1,\"x", {"csv_unclosed_quote"}},
    {"csv", "a,b\n1,\"x\"y\n2,z\n", {"csv_text_behind_quote", R"({"a":2,"b":"z"})"}},
    {"csv", "a,b\nx\"y,1\n2,z\n", {"csv_quote_inside_field", R"({"a":2,"b":"z"})"}},
    {"csv", "a\n\xff\n", {"csv_not_utf8"}},
    {"csv",
     "1;2\n3;4\n",
     {R"({"a":1,"b":2})", R"({"a":3,"b":4})"},
     "{ columns: [a, b], delimiter: ';' }"},
    {"csv",
     "x;y\n3;4\n",
     {R"({"a":3,"b":4})"},
     "{ columns: [a, b], delimiter: ';', header: true }"},
    {"csv", "1\t2\n", {R"({"a":1,"b":2})"}, "{ columns: [a, b], delimiter: tab }"},
    {"csv", "a,b\nNA, 2 \n", {R"({"b":2})"}, "{ 'null': NA, trim: true }"},
    {"csv", "a,b\n007,x\n", {R"({"a":"007","b":"x"})"}, "{ types: { a: text } }"},
    {"csv", "a,b\nseven,x\n", {"csv_not_of_its_type"}, "{ types: { a: number } }"},
    {"csv", "a,b\n1\n", {R"({"a":1})"}, "ragged: true"},
    {"line",
     "m,t=a f=1.5,i=2i,u=3u,s=\"x\\\"y\",b=t 99\n",
     {R"({"measurement":"m","t":"a","f":1.5,"i":2,"u":3,"s":"x\"y","b":true,"time":99})"}},
    {"line",
     "# c\n\nm f=1\nm f=2\n",
     {R"({"measurement":"m","f":1.0})", R"({"measurement":"m","f":2.0})"}},
    {"line", "my\\ m,a\\,b=c\\=d f=1", {R"({"measurement":"my m","a,b":"c=d","f":1.0})"}},
    {"line", "m", {"line_no_fields"}},
    {"line", ",t=a f=1", {"line_no_measurement"}},
    {"line", "m,t= f=1", {"line_bad_tag"}},
    {"line", "m f=", {"line_bad_value"}},
    {"line", "m f=1x", {"line_bad_value"}},
    {"line", "m f=1 2 3", {"line_bad_time"}},
    {"line", "m f=\"x", {"line_unclosed_quote"}},
    {"line", "m f=99999999999999999999i", {"line_number_too_large"}},
    {"line", "m,a=1 a=2", {"line_duplicate_field"}},
    {"line",
     "m f=1\nbad\nm f=2",
     {R"({"measurement":"m","f":1.0})", "line_no_fields", R"({"measurement":"m","f":2.0})"}},
    {"line", "", {"line_no_records"}},
    {"senml", R"([{"n":"a","v":1}])", {R"({"n":"a","v":1})"}},
    {"senml",
     R"([{"bn":"d/","bt":1.7e9,"bv":20,"n":"t","v":1.5},{"n":"u","t":-5},{"n":"s","vs":"on"}])",
     {R"({"n":"d/t","v":21.5,"t":1700000000})", R"({"n":"d/u","v":20.0,"t":1699999995})",
      R"({"n":"d/s","t":1700000000,"vs":"on"})"}},
    {"senml",
     R"([{"bn":"a","v":1},{"bn":"b","v":2}])",
     {R"({"n":"a","v":1})", R"({"n":"b","v":2})"}},
    {"senml", R"([{"n":"a","v":1,"t":5}])", {"senml_relative_time"}},
    {"senml", R"([{"n":"a","v":1,"t":5}])", {R"({"n":"a","v":1,"t":5})"}, "relative: keep"},
    {"senml", R"([{"n":"a","x_":1}])", {"senml_must_understand"}},
    {"senml", R"([{"bver":11,"n":"a","v":1}])", {"senml_version"}},
    {"senml", R"([{"v":1}])", {"senml_bad_name"}},
    {"senml", R"([{"n":"a b","v":1}])", {"senml_bad_name"}},
    {"senml", R"([{"n":"a","v":"x"},{"n":"b","v":2}])", {"senml_bad_value", R"({"n":"b","v":2})"}},
    {"senml", "[]", {"senml_no_records"}},
    {"senml", "{}", {"senml_not_a_list"}},
    {"senml", R"([{"n":"a","v":1}]x)", {"senml_trailing_text"}},
    {"senml", R"([{"n":"a","v":1}{)", {"senml_not_a_list"}},
    {"cbor", FromHex("a1 61 61 01"), {R"({"a":1})"}},
    {"cbor", FromHex("a1 61 61 01 a1 61 61 02"), {R"({"a":1})", R"({"a":2})"}},
    {"cbor", FromHex("a1 61 61 3b 7fffffffffffffff"), {R"({"a":-9223372036854775808})"}},
    {"cbor", FromHex("a1 61 61 1b ffffffffffffffff"), {R"({"a":18446744073709551615})"}},
    {"cbor", FromHex("a1 61 61 f9 3c00"), {R"({"a":1.0})"}},
    {"cbor", FromHex("a1 61 61 f9 0001"), {R"({"a":5.960464477539063e-8})"}},
    {"cbor", FromHex("a1 61 61 fa 47c35000"), {R"({"a":100000.0})"}},
    {"cbor", FromHex("a1 61 61 f9 7e00"), {R"({"a":null})"}},
    {"cbor", FromHex("a1 61 61 f7"), {R"({"a":null})"}},
    {"cbor", FromHex("bf 61 61 9f 01 02 ff ff"), {R"({"a":[1,2]})"}},
    {"cbor", FromHex("a1 61 61 7f 62 6869 61 21 ff"), {R"({"a":"hi!"})"}},
    {"cbor", FromHex("a1 61 61 c1 1a 514b67b0"), {R"({"a":"2013-03-21T20:04:00Z"})"}},
    {"cbor", FromHex("a1 61 61 d8 20 61 78"), {R"({"a":"x"})"}},
    {"cbor", FromHex("a1 61 61"), {"cbor_unexpected_end"}},
    {"cbor", FromHex("a1 61 61 5b ffffffffffffffff"), {"cbor_unexpected_end"}},
    {"cbor", FromHex("a1 61 61 9b ffffffffffffffff"), {"cbor_unexpected_end"}},
    {"cbor", FromHex("a2 61 61 01 61 61 02"), {"cbor_duplicate_key"}},
    {"cbor", FromHex("a1 01 02"), {"cbor_key_is_no_text"}},
    {"cbor", FromHex("01"), {"cbor_not_a_map"}},
    {"cbor", FromHex("a1 61 ff 01"), {"cbor_not_utf8"}},
    {"cbor", FromHex("a1 61 61 1c"), {"cbor_bad_head"}},
    {"cbor", FromHex("a1 61 61 f8 20"), {"cbor_unknown_simple_value"}},
    {"cbor", "", {"cbor_no_records"}},
};

TEST(Codecs, ReadPayloads) {
  for (const Row& row : kPayloads) {
    EXPECT_EQ(All(row.codec, row.payload, row.options), row.records)
        << row.codec << ": " << row.payload;
  }
}

// A decoder that has seen other payloads reads the next one as a new decoder does.
TEST(Codecs, RememberNothingThatChangesAResult) {
  const FieldTable table = TableOf({"a", "b", "bc"});
  const std::unique_ptr<const Format> format = MakeFormat("csv");
  const auto decoder = format->MakeDecoder(table, Unmentioned::kKeep);
  EXPECT_EQ(codec_test::DecodeWith(*decoder, table, "a,b"), "csv_no_records");
  const std::string longer = "a,bc\n1,2\n";
  const auto fresh = format->MakeDecoder(table, Unmentioned::kKeep);
  EXPECT_EQ(codec_test::DecodeWith(*decoder, table, longer),
            codec_test::DecodeWith(*fresh, table, longer));
}

TEST(Codecs, RefuseNesting) {
  std::string lists = FromHex("a1 61 61");
  for (int i = 0; i < 100; ++i) lists += static_cast<char>(0x81);
  EXPECT_EQ(All("cbor", lists + '\1'), Strings{"cbor_too_deep"});
  EXPECT_EQ(All("senml", "[{\"n\":\"a\",\"x\":" + std::string(100, '[')), Strings{"json_too_deep"});
}

// What a codec writes it reads back.
TEST(Codecs, ReadWhatTheyWrite) {
  const std::vector<Row> rows = {
      {"json", R"({"a":1,"b":"x"})", {R"({"a":1,"b":"x"})"}},
      {"ndjson",
       R"({"a":1,"b":null,"c":[1,{"d":2.5}]})",
       {R"({"a":1,"b":null,"c":[1,{"d":2.5}]})"}},
      {"raw", R"({"value":21.5})", {R"({"value":21.5})"}},
      {"csv",
       R"({"a":1,"b":"x,\"y\"","c":"7","d":2.5,"e":true})",
       {R"({"a":1,"b":"x,\"y\"","c":"7","d":2.5,"e":true})"},
       "header: true"},
      {"csv",
       R"({"a":1,"b":null,"c":"two\nlines"})",
       {R"({"a":1,"c":"two\nlines"})"},
       "columns: [a, b, c]"},
      {"line",
       R"({"measurement":"m m","t":"a=b","f":1.5,"i":2,"s":"x\"\\y","b":false})",
       {R"({"measurement":"m m","t":"a=b","f":1.5,"i":2,"s":"x\"\\y","b":false})"},
       "tags: t"},
      {"line",
       R"({"measurement":"m","f":1.0,"end":1700000000000})",
       {R"({"measurement":"m","f":1.0,"time":1700000000000000000})"}},
      {"senml",
       R"({"n":"dev:1/t","v":21.5,"u":"Cel","t":1700000000})",
       {R"({"n":"dev:1/t","u":"Cel","v":21.5,"t":1700000000})"}},
      {"cbor",
       R"({"a":1,"b":-300,"c":2.5,"d":0.1,"e":"ü","f":[1,{"g":null}],"h":true,"i":1e300,"j":65504.0,"k":6e-08})",
       {R"({"a":1,"b":-300,"c":2.5,"d":0.1,"e":"ü","f":[1,{"g":null}],"h":true,"i":1e300,"j":65504.0,"k":6e-8})"}},
  };
  for (const Row& row : rows) {
    const FieldTable table = TableOf({"a", "measurement"});
    const auto format = MakeFormat(row.codec, Options(row.options));
    ASSERT_NE(format, nullptr) << row.codec;
    const codec_test::Payload padded(row.payload);
    Arena arena(1 << 16);
    Record record(table);
    ASSERT_TRUE(
        MakeJsonDecoder(table, Unmentioned::kKeep)->Decode(padded.view(), arena, record).ok())
        << row.payload;
    std::string written;
    const Outcome outcome = format->MakeEncoder()->Encode(record, written);
    ASSERT_TRUE(outcome.ok()) << row.codec << " " << outcome.reason();
    EXPECT_EQ(DecodeAll(*format, table, written, Unmentioned::kKeep), row.records)
        << row.codec << ": " << written;
  }
}

TEST(Codecs, SayWhatTheyCannotWrite) {
  const std::vector<std::pair<const char*, std::pair<const char*, const char*>>> rows = {
      {"raw", {R"({"v":1})", "raw_no_field"}},
      {"line", {R"({"f":1})", "line_no_measurement"}},
      {"line", {R"({"measurement":"m"})", "line_no_fields"}},
      {"line", {R"({"measurement":"m","f":[1]})", "line_not_a_scalar"}},
      {"line", {R"({"measurement":"m","f":"a\nb"})", "line_newline_in_text"}},
      {"senml", {R"({"v":1})", "senml_bad_name"}},
      {"senml", {R"({"n":"a"})", "senml_no_value"}},
  };
  for (const auto& [codec, row] : rows) {
    const FieldTable table = TableOf({});
    const codec_test::Payload padded(row.first);
    Arena arena(1 << 16);
    Record record(table);
    ASSERT_TRUE(
        MakeJsonDecoder(table, Unmentioned::kKeep)->Decode(padded.view(), arena, record).ok());
    std::string written;
    const Outcome outcome = MakeFormat(codec)->MakeEncoder()->Encode(record, written);
    EXPECT_STREQ(outcome.reason(), row.second) << codec << " " << row.first;
  }
}

// The example of the manual is true.
TEST(Codecs, DoWhatTheManualSays) {
  for (const Codec& codec : Codecs()) {
    const std::string payload = codec.name == "cbor"
                                    ? FromHex(codec.payload.substr(0, codec.payload.find(" (")))
                                    : std::string(codec.payload);
    const Strings records = All(codec.name, payload);
    std::string all;
    for (const std::string& record : records) all += (all.empty() ? "" : ",") + record;
    if (records.size() > 1) all = "[" + all + "]";
    EXPECT_EQ(all, codec.records) << codec.name;
  }
}

// Cut anywhere and changed anywhere: records or reasons, and it ends.
TEST(Codecs, TakeAnyBytes) {
  const std::uint32_t seed = 20'261'123;
  std::mt19937 random(seed);
  for (const Codec& codec : Codecs()) {
    const std::string whole =
        codec.name == "cbor" ? FromHex(codec.payload) : std::string(codec.payload);
    for (std::size_t size = 0; size <= whole.size(); ++size) All(codec.name, whole.substr(0, size));
    for (int i = 0; i < 3'000; ++i) {
      std::string bytes = whole;
      for (int change = 0; change < 3; ++change) {
        bytes[random() % bytes.size()] = static_cast<char>(random() % 256);
      }
      All(codec.name, bytes);
    }
  }
}

TEST(Codecs, SayWhatIsWrongWithOptions) {
  const auto error = [](const char* codec, const char* options) {
    Diagnostics diagnostics;
    Node node;
    node.kind = Node::Kind::kMap;
    node.members.push_back({codec, {"p.yaml", 1, 1}, Options(options)});
    EXPECT_EQ(CompileFormat(node, {"p.yaml", 1, 1}, diagnostics), nullptr) << options;
    return diagnostics.has_errors()
               ? diagnostics.All()[0].message + "; " + diagnostics.All()[0].hint
               : "none";
  };
  EXPECT_EQ(error("csv", "delimeter: ;"),
            "unknown option `delimeter` of `csv`; did you mean `delimiter`?");
  EXPECT_EQ(error("csv", "delimiter: ab"), "`delimiter` is one character, found `ab`; ");
  EXPECT_EQ(error("csv", "{ delimiter: \"'\", quote: \"'\" }"),
            "`delimiter` and `quote` are the same character; ");
  EXPECT_EQ(error("csv", "columns: [a, b, a]"), "column `a` is there twice; ");
  EXPECT_EQ(error("json", "pretty: true"), "unknown option `pretty` of `json`; it has no options");
  EXPECT_EQ(error("senm", ""), "unknown codec `senm`; did you mean `senml`?");
}

}  // namespace
}  // namespace runnel

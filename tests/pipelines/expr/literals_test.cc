#include "tests/pipelines/expr/support.h"

namespace runnel {
namespace {

TEST(Literals, OfNumbers) {
  ExpectAll({
      {"0x10 + 1", "17"},
      {"0xFFu", "255u"},
      {"-0x10", "-16"},
      {"1u + 2U", "3u"},
      {"18446744073709551615u", "18446744073709551615u"},
      {"9223372036854775807", "9223372036854775807"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"-0x8000000000000000", "-9223372036854775808"},
      {".5", "0.5"},
      {"1.5e3", "1500.0"},
      {"1e-2", "0.01"},
      {"2E+2", "200.0"},
      {"1e-400", "0.0"},
      {"0.1 + 0.2", "0.30000000000000004"},
      {"9223372036854775808", "p.yaml:3:10: error: a number that does not fit 64 bits\n"},
      {"18446744073709551616u", "p.yaml:3:10: error: a number that does not fit 64 bits\n"},
      {"99999999999999999999", "p.yaml:3:10: error: a number that does not fit 64 bits\n"},
      {"0x", "p.yaml:3:10: error: a number that does not fit 64 bits\n"},
      {"1e400", "p.yaml:3:10: error: a number that does not fit a double\n"},
      {"1x",
       "p.yaml:3:10: error: a number with letters behind it\n"
       "  hint: a length of time is `duration(\"10s\")`, text stands in quotes\n"},
      {"1.", "p.yaml:3:12: error: expected a name behind `.`\n"},
  });
}

TEST(Literals, OfText) {
  ExpectAll({
      {"'it' + \"s\"", "\"its\""},
      {"'\\u00e4\\n'", "\"ä\\n\""},
      {"'\\U0001F600'", "\"😀\""},
      {"'\\x41\\101\\\\'", "\"AA\\\\\""},
      {"r'\\n'", "\"\\\\n\""},
      {"R\"\\\"", "\"\\\\\""},
      {"'''a'b''c'''", "\"a'b''c\""},
      {"\"\"\"a\nb\"\"\"", "\"a\\nb\""},
      {"''", "\"\""},
      {"b'\\x61\\142'", "bytes ab"},
      {"b'ä' == b'\\xc3\\xa4'", "true"},
      {"rb'\\x' == br\"\\x\"", "true"},
      {"'ä'.size()", "1"},
      {"b'ä'.size()", "2"},
      {"'abc", "p.yaml:3:10: error: a text without a closing quote\n"},
      {"'a\nb'", "p.yaml:3:10: error: a text without a closing quote\n"},
      {"'''abc''", "p.yaml:3:10: error: a text without a closing quote\n"},
      {"'\\q'", "p.yaml:3:11: error: an escape that texts do not have\n"},
      {"'\\u12'", "p.yaml:3:11: error: an escape with too few digits\n"},
      {"'\\ud800'", "p.yaml:3:11: error: an escape that is no character\n"},
      {"'\\U00110000'", "p.yaml:3:11: error: an escape that is no character\n"},
      {"b'\\u0041'", "p.yaml:3:12: error: an escape that texts do not have\n"},
      {"'\xff'", "p.yaml:3:11: error: the expression is not UTF-8\n"},
  });
}

TEST(Literals, NamesAndTypes) {
  ExpectAll({
      {"`temp-1` + 1", "6"},
      {"`temp` > 1", "true"},
      {"type == 'alarm'", "true"},
      {"type(type) == string", "true"},
      {"type(count) == int", "true"},
      {"type(int) == type", "true"},
      {"int", "type int"},
      {"google.protobuf.Timestamp", "type google.protobuf.Timestamp"},
      {"true && !false", "true"},
      {"null", "null"},
      {".temp", "21.5"},
      {"temp > 1 // a comment", "true"},
      {"while",
       "p.yaml:3:10: error: `while` is a reserved word\n"
       "  hint: write it in backticks if it is a field: `while`\n"},
      {"has(pos.while)", "false"},
      {"`temp", "p.yaml:3:10: error: a name without a closing backtick\n"},
      {"``", "p.yaml:3:10: error: an empty name\n"},
      {"Point{x: 1}",
       "p.yaml:3:10: error: messages of protocol buffers, such as "
       "`Point{...}`, are not supported\n"},
  });
}

}  // namespace
}  // namespace runnel

#include "pipelines/expr/functions.h"

#include <set>

#include "tests/pipelines/expr/support.h"

namespace runnel {
namespace {

TEST(Functions, OfText) {
  ExpectAll({
      {"device.startsWith('a') && !device.startsWith('b')", "true"},
      {"device.endsWith('17') && !device.endsWith('a')", "true"},
      {"device.contains('-') && device.contains('') && !device.contains('--')", "true"},
      {"size(device) + device.size()", "8"},
      {"size('äö😀')", "3"},
      {"size(raw) + size(numbers) + size(pos)", "8"},
      {"'ÄBc'.lowerAscii() + 'äbC'.upperAscii()", "\"ÄbcäBC\""},
      {"' \\t a b\\n'.trim() + '|' + '  '.trim()", "\"a b|\""},
      {"count.contains('a')", "error: no_such_overload"},
      {"device.contains(count)", "error: no_such_overload"},
      {"size(count)", "error: no_such_overload"},
      {"size(nothing)", "error: no_such_field"},
  });
}

TEST(Functions, OfNumbers) {
  ExpectAll({
      {"abs(-count) + abs(count)", "14"},
      {"abs(-temp)", "21.5"},
      {"abs(total)", "7u"},
      {"abs(-big - 1)", "error: overflow"},
      {"floor(temp) + ceil(temp)", "43.0"},
      {"floor(count)", "7"},
      {"round(temp)", "22.0"},
      {"round(-temp)", "-22.0"},
      {"round(21.456, 2)", "21.46"},
      {"round(21.456, 0)", "21.0"},
      {"round(count, 2)", "7"},
      {"round(temp, count + 9)", "error: range_error"},
      {"round(temp, -count)", "error: range_error"},
      {"round(1e300, 15)", "1e300"},
      {"min(3, count, 5.0)", "3"},
      {"max(temp, count, 5u)", "21.5"},
      {"min(count)", "7"},
      {"max(1, nan)", "null"},
      {"clamp(temp, 0, 20)", "20"},
      {"clamp(temp, 0, 30)", "21.5"},
      {"clamp(temp, 25.0, 30)", "25.0"},
      {"clamp(temp, 30, count)", "error: range_error"},
      {"max(device, 1)", "error: no_such_overload"},
  });
}

TEST(Functions, Convert) {
  ExpectAll({
      {"int('12') + int(7u) + int(-3.9)", "16"},
      {"int(nan)", "error: range_error"},
      {"int(temp * 1e30)", "error: range_error"},
      {"int(device)", "error: not_a_number"},
      {"int('12 ')", "p.yaml:3:10: error: this is an error whatever the record: not_a_number\n"},
      {"int(ok)", "error: no_such_overload"},
      {"uint(count)", "7u"},
      {"uint(-count)", "error: range_error"},
      {"uint(-0.5 * temp)", "error: range_error"},
      {"uint('7')", "7u"},
      {"double(count) + double('0.5')", "7.5"},
      {"double(device)", "error: not_a_number"},
      {"string(count) + string(temp) + string(ok) + string(total)", "\"721.5true7\""},
      {"string(raw)", "\"raw\""},
      {"string(bytes(device) + b'\\xff')", "error: invalid_utf8"},
      {"bytes(device)", "bytes a-17"},
      {"bool('true') && bool('1') && !bool('False')", "true"},
      {"bool(device)", "error: not_a_bool"},
      {"type(count)", "type int"},
      {"type(numbers) == list && type(pos) == map && type(none) == null_type", "true"},
      {"dyn(1) == '1'", "false"},
  });
}

TEST(Functions, OfTimes) {
  ExpectAll({
      {"timestamp('2026-01-31T12:00:00.25Z')", "1769860800s 250000000ns"},
      {"timestamp('2026-01-31T12:00:00+02:00') == timestamp('2026-01-31 10:00:00Z')", "true"},
      {"timestamp(count)", "7s 0ns"},
      {"string(timestamp('2026-01-31T12:00:00.250Z'))", "\"2026-01-31T12:00:00.25Z\""},
      {"string(timestamp('0001-01-01T00:00:00Z'))", "\"0001-01-01T00:00:00Z\""},
      {"int(timestamp('1969-12-31T23:59:59.5Z'))", "-1"},
      {"timestamp(device)", "error: not_a_timestamp"},
      {"timestamp('2026-02-29T00:00:00Z' + '')",
       "p.yaml:3:10: error: this is an error whatever the record: not_a_timestamp\n"},
      {"timestamp(big)", "error: range_error"},
      {"duration('1h30m')", "5400s 0ns"},
      {"duration('-1.5s')", "-1s -500000000ns"},
      {"duration('1ms2us3ns')", "0s 1002003ns"},
      {"duration('0')", "0s 0ns"},
      {"duration(device)", "error: not_a_duration"},
      {"duration(device + 's')", "error: not_a_duration"},
      {"duration(string(big) + 'h')", "error: not_a_duration"},
      {"string(duration('90m') + duration('1ms'))", "\"5400.001s\""},
      {"string(-duration('1.5s'))", "\"-1.5s\""},
      {"timestamp(0) + duration('1d' == '' ? '0' : '60s') == timestamp(60)", "true"},
      {"timestamp(100) - timestamp(40) == duration('1m')", "true"},
      {"timestamp(100) - duration('1m') < timestamp(41)", "true"},
      {"timestamp(count) * 2",
       "p.yaml:3:27: error: `*` does not go with "
       "timestamp and int\n"},
      {"timestamp('9999-12-31T23:59:59Z') + duration(string(count) + 's')", "error: range_error"},
      {"timestamp('2009-02-13T23:31:30.5Z').getFullYear()", "2009"},
      {"timestamp('2009-02-13T23:31:30.5Z').getMonth()", "1"},
      {"timestamp('2009-02-13T23:31:30.5Z').getDate()", "13"},
      {"timestamp('2009-02-13T23:31:30.5Z').getDayOfMonth()", "12"},
      {"timestamp('2009-02-13T23:31:30.5Z').getDayOfWeek()", "5"},
      {"timestamp('2009-02-13T23:31:30.5Z').getDayOfYear()", "43"},
      {"timestamp('2009-02-13T23:31:30.5Z').getHours('+02:00')", "1"},
      {"timestamp('2009-02-13T23:31:30.5Z').getDate('-23:30')", "13"},
      {"timestamp('2009-02-13T23:31:30.5Z').getMinutes()", "31"},
      {"timestamp('2009-02-13T23:31:30.5Z').getSeconds()", "30"},
      {"timestamp('2009-02-13T23:31:30.5Z').getMilliseconds()", "500"},
      {"timestamp(count).getHours('Europe/Berlin')",
       "p.yaml:3:36: error: unknown time zone `Europe/Berlin`\n"
       "  hint: a name of the zone database, such as Europe/Berlin, or UTC or +02:00\n"},
      {"duration('1h30m').getMinutes() + duration('1h30m').getHours()", "91"},
  });
}

// The value, or the error, found at once or later.
std::string Outcome(const char* text) {
  const std::string value = Evaluated(text);
  constexpr std::string_view kAtOnce = "this is an error whatever the record: ";
  const std::size_t found = value.find(kAtOnce);
  if (found == std::string::npos) return value;
  const std::size_t begin = found + kAtOnce.size();
  return "error: " + value.substr(begin, value.find('\n', begin) - begin);
}

// CEL's math extension and what sensor data needs.
TEST(Functions, OfMath) {
  const std::pair<const char*, const char*> rows[] = {
      {"math.greatest(1, 2.5, 2u)", "2.5"},
      {"math.greatest([1, 3, 2])", "3"},
      {"math.greatest([])", "error: empty_list"},
      {"math.least(1, -2.5)", "-2.5"},
      {"math.abs(-3)", "3"},
      {"math.abs(-9223372036854775808)", "error: overflow"},
      {"math.sign(-0.5)", "-1.0"},
      {"math.sign(7u)", "1u"},
      {"math.trunc(-1.9)", "-1.0"},
      {"math.round(-1.5)", "-2.0"},
      {"math.ceil(1.2)", "2.0"},
      {"math.floor(-1.2)", "-2.0"},
      {"math.sqrt(81)", "9.0"},
      {"math.isNaN(nan)", "true"},
      {"math.isFinite(temp)", "true"},
      {"math.isInf(1.0 / 0.0)", "true"},
      {"math.bitAnd(6, 3)", "2"},
      {"math.bitOr(6u, 3u)", "7u"},
      {"math.bitXor(6, 3)", "5"},
      {"math.bitNot(1)", "-2"},
      {"math.bitAnd(count, total)", "error: no_such_overload"},
      {"math.bitShiftLeft(1, 4)", "16"},
      {"math.bitShiftLeft(1, 64)", "0"},
      {"math.bitShiftRight(-1, 60)", "15"},
      {"math.bitShiftRight(1, -1)", "error: negative_offset"},
      {"scale(12, 4, 20, 0, 100)", "50.0"},
      {"scale(12, 4, 4, 0, 100)", "error: range_error"},
      {"lerp(10, 20, 0.25)", "12.5"},
      {"pow(2, 10)", "1024.0"},
      {"convert(temp, 'C', 'F')", "70.7"},
      {"convert(32, 'F', 'C')", "0.0"},
      {"convert(1, 'kWh', 'MJ')", "error: unknown_unit"},
      {"convert(1, 'kWh', 'J')", "3600000.0"},
      {"convert(36, 'km/h', 'm/s')", "10.0"},
      {"convert(1, 'm', 's')", "error: units_do_not_go_together"},
      {"hash(device) == hash('a-17')", "true"},
      {"hash(device) >= 0", "true"},
  };
  for (const auto& [text, value] : rows) EXPECT_EQ(Outcome(text), value) << text;
}

// CEL's extension of text functions, and of lists.
TEST(Functions, OfStringsAndLists) {
  const std::pair<const char*, const char*> rows[] = {
      {"'tacocat'.charAt(3)", "\"o\""},
      {"'tacocat'.charAt(7)", "\"\""},
      {"'tacocat'.charAt(8)", "error: index_out_of_range"},
      {"'ta©o©αT'.charAt(5)", "\"α\""},
      {"'tacocat'.indexOf('ac')", "1"},
      {"'ta©o©αT'.indexOf('©', 3)", "4"},
      {"'tacocat'.indexOf('none')", "-1"},
      {"'tacocat'.indexOf('')", "0"},
      {"'tacocat'.indexOf('a', 30)", "error: index_out_of_range"},
      {"'tacocat'.lastIndexOf('at')", "5"},
      {"'tacocat'.lastIndexOf('c', 3)", "2"},
      {"'ta©o©αT'.lastIndexOf('©')", "4"},
      {"'tacocat'.lastIndexOf('')", "7"},
      {"'12 days 12 hours'.replace('{0}', '2')", "\"12 days 12 hours\""},
      {"'{0} days {0} hours'.replace('{0}', '2')", "\"2 days 2 hours\""},
      {"'{0} days {0} hours'.replace('{0}', '2', 1)", "\"2 days {0} hours\""},
      {"'1'.replace('', 'x')", "\"x1x\""},
      {"'a'.replace('a', 'b', 'c')", "error: no_such_overload"},
      {"'hello hello'.split(' ')", "[\"hello\",\"hello\"]"},
      {"'hello hello hello'.split(' ', 2)", "[\"hello\",\"hello hello\"]"},
      {"'abc'.split('')", "[\"a\",\"b\",\"c\"]"},
      {"'a'.split(' ', 0)", "[]"},
      {"'a'.split(' ')", "[\"a\"]"},
      {"['x', 'y'].join()", "\"xy\""},
      {"['x', 'y'].join('-')", "\"x-y\""},
      {"[1].join()", "error: no_such_overload"},
      {"'tacocat'.substring(4)", "\"cat\""},
      {"'ta©o©αT'.substring(2, 6)", "\"©o©α\""},
      {"'tacocat'.substring(5, 4)", "error: index_out_of_range"},
      {"'gums'.reverse()", "\"smug\""},
      {"'α©'.reverse()", "\"©α\""},
      {"[1, 2].reverse()", "[2,1]"},
      {"strings.quote('a\\n\"b\"')", "\"\\\"a\\\\n\\\\\\\"b\\\\\\\"\\\"\""},
      {"lists.range(3)", "[0,1,2]"},
      {"lists.range(-1)", "error: range_error"},
      {"lists.range(1000000)", "error: out_of_memory"},
      {"[1, 2, 3, 4].slice(1, 3)", "[2,3]"},
      {"[1].slice(0, 2)", "error: index_out_of_range"},
      {"[1, [2, [3]]].flatten()", "[1,2,[3]]"},
      {"[1, [2, [3]]].flatten(2)", "[1,2,3]"},
      {"[1, 1.0, 2, 1].distinct()", "[1,2]"},
      {"numbers.sort()", "[1,2,3]"},
      {"mixed.sort()", "error: no_such_overload"},
      {"numbers.sum()", "6"},
      {"[1, 2.5].sum()", "3.5"},
      {"[].sum()", "0"},
      {"mixed.sum()", "error: no_such_overload"},
  };
  for (const auto& [text, value] : rows) EXPECT_EQ(Outcome(text), value) << text;
}

// CEL's extension of formatting, and of encoders.
TEST(Functions, OfFormats) {
  const std::pair<const char*, const char*> rows[] = {
      {"'%s: %.1f'.format([device, temp])", "\"a-17: 21.5\""},
      {"'100 %%'.format([])", "\"100 %\""},
      {"'%d %b %o %x %X'.format([count, 5, 11, 30, 30])", "\"7 101 13 1e 1E\""},
      {"'%d'.format([total])", "\"7\""},
      {"'%b'.format([ok])", "\"1\""},
      {"'%x %X'.format(['Kk', b'\\xfa'])", "\"4b6b FA\""},
      {"'%e %.6e %.0f'.format([2.71828, 1052.032911275, 2.5])", "\"2.718280e+00 1.052033e+03 2\""},
      {"'%s'.format([[1, 2.5, none, {'b': 1, 'a': [ok]}]])",
       "\"[1, 2.5, null, {a: [true], b: 1}]\""},
      {"'%d %f %s'.format([nan, 1.0 / 0.0, -1.0 / 0.0])", "\"NaN Infinity -Infinity\""},
      {"'%s %s'.format([timestamp(0), duration('1h')])", "\"1970-01-01T00:00:00Z 3600s\""},
      {"'%s'.format([raw])", "\"raw\""},
      {"'%s'.format([b'\\xff'])", "error: invalid_utf8"},
      {"'%d'.format([1.5])", "error: no_such_overload"},
      {"'%f'.format([device])", "error: no_such_overload"},
      {"'%a'.format([count])", "error: bad_format"},
      {"'%'.format([count])", "error: bad_format"},
      {"'%.f'.format([temp])", "error: bad_format"},
      {"'%.101f'.format([temp])", "error: bad_format"},
      {"'%.100f'.format([temp]).size()", "103"},
      {"'%d %d'.format([count])", "error: too_few_values_to_format"},
      {"'%.100f%.100f%.100f'.format([1e308, 1e308, 1e308]).size()", "1230"},
      {"lists.range(40).map(i, '%.100f'.format([1e308 + double(i)])).size()",
       "error: out_of_memory"},
      {"base64.encode(b'')", "\"\""},
      {"base64.encode(raw)", "\"cmF3\""},
      {"base64.encode(b'hello')", "\"aGVsbG8=\""},
      {"base64.decode('aGVsbG8=')", "bytes hello"},
      {"base64.decode('aGVsbG8')", "bytes hello"},
      {"base64.decode(device)", "error: not_base64"},
      {"base64.decode('a')", "error: not_base64"},
      {"'\\u00a0\\u3000 a b\\u2009\\u0085'.trim()", "\"a b\""},
  };
  for (const auto& [text, value] : rows) EXPECT_EQ(Outcome(text), value) << text;
}

TEST(Functions, OfRegularExpressions) {
  const std::pair<const char*, const char*> rows[] = {
      {"device.matches('^a-[0-9]+$')", "true"},
      {"device.matches('b')", "false"},
      {"matches('hubba', 'ubb')", "true"},
      {"device.matches(device + '[')", "error: bad_regular_expression"},
      {"'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.matches('^(a+)+$')", "false"},
  };
  for (const auto& [text, value] : rows) EXPECT_EQ(Outcome(text), value) << text;
  EXPECT_NE(
      Evaluated("device.matches('(')").find("p.yaml:3:25: error: the regular expression is wrong"),
      std::string::npos);
}

TEST(Functions, AreDocumentedAndNamedOnce) {
  std::set<std::string_view> signatures;
  for (const expr::Function* function : expr::Functions()) {
    EXPECT_TRUE(signatures.insert(function->signature).second) << function->signature;
    EXPECT_NE(function->signature.find(function->name), std::string_view::npos);
    EXPECT_TRUE(function->description.ends_with(".")) << function->name;
    EXPECT_LE(function->arguments_min, function->arguments_max);
    EXPECT_LE(function->arguments_max, expr::kArgumentsMax);
    for (std::size_t i = 0; i < function->arguments_max; ++i) {
      EXPECT_NE(function->TypesOf(i).bits(), 0u) << function->name << " argument " << i;
    }
  }
}

}  // namespace
}  // namespace runnel

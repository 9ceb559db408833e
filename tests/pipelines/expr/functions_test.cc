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
       "google.protobuf.Timestamp and int\n"},
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
      {"timestamp(count).getHours('Europe/Berlin')", "error: unknown_time_zone"},
      {"duration('1h30m').getMinutes() + duration('1h30m').getHours()", "91"},
  });
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

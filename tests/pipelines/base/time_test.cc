#include "pipelines/base/time.h"

#include <gtest/gtest.h>

#include <limits>

namespace runnel {
namespace {

using namespace std::chrono_literals;

TEST(ParseDuration, ReadsUnitsAndSums) {
  const std::pair<const char*, Duration> cases[] = {
      {"0s", 0s},
      {"250us", 250us},
      {"250ms", 250ms},
      {"10s", 10s},
      {"1m", 1min},
      {"90m", 90min},
      {"1h", 1h},
      {"2d", 48h},
      {"1h30m", 90min},
      {"1d1us", 24h + 1us},
      {"1m1s1ms1us", 61s + 1001us},
      {"10000d", std::chrono::days(10'000)},
      {"007s", 7s},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(ParseDuration(text), std::optional<Duration>(expected)) << text;
  }
}

TEST(ParseDuration, RefusesEverythingElse) {
  for (const char* text : {"",
                           "10",
                           "s",
                           "-1s",
                           "+1s",
                           "1.5s",
                           "1 s",
                           " 1s",
                           "1s ",
                           "1S",
                           "1min",
                           "1sec",
                           "10 seconds",
                           "1s1s",
                           "1m1h",
                           "1ms1s",
                           "10000d1us",
                           "10001d",
                           "99999999999999999999s",
                           "1e3s",
                           "1s5"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
}

TEST(FormatDuration, GivesTheShortestTextThatReadsBack) {
  const std::pair<Duration, const char*> cases[] = {
      {0s, "0s"},           {1500ms, "1500ms"}, {10s, "10s"},   {90s, "90s"},
      {60s, "1m"},          {24h, "1d"},        {25h, "25h"},   {5400s, "90m"},
      {24h + 1us, "1d1us"}, {1us, "1us"},       {-10s, "-10s"},
  };
  for (const auto& [duration, expected] : cases) {
    EXPECT_EQ(FormatDuration(duration), expected);
    if (duration < 0s) continue;
    EXPECT_EQ(ParseDuration(expected), std::optional<Duration>(duration));
  }
  EXPECT_EQ(FormatDuration(Duration::min()).front(), '-');
}

TEST(ParseTimestamp, ReadsRfc3339) {
  const std::pair<const char*, std::int64_t> cases[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"1970-01-01 00:00:00z", 0},
      {"2026-01-31t12:00:00.25Z", 1'769'860'800'250'000},
      {"2026-01-31T12:00:00.1234567Z", 1'769'860'800'123'456},
      {"2026-01-31T14:00:00+02:00", 1'769'860'800'000'000},
      {"2026-01-31T02:30:00-09:30", 1'769'860'800'000'000},
      {"1969-12-31T23:59:59.9Z", -100'000},
      {"2000-02-29T00:00:00Z", 951'782'400'000'000},
      {"0000-01-01T00:00:00Z", -62'167'219'200'000'000},
      {"9999-12-31T23:59:59.999999Z", 253'402'300'799'999'999},
  };
  for (const auto& [text, expected] : cases) {
    const std::optional<Time> time = ParseTimestamp(text);
    ASSERT_TRUE(time.has_value()) << text;
    EXPECT_EQ(Microseconds(*time), expected) << text;
  }
}

TEST(ParseTimestamp, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", "2026", "2026-01-31", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00",
        "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+01:60",
        "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00Zx", "2026-1-01T00:00:00Z",
        " 2026-01-01T00:00:00Z", "-001-01-01T00:00:00Z"}) {
    EXPECT_EQ(ParseTimestamp(text), std::nullopt) << text;
  }
}

TEST(FormatTimestamp, GivesAsManyDigitsAsNeeded) {
  const std::pair<std::int64_t, const char*> cases[] = {
      {0, "1970-01-01T00:00:00Z"},
      {250'000, "1970-01-01T00:00:00.250Z"},
      {250'001, "1970-01-01T00:00:00.250001Z"},
      {-1, "1969-12-31T23:59:59.999999Z"},
      {-62'167'219'200'000'000, "0000-01-01T00:00:00Z"},
      {-62'167'219'200'000'001, "-62167219200000001"},
      {253'402'300'799'999'999, "9999-12-31T23:59:59.999999Z"},
      {253'402'300'800'000'000, "253402300800000000"},
      {std::numeric_limits<std::int64_t>::min(), "-9223372036854775808"},
  };
  for (const auto& [microseconds, expected] : cases) {
    EXPECT_EQ(FormatTimestamp(TimeFromMicroseconds(microseconds)), expected);
  }
}

}  // namespace
}  // namespace runnel

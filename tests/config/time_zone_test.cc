// Files of the zone database, and what they come to in a plan.
#include "config/time_zone.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "config/posix_zone.h"
#include "config/yaml.h"
#include "pipelines/base/zone.h"
#include "pipelines/windows/grid.h"

namespace runnel {
namespace {

constexpr std::int64_t kHour = 3'600'000'000;

void Append(std::string& out, std::int64_t number, int bytes) {
  for (int i = bytes; i-- > 0;) out += static_cast<char>(number >> (8 * i) & 0xff);
}

// One block of a file: so many bytes a time, changes to the offsets given.
std::string Block(int width, const std::vector<std::pair<std::int64_t, int>>& changes,
                  const std::vector<int>& offsets) {
  std::string out = "TZif2" + std::string(15, '\0');
  for (const std::size_t count : {std::size_t{0}, std::size_t{0}, std::size_t{0}, changes.size(),
                                  offsets.size(), std::size_t{4}}) {
    Append(out, static_cast<std::int64_t>(count), 4);
  }
  for (const auto& [time, kind] : changes) Append(out, time, width);
  for (const auto& [time, kind] : changes) out += static_cast<char>(kind);
  for (const int offset : offsets) {
    Append(out, offset, 4);
    out += std::string(2, '\0');
  }
  return out + "ABC" + '\0';
}

// Central Europe's in 2024, and a change long ago.
std::string File() {
  const std::vector<std::pair<std::int64_t, int>> changes = {
      {-1'000'000'000, 1}, {-900'000'000, 0}, {1'711'846'800, 1}, {1'729'990'800, 0}};
  return Block(4, {}, {3600}) + Block(8, changes, {3600, 7200}) + "\nCET-1CEST\n";
}

TEST(TimeZones, AreReadFromTheDatabase) {
  EXPECT_EQ(ParseTzif(File()), "3600 1711846800:7200 1729990800:3600");
  EXPECT_EQ(ParseTzif(Block(4, {}, {-18'000})), std::nullopt);  // version 2 needs its second block
  for (std::size_t size = 0; size < File().size() - 16; ++size) {
    EXPECT_EQ(ParseTzif(File().substr(0, size)), std::nullopt) << size;
  }
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = File();
    bytes[random() % bytes.size()] = static_cast<char>(random() % 256);
    const std::optional<std::string> rules = ParseTzif(bytes);
    if (rules.has_value()) Zone::Parse("X " + *rules);
  }
}

// Files that end early have a rule for what follows.
TEST(TimeZones, GoOnByTheRuleAtTheirEnd) {
  using Changes = std::vector<std::pair<std::int64_t, std::int64_t>>;
  const auto of = [](std::string_view rule, int year) {
    return PosixZoneChanges(rule, year, year).value_or(Changes{{-1, -1}});
  };
  EXPECT_EQ(of("CET-1CEST,M3.5.0,M10.5.0/3", 2024),
            (Changes{{1'711'846'800, 7'200}, {1'729'990'800, 3'600}}));
  EXPECT_EQ(of("EST5EDT,M3.2.0,M11.1.0", 2024),
            (Changes{{1'710'054'000, -14'400}, {1'730'613'600, -18'000}}));
  EXPECT_EQ(of("AEST-10AEDT,M10.1.0,M4.1.0/3", 2024),
            (Changes{{1'712'419'200, 36'000}, {1'728'144'000, 39'600}}));
  EXPECT_EQ(of("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 2024).back().second, 39'600);
  EXPECT_EQ(of("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 2024).front().first, 1'711'846'800);
  EXPECT_EQ(of("X1Y,J60,300", 2024), (Changes{{-1, -1}}));
  EXPECT_EQ(of("XXX1YYY,J60/0,300/0", 2024).front().first, 1'709'254'800);  // the first of March
  EXPECT_EQ(of("XXX1YYY,59/0,300/0", 2024).front().first, 1'709'168'400);   // the day before
  EXPECT_EQ(of("<+0545>-5:45", 2024), Changes());
  for (const char* wrong :
       {"", "CET", "CET-1CEST", "CET-25", "CET-1CEST,M13.1.0,M1.1.0", "CET-1CEST,M3.6.0,M1.1.0",
        "CET-1CEST,M3.5.7,M1.1.0", "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,M10.5.0,", "<+1-1",
        "CET-1CEST,M3.5.0/168,M10.5.0", "CET-1CEST,J366,J1"}) {
    EXPECT_EQ(PosixZoneChanges(wrong, 2024, 2024), std::nullopt) << wrong;
  }
  const std::string slim = Block(4, {}, {3600}) +
                           Block(8, {{828'234'000, 1}, {846'378'000, 0}}, {3600, 7200}) +
                           "\nCET-1CEST,M3.5.0,M10.5.0/3\n";
  const std::optional<std::string> rules = ParseTzif(slim);
  ASSERT_TRUE(rules.has_value());
  const std::optional<Zone> zone = Zone::Parse("X " + *rules);
  ASSERT_TRUE(zone.has_value());
  EXPECT_EQ(zone->OffsetAt(1'700'000'000'000'000), kHour);      // November 2023
  EXPECT_EQ(zone->OffsetAt(1'720'000'000'000'000), 2 * kHour);  // July 2024
  EXPECT_EQ(zone->OffsetAt(2'540'000'000'000'000), 2 * kHour);  // June 2050
}

TEST(TimeZones, ReplaceTheirNamesInAPlan) {
  char folder[] = "/tmp/runnel-zones-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  std::ofstream(std::string(folder) + "/Middle") << File();
  std::ofstream(std::string(folder) + "/Broken") << "TZif";
  const auto resolve = [&](const char* name, std::string& text) {
    Node root;
    root.kind = Node::Kind::kMap;
    root.members.push_back(
        {"timezone", {"p.yaml", 1, 1}, Node::Scalar(name, false, {"p.yaml", 1, 11})});
    Diagnostics diagnostics;
    const bool ok = ResolveTimeZones(root, folder, diagnostics);
    text = root.members[0].value.text;
    EXPECT_EQ(ok, !diagnostics.has_errors());
    return ok;
  };
  std::string text;
  EXPECT_TRUE(resolve("Middle", text));
  EXPECT_EQ(text, "Middle 3600 1711846800:7200 1729990800:3600");
  EXPECT_TRUE(resolve(text.c_str(), text));  // once is enough
  EXPECT_TRUE(resolve("UTC", text));
  EXPECT_TRUE(resolve("+05:30", text));
  for (const char* wrong :
       {"Broken", "Nowhere", "../etc/passwd", "/etc/passwd", "", "+99:00", "+5:30"}) {
    EXPECT_FALSE(resolve(wrong, text)) << wrong;
  }
  std::filesystem::remove_all(folder);
}

TEST(TimeZones, OfExpressionsComeIntoThePlan) {
  char folder[] = "/tmp/runnel-zones-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  std::ofstream(std::string(folder) + "/Middle") << File();
  Node root = *[&] {
    Diagnostics diagnostics;
    return ParseYaml(
        "steps:\n"
        "  - filter: now().getHours( 'Middle') > 6 && t.getDate(\"Nowhere\") == getit('Middle2')\n"
        "  - set: { day: 'now().getDayOfWeek(\"Mine\")' }\n"
        "zones: { Mine: '7200' }\n",
        "p.yaml", {}, diagnostics);
  }();
  std::ofstream(std::string(folder) + "/Mine") << File();
  ResolveExpressionZones(root, folder);
  ResolveExpressionZones(root, folder);  // once is enough
  const Node* zones = root.Find("zones");
  ASSERT_NE(zones, nullptr);
  ASSERT_EQ(zones->members.size(), 2u);
  EXPECT_EQ(zones->members[0].value.text, "7200");
  EXPECT_EQ(zones->members[1].key, "Middle");
  EXPECT_EQ(zones->members[1].value.text, "3600 1711846800:7200 1729990800:3600");
  EXPECT_EQ(ZonesOf("now().getHours('Middle')", folder).size(), 1u);
  EXPECT_EQ(ZonesOf("now().getHours('Nowhere') + getX(", folder).size(), 0u);
  std::filesystem::remove_all(folder);
}

TEST(TimeZones, KnowTheirDays) {
  const std::optional<Zone> zone = Zone::Parse("X 3600 1711846800:7200 1729990800:3600");
  ASSERT_TRUE(zone.has_value());
  Grid grid;
  grid.every = 24 * kHour;
  grid.zone = zone;
  const std::int64_t spring = INT64_C(1'711'839'600) * 1'000'000;  // 2024-03-31T00:00+01:00
  EXPECT_EQ(grid.StartOf(spring), spring);
  EXPECT_EQ(grid.StartOf(spring + 5 * kHour), spring);
  EXPECT_EQ(grid.Next(spring), spring + 23 * kHour);
  const std::int64_t autumn = INT64_C(1'729'980'000) * 1'000'000;  // 2024-10-27T00:00+02:00
  EXPECT_EQ(grid.StartOf(autumn + 24 * kHour), autumn);
  EXPECT_EQ(grid.Next(autumn), autumn + 25 * kHour);
  EXPECT_EQ(grid.Shift(autumn + 25 * kHour, -1), autumn);
}

// By a walk over every minute: a boundary is where the local clock comes to a time of the grid,
// or jumps over one; what it shows twice counts twice only where the grid fits into the change.
TEST(TimeZones, HaveBoundariesWhereTheClockComesToThem) {
  const char* const zones[] = {
      "X 3600 1711846800:7200 1729990800:3600",       // Berlin, 2024
      "X -10800 1541300400:-7200 1550368800:-10800",  // Sao Paulo: at midnight
      "X 37800 1712415600:39600 1728142200:37800",    // Lord Howe: by half an hour
      "X 0 1711846800:3600 1711933200:0",             // two changes within a day
  };
  constexpr std::int64_t kMinute = kHour / 60;
  for (const char* rules : zones) {
    const std::optional<Zone> zone = Zone::Parse(rules);
    ASSERT_TRUE(zone.has_value()) << rules;
    for (const std::int64_t minutes : {15, 30, 45, 60, 120, 180, 360, 720, 1440, 2880}) {
      Grid grid;
      grid.every = minutes * kMinute;
      grid.zone = zone;
      for (const char* change : {std::strchr(rules + 2, ' ') + 1, std::strrchr(rules, ' ') + 1}) {
        const std::int64_t at = std::strtoll(change, nullptr, 10) * 1'000'000;
        const std::int64_t from = at - 72 * kHour;
        std::vector<std::int64_t> wanted;
        std::int64_t seen = INT64_MIN;  // the latest local time that the clock has come to
        for (std::int64_t time = from; time < at + 72 * kHour; time += kMinute) {
          const std::int64_t local = zone->ToLocal(time);
          const std::int64_t before =
              time == from ? local - kMinute : zone->ToLocal(time - kMinute);
          const std::int64_t back = before + kMinute - local;
          if (back > 0 && back % grid.every == 0) seen = local - kMinute;
          // The times of the grid that lie behind `seen`, up to now.
          const std::int64_t floor = local - (local % grid.every + grid.every) % grid.every;
          if (floor > seen && seen != INT64_MIN) wanted.push_back(time);
          seen = std::max(seen, local);
        }
        ASSERT_GE(wanted.size(), 2u);
        for (std::size_t i = 0; i + 1 < wanted.size(); ++i) {
          EXPECT_EQ(grid.Next(wanted[i]), wanted[i + 1]) << rules << " " << minutes << " " << i;
          EXPECT_EQ(grid.Shift(wanted[i + 1], -1), wanted[i]) << rules << " " << minutes;
          for (std::int64_t t = wanted[i]; t < wanted[i + 1]; t += kMinute) {
            ASSERT_EQ(grid.StartOf(t), wanted[i]) << rules << " " << minutes << " " << i;
          }
        }
        const auto steps = static_cast<std::int64_t>(wanted.size()) - 1;
        EXPECT_EQ(grid.Shift(wanted.front(), steps), wanted.back()) << rules << " " << minutes;
        EXPECT_EQ(grid.Shift(wanted.back(), -steps), wanted.front()) << rules << " " << minutes;
      }
    }
  }
}

}  // namespace
}  // namespace runnel

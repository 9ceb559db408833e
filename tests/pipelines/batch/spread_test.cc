#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <random>

#include "pipelines/batch/spread.h"
#include "tests/pipelines/batch/batch_support.h"

namespace runnel {
namespace {

// What `writer` has, with room behind it, and each row handed to `look`; whether all was right.
bool ReadSpread(const SpreadLayout& layout, std::string_view bytes,
                const std::function<void(const SpreadRow&, const Value*, bool usual)>& look) {
  const std::string padded = std::string(bytes) + std::string(16, '\xff');
  SpreadReader reader(layout, std::string_view(padded).substr(0, bytes.size()));
  std::vector<Value> values(layout.arguments() + 1);
  while (!reader.AtEnd()) {
    SpreadRow row;
    bool usual = false;
    if (!reader.Take(row, values.data(), usual)) return false;
    look(row, values.data(), usual);
  }
  return true;
}

std::unique_ptr<const BatchPlan> SpreadPlan(const std::string& aggregates,
                                            const std::string& windows = "tumbling: 1m") {
  return PlanOf("timestamp: ts\nsteps: [{ window: { " + windows + ", key: device, aggregate: { " +
                aggregates + " } } }]\n");
}

TEST(Spread, RowsComeBack) {
  const auto plan = SpreadPlan("a: slope(a), b: sum(b), c: max(c), d: sum(d), e: sum(e)");
  ASSERT_NE(plan, nullptr);
  const SpreadLayout layout(*plan->window);
  EXPECT_EQ(layout.every(), 0) << "slope() asks for the time";
  const Value values[] = {Value::Double(1.5), Value::Int(-2), Value::String("text"), Value(),
                          Value::Null()};
  SpreadWriter writer;
  writer.Append(layout, {"ikey45678", false, 0, 1'500}, values);
  int rows = 0;
  const auto look = [&](const SpreadRow& row, const Value* back, bool usual) {
    EXPECT_EQ(row.key, "ikey45678");
    EXPECT_EQ(row.time, 1'500);
    EXPECT_FALSE(row.is_text || usual);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(Equal(back[i], values[i]));
    EXPECT_TRUE(back[3].IsMissing() && back[4].IsNull());
    ++rows;
  };
  EXPECT_TRUE(ReadSpread(layout, writer.bytes(), look));
  EXPECT_EQ(rows, 1);
  for (std::size_t cut = 1; cut < writer.bytes().size(); ++cut) {
    EXPECT_FALSE(ReadSpread(layout, writer.bytes().substr(0, cut), look)) << cut;
  }
}

TEST(Spread, ZonesAndOrderedAggregatesHaveTheirTime) {
  EXPECT_EQ(SpreadLayout(*SpreadPlan("a: sum(a)")->window).every(), 60'000'000);
  EXPECT_EQ(SpreadLayout(*SpreadPlan("a: sum(a)", "tumbling: 1h, timezone: Europe/Berlin")->window)
                .every(),
            0);
}

TEST(Spread, StartsOfWindowsComeBack) {
  std::mt19937_64 random = Source();
  const std::string key = "key" + std::string(16, ' ');
  for (const char* windows :
       {"tumbling: 1h", "tumbling: 1h, offset: 30m",
        "hopping: { size: 21m, every: 7m }, offset: 1ms", "tumbling: 7s, offset: 6999ms"}) {
    const auto plan = SpreadPlan("a: sum(a)", windows);
    ASSERT_NE(plan, nullptr) << windows;
    const SpreadLayout layout(*plan->window);
    const Value one = Value::Int(1);
    SpreadWriter writer;
    std::vector<std::int64_t> starts;
    for (int i = 0; i < 1'000; ++i) {
      const auto time = static_cast<std::int64_t>(random() >> 12) - (std::int64_t{1} << 51);
      starts.push_back(plan->window->grid.StartOf(i % 3 == 0 ? time : time % 100'000'000));
      writer.Append(layout, {std::string_view(key).substr(0, 3), true, starts.back(), time}, &one);
    }
    std::size_t at = 0;
    EXPECT_TRUE(ReadSpread(layout, writer.bytes(), [&](const SpreadRow& row, const Value*, bool) {
      ASSERT_EQ(row.start, starts[at++]) << windows;
    }));
    EXPECT_EQ(at, starts.size());
  }
}

// Any double comes back bit for bit, whatever the writer remembers of those before.
TEST(Spread, NumbersComeBackBitForBit) {
  const auto plan = SpreadPlan("a: sum(a)");
  const SpreadLayout layout(*plan->window);
  std::mt19937_64 random = Source();
  std::vector<Value> numbers = {Value::Double(0.0),
                                Value::Double(-0.0),
                                Value::Double(0.1),
                                Value::Double(4503599627370496.0),
                                Value::Double(-4503599627370497.0),
                                Value::Double(1e300),
                                Value::Double(5e-324),
                                Value::Double(INFINITY),
                                Value::Double(NAN),
                                Value::Int(0),
                                Value::Int(INT64_MAX),
                                Value::Int(INT64_MIN),
                                Value::Uint(UINT64_MAX),
                                Value::Bool(false)};
  const double powers[] = {1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};
  for (int i = 0; i < 20'000; ++i) {
    const auto whole = static_cast<std::int64_t>(random()) >> random() % 64;
    const double power = powers[i / 500 % 9];
    numbers.push_back(random() % 50 == 0 ? Value::Double(std::bit_cast<double>(random()))
                      : random() % 9 == 0
                          ? Value::Int(whole)
                          : Value::Double(static_cast<double>(whole >> 12) / power));
  }
  SpreadWriter writer;
  for (const Value& number : numbers) writer.Append(layout, {"key", false, 0, 0}, &number);
  std::size_t at = 0;
  // The key is no encoded one, so it is said to be a text.
  std::string bytes;
  SpreadWriter texts;
  const std::string key = "key" + std::string(16, ' ');
  for (const Value& number : numbers) {
    texts.Append(layout, {std::string_view(key).substr(0, 3), true, 0, 0}, &number);
  }
  EXPECT_FALSE(ReadSpread(layout, writer.bytes(), [](const auto&, const auto*, bool) {}));
  ASSERT_TRUE(
      ReadSpread(layout, texts.bytes(), [&](const SpreadRow&, const Value* back, bool usual) {
        const Value& number = numbers[at++];
        ASSERT_EQ(back->type(), number.type());
        const bool is_double = number.type() == Type::kDouble;
        EXPECT_EQ(usual, is_double && std::isfinite(number.AsDouble()));
        if (is_double) {
          EXPECT_EQ(std::bit_cast<std::uint64_t>(back->AsDouble()),
                    std::bit_cast<std::uint64_t>(number.AsDouble()));
        } else {
          EXPECT_TRUE(Equal(*back, number));
        }
      }));
  EXPECT_EQ(at, numbers.size());
}

// What a worker has done before must not show in what a chunk leaves.
TEST(Spread, BytesDependOnTheRowsOfTheSegmentAlone) {
  const auto plan = SpreadPlan("a: sum(a)");
  const SpreadLayout layout(*plan->window);
  const auto append = [&](SpreadWriter& writer) {
    for (const double number : {0.125, 1.5, 3.0, 1e-9}) {
      const Value value = Value::Double(number);
      writer.Append(layout, {"ikey45678", false, 60'000'000, 0}, &value);
    }
  };
  SpreadWriter fresh;
  append(fresh);
  SpreadWriter used;
  for (const double number : {0.3333333, 1.0 / 3, 5.0}) {
    const Value value = Value::Double(number);
    used.Append(layout, {"iother678", false, -60'000'000, 0}, &value);
    used.Clear();
    append(used);
    EXPECT_EQ(used.bytes(), fresh.bytes()) << number;
    used.Clear();
  }
}

TEST(Spread, PlacesComeBack) {
  const auto panes = SpreadPlan("a: sum(a)");
  const auto times = SpreadPlan("a: slope(a)");
  const Value value = Value::Double(-2.5);
  const std::int64_t minute = 60'000'000;
  const std::int64_t last = 900'000'000'000'000'000 / minute * minute;
  const std::string text(300, 'k');
  for (const auto& plan : {&panes, &times}) {
    const SpreadLayout layout(*(*plan)->window);
    SpreadWriter writer;
    const std::int64_t places[] = {0,     minute, 28'000'000 * minute, -minute, last,
                                   -last, 0,      last - minute};
    const std::size_t sizes[] = {0, 1, 6, 15, 16, 17, 64, 250};
    for (int i = 0; i < 8; ++i) {
      const std::int64_t time = layout.every() > 0 ? places[i] : places[i] / 7;
      writer.Append(layout, {std::string_view(text).substr(0, sizes[i]), true, places[i], time},
                    &value);
    }
    int i = 0;
    EXPECT_TRUE(
        ReadSpread(layout, writer.bytes(), [&](const SpreadRow& row, const Value* back, bool) {
          EXPECT_EQ(row.time, layout.every() > 0 ? places[i] : places[i] / 7);
          EXPECT_EQ(row.key, text.substr(0, sizes[i]));
          EXPECT_TRUE(row.is_text);
          EXPECT_EQ(back->AsDouble(), -2.5);
          ++i;
        }));
    EXPECT_EQ(i, 8);
  }
}

TEST(Spread, LongKeysComeBackAndWrongOnesAreRefused) {
  const auto plan = SpreadPlan("a: sum(a)");
  const SpreadLayout layout(*plan->window);
  const Value value = Value::Double(1);
  for (const std::size_t size : {2045U, 2046U, 2047U, 2048U, 70'000U}) {
    const std::string text(size, 'k');
    SpreadWriter writer;
    for (int i = 0; i < 3; ++i) writer.Append(layout, {text, true, 0, 0}, &value);
    int rows = 0;
    EXPECT_TRUE(ReadSpread(layout, writer.bytes(), [&](const SpreadRow& row, const Value*, bool) {
      EXPECT_EQ(row.key, text);
      ++rows;
    }));
    EXPECT_EQ(rows, 3);
  }
  SpreadWriter writer;
  writer.Append(layout, {"sno", false, 0, 0}, &value);
  EXPECT_FALSE(ReadSpread(layout, writer.bytes(), [](const auto&, const auto*, bool) {}));
}

}  // namespace
}  // namespace runnel

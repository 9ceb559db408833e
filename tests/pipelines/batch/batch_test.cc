#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <random>

#include "pipelines/batch/chunk_mapper.h"
#include "pipelines/batch/run_merger.h"
#include "pipelines/batch/sort_key.h"
#include "pipelines/batch/splitter.h"
#include "pipelines/codecs/json.h"
#include "tests/pipelines/batch/batch_support.h"

namespace runnel {
namespace {

constexpr const char* kMinutes =
    "decode: csv\ntimestamp: ts\nsteps:\n  - window:\n      tumbling: 1m\n      key: device\n"
    "      aggregate: { n: count(), low: min(temp), high: max(temp), sum: sum(temp), "
    "p95: quantile(temp, 0.95) }\nencode: ndjson\n";

class Keep final : public BatchSink {
 public:
  void TakeOutput(std::string_view bytes) override { output += bytes; }
  void TakeRunBlock(std::string_view block) override { run += block; }
  void EndRun() override {
    runs.push_back(run);
    run.clear();
  }
  void TakeSegment(std::uint32_t partition, std::string_view bytes) override {
    segments[partition] += bytes;
  }
  void TakeReject(const BatchReject& reject) override {
    rejects.push_back(std::string(reject.reason) + " " + std::string(reject.row));
  }
  std::string output;
  std::string run;
  std::vector<std::string> runs;
  std::map<std::uint32_t, std::string> segments;
  std::vector<std::string> rejects;
};

// The results of `rows` in chunks of about so many bytes.
std::string Results(const BatchPlan& plan, const std::string& header, const std::string& rows,
                    std::size_t chunk_bytes, bool careful, Keep& keep) {
  StateRegion region = StateRegion::InMemory(16 << 20);
  auto mapper = ChunkMapper::Create(plan, region, keep, [](std::uint64_t) {});
  std::string_view rest(rows);
  BatchCounts counts;
  while (!rest.empty()) {
    std::string_view chunk = rest.substr(0, chunk_bytes);
    if (chunk.size() < rest.size()) {
      const std::size_t end = LastRecordEnd(chunk, CountText(chunk, '"'), '"');
      chunk = rest.substr(0, end == 0 ? rest.find('\n') + 1 : end);
    }
    std::string padded(chunk);
    padded.append(Decoder::kPadding, '\0');
    MapMode mode;
    mode.careful = careful;
    EXPECT_EQ(
        mapper.value()->Map({0, header, std::string_view(padded).substr(0, chunk.size())}, mode),
        nullptr);
    EXPECT_TRUE(mapper.value()->counts().IsSettled());
    counts.Add(mapper.value()->counts());
    rest.remove_prefix(chunk.size());
  }
  auto merger = RunMerger::Create(plan, region, keep);
  MergeInput input;
  for (const std::string& run : keep.runs) input.runs.emplace_back(run);
  EXPECT_TRUE(merger.value()->Merge(input, MergeGoal::kResults));
  return keep.output;
}

std::string RandomRows(std::mt19937_64& source, int count) {
  std::string rows;
  for (int i = 0; i < count; ++i) {
    const std::string device = "dev" + std::to_string(source() % 7);
    const std::string keys[] = {device, device, device, "\"two\nlines\"", "\"a \"\"b\"\"\"",
                                "7",    "true"};
    const std::string temps[] = {"21.5", "-3.25", "0", "1e3", "", "17", "\"x\"", "123456789.125"};
    rows += std::to_string(1'700'000'000'000 + static_cast<std::int64_t>(source() % 300'000)) +
            "," + keys[source() % 7] + "," + temps[source() % (source() % 9 == 0 ? 8 : 4)] + "\n";
  }
  return rows;
}

TEST(Splitter, CountsAndEndsAreThoseOfAPlainLoop) {
  std::mt19937_64 source = Source();
  for (int round = 0; round < 200; ++round) {
    std::string text;
    const std::size_t size = source() % 700;
    for (std::size_t i = 0; i < size; ++i) text += "ab,\"\n"[source() % 5];
    bool inside = false;
    std::size_t end = 0;
    TextCounts plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
      plain.lines += text[i] == '\n' ? 1U : 0U;
      plain.quotes += text[i] == '"' ? 1U : 0U;
      if (text[i] == '"') inside = !inside;
      if (text[i] == '\n' && !inside) end = i + 1;
    }
    const TextCounts counts = CountText(text, '"');
    EXPECT_EQ(counts.lines, plain.lines);
    EXPECT_EQ(counts.quotes, plain.quotes);
    EXPECT_EQ(LastRecordEnd(text, counts, '"'), end);
  }
}

TEST(SortKey, BytesAreInTheOrderOfTheValues) {
  const std::vector<Value> ordered = {Value::Bool(false),
                                      Value::Bool(true),
                                      Value::Int(INT64_MIN),
                                      Value::Int(-1),
                                      Value::Int(0),
                                      Value::Int(INT64_MAX),
                                      Value::Uint(UINT64_MAX),
                                      Value::Double(-1.5),
                                      Value::Double(-0.25),
                                      Value::Double(0.25),
                                      Value::Double(1e300),
                                      Value::String(""),
                                      Value::String({"\0", 1}),
                                      Value::String({"\0a", 2}),
                                      Value::String("a"),
                                      Value::String({"a\0b", 3}),
                                      Value::String("aa"),
                                      Value::String("b")};
  std::string before;
  for (const Value& value : ordered) {
    std::string key;
    AppendSortPart(value, key);
    EXPECT_LT(before, key);
    std::string_view rest(key);
    Arena arena(1024);
    const std::optional<Value> back = TakeSortPart(rest, arena);
    ASSERT_TRUE(back.has_value() && rest.empty());
    EXPECT_TRUE(Equal(*back, value));
    for (std::size_t cut = 0; cut < key.size(); ++cut) {
      std::string_view part = std::string_view(key).substr(0, cut);
      EXPECT_FALSE(TakeSortPart(part, arena).has_value());
    }
    before = key;
  }
}

TEST(Run, EntriesComeBackAndDamageIsSeen) {
  std::string bytes;
  RunWriter writer([&](std::string_view block) { bytes += block; });
  for (int i = 100; i < 900; ++i) {
    writer.Add("key" + std::to_string(i), std::string(static_cast<std::size_t>(i % 90), 'v'));
  }
  writer.Finish();
  RunReader reader(bytes);
  RunEntry entry;
  int count = 100;
  for (; reader.Next(entry); ++count) EXPECT_EQ(entry.key, "key" + std::to_string(count));
  EXPECT_EQ(count, 900);
  EXPECT_TRUE(reader.ok());
  RunReader cut(std::string_view(bytes).substr(0, bytes.size() - 1));
  while (cut.Next(entry)) {
  }
  EXPECT_FALSE(cut.ok());
}

TEST(Mapper, RowsWithoutRecordsAndWithThemGiveTheSame) {
  std::mt19937_64 source = Source();
  const auto plan = PlanOf(kMinutes);
  ASSERT_TRUE(CsvGroups::Fits(*plan));
  for (int round = 0; round < 20; ++round) {
    const std::string rows = RandomRows(source, 700);
    Keep fast;
    Keep careful;
    EXPECT_EQ(Results(*plan, "ts,device,temp\n", rows, 5'000, false, fast),
              Results(*plan, "ts,device,temp\n", rows, 5'000, true, careful));
    EXPECT_EQ(fast.runs, careful.runs);
    EXPECT_EQ(fast.rejects, careful.rejects);
  }
}

// Columns in any order with others between and behind them, every kind of number that is
// written in a way of its own, rows that are too short or too long.
TEST(Mapper, AnyColumnsAndNumbersGiveTheSameWithoutRecords) {
  std::mt19937_64 source = Source();
  const char* const numbers[] = {
      "21.50", "-3.25", "0",    "0.5",        "-0.0",    "-0",         "00.5",
      ".5",    "5.",    "1e3",  "1e999",      "",        "17",         "-17",
      "1.2.3", "12.x4", "x",    "9999999.",   "0.12345", "123456.7",   "1234567",
      "01",    "-.5",   "-1.",  "12345678.5", "1-2",     "--1.5",      "99.99",
      "0.0",   "+1.5",  "1_5.", "1:5.",       "1/5.5",   "3.14159265", "12345678"};
  const char* const times[] = {"1700000000000",
                               "1700000059999",
                               "1700000060000",
                               "170000000000",
                               "1700000000",
                               "17",
                               "0",
                               "",
                               "01700000000",
                               "-1700000000000",
                               "1700000000000.0",
                               "17000000000000000",
                               "1700000000000x",
                               "9999999999999999",
                               "1x00000000000",
                               "17000000000x0"};
  for (int round = 0; round < 60; ++round) {
    const auto plan = PlanOf(kMinutes);
    std::vector<std::string> columns = {"ts", "device", "temp"};
    for (std::uint64_t i = source() % 4; i > 0; --i) columns.push_back("u" + std::to_string(i));
    std::shuffle(columns.begin(), columns.end(), source);
    std::string header;
    for (const std::string& column : columns) header += (header.empty() ? "" : ",") + column;
    const bool crlf = source() % 4 == 0;
    std::string rows;
    for (int row = 0; row < 300; ++row) {
      const bool odd = source() % 3 == 0;
      std::string text;
      for (const std::string& column : columns) {
        if (!text.empty() || &column != &columns[0]) text += ',';
        if (column == "ts") text += times[odd ? source() % std::size(times) : source() % 3];
        if (column == "device") text += "dev" + std::to_string(source() % 5);
        if (source() % 50 == 0) text += source() % 2 == 0 ? "\xc3\xbc" : "\xff";
        if (column == "temp") text += numbers[odd ? source() % std::size(numbers) : source() % 2];
        if (column[0] == 'u' && source() % 2 == 0) text += std::string(source() % 80, 'u');
      }
      if (source() % 40 == 0) text += ",more";
      if (source() % 40 == 0) text = text.substr(0, text.rfind(','));
      rows += text + (crlf ? "\r\n" : "\n") + (source() % 60 == 0 ? "\n" : "");
    }
    Keep fast;
    Keep careful;
    EXPECT_EQ(Results(*plan, header + "\n", rows, 3'000, false, fast),
              Results(*plan, header + "\n", rows, 3'000, true, careful));
    EXPECT_EQ(fast.runs, careful.runs);
    ASSERT_EQ(fast.rejects, careful.rejects) << header;
  }
}

// What a key may be long is the same with and without records, and fits wherever it goes later.
TEST(Mapper, AKeyThatIsTooLongIsRejectedAlone) {
  const auto plan = PlanOf(kMinutes);
  ASSERT_NE(plan, nullptr);
  const std::size_t longest = kBatchKeyMax - KeyPlan::kTextHead;
  const auto row = [](char c, std::size_t size) {
    return "1700000000000," + std::string(size, c) + ",1\n";
  };
  const std::string rows = row('a', longest) + row('b', longest + 1) + row('c', 1'000'000) +
                           row('d', 3) + row('a', longest);
  for (const bool careful : {false, true}) {
    Keep keep;
    const std::string results = Results(*plan, "ts,device,temp\n", rows, 4 << 20, careful, keep);
    EXPECT_EQ(std::count(results.begin(), results.end(), '\n'), 2) << careful;
    EXPECT_NE(results.find(R"("n":2)"), std::string::npos) << careful;
    ASSERT_EQ(keep.rejects.size(), 2U) << careful;
    for (const std::string& reject : keep.rejects) {
      EXPECT_TRUE(reject.starts_with("key_too_large 1700000000000,")) << reject.substr(0, 80);
    }
  }
}

TEST(Mapper, AFileWithoutARowHasNoNames) {
  const auto plan = PlanOf(kMinutes);
  StateRegion region = StateRegion::InMemory(16 << 20);
  Keep keep;
  auto mapper = ChunkMapper::Create(*plan, region, keep, [](std::uint64_t) {});
  const std::string padding(64, ' ');
  const std::string row = "60000,d,1\n" + padding;
  const std::string blank = "\r\n\n" + padding;
  for (int turn = 0; turn < 2; ++turn) {
    for (const std::size_t size : {0U, 3U}) {
      EXPECT_EQ(mapper.value()->Map({0, "", {blank.data(), size}}, {}), nullptr);
      EXPECT_EQ(mapper.value()->counts().rows, 0U);
    }
    EXPECT_EQ(mapper.value()->Map({0, "ts,device,temp\n", {row.data(), 10}}, {}), nullptr);
    EXPECT_EQ(mapper.value()->counts().absorbed, 1U);
  }
  EXPECT_STREQ(mapper.value()->Map({0, "", {row.data(), 10}}, {}), "csv_empty_name");
}

TEST(Mapper, TheChunksDoNotMatter) {
  std::mt19937_64 source = Source();
  const auto plan = PlanOf(kMinutes);
  const std::string rows = RandomRows(source, 2'000);
  Keep whole;
  const std::string expected = Results(*plan, "ts,device,temp\n", rows, rows.size(), false, whole);
  for (int round = 0; round < 20; ++round) {
    Keep keep;
    // These sums are exact.
    EXPECT_EQ(Results(*plan, "ts,device,temp\n", rows, 200 + source() % 20'000, false, keep),
              expected);
  }
}

TEST(Mapper, HoppingWindowsAreMergedFromPanes) {
  const auto plan = PlanOf(
      "decode: csv\ntimestamp: { field: t, unit: s }\nsteps:\n  - window: { hopping: { size: 30s, "
      "every: "
      "10s }, aggregate: { n: count() } }\nencode: ndjson\n");
  Keep keep;
  EXPECT_EQ(Results(*plan, "t\n", "5\n25\n", 2, false, keep),
            "{\"n\":1,\"start\":-20000,\"end\":10000}\n{\"n\":1,\"start\":-10000,\"end\":20000}\n"
            "{\"n\":2,\"start\":0,\"end\":30000}\n{\"n\":1,\"start\":10000,\"end\":40000}\n"
            "{\"n\":1,\"start\":20000,\"end\":50000}\n");
}

TEST(Plan, SaysWhichWayAndWhy) {
  const struct {
    const char* steps;
    BatchWay way;
  } cases[] = {
      {"[{ filter: temp > 1 }]", BatchWay::kRows},
      {"[{ window: { tumbling: 1m, aggregate: { n: count() } } }, { filter: n > 1 }]",
       BatchWay::kGroups},
      {"[{ window: { tumbling: 1m, aggregate: { f: first(temp) } } }]", BatchWay::kPartitions},
      {"[{ window: { session: 1m, aggregate: { n: count() } } }]", BatchWay::kPartitions},
      {"[{ window: { tumbling: 1m, fill: 2, aggregate: { n: count() } } }]", BatchWay::kPartitions},
      {"[{ dedupe: { id: seq, ttl: 10m, key: device } }]", BatchWay::kPartitions},
      {"[{ window: { tumbling: 1m, key: a, aggregate: { n: count() } } }, { window: { tumbling: "
       "1m, "
       "aggregate: { m: sum(n) } } }]",
       BatchWay::kInOrder}};
  for (const auto& one : cases) {
    const auto plan = PlanOf(std::string("timestamp: ts\nsteps: ") + one.steps + "\n");
    ASSERT_NE(plan, nullptr) << one.steps;
    EXPECT_EQ(plan->way, one.way) << one.steps << plan->Explain();
    EXPECT_NE(plan->why, "");
  }
}

}  // namespace
}  // namespace runnel

// Windows against a naive model: a map of windows per key and the rules of watermarks.
#include <map>
#include <optional>

#include "tests/pipelines/plan/engine.h"

namespace runnel {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kStart = 1'700'000'000 * kSecond;

struct Reading {
  std::string key;
  std::int64_t time = 0;  // microseconds, a multiple of 1,000
  std::int64_t value = 0;
};

Event Message(const Reading& reading, std::int64_t arrival) {
  return {InputKind::kMessage, arrival, "s/" + reading.key + "/v",
          "{\"ts\":" + std::to_string(reading.time / 1'000) +
              ",\"v\":" + std::to_string(reading.value) + "}"};
}

std::string Pipeline(const std::string& options) {
  return "source: { mqtt: { topic: \"s/{device}/v\" } }\ntimestamp: ts\nsteps:\n"
         "  - window: { key: device, idle: 1h, aggregate: { n: count(), s: sum(v), lo: min(v),"
         " hi: max(v) }, " +
         options + " }\nsink: { mqtt: { topic: \"out/{device}\" } }\n";
}

class Model {
 public:
  Model(std::int64_t size, std::int64_t lateness) : size_(size), lateness_(lateness) {}

  void Add(const Reading& reading, const std::string& payload) {
    Key& key = keys_[reading.key];
    const std::int64_t start = reading.time / size_ * size_;
    const bool behind = key.latest && start + size_ <= *key.latest - lateness_;
    if (behind) {
      outputs.push_back("2 s/" + reading.key + "/v " + payload + " late");
      return;
    }
    key.windows[start].push_back(reading.value);
    key.latest = std::max(key.latest.value_or(reading.time), reading.time);
    while (!key.windows.empty() && key.windows.begin()->first + size_ <= *key.latest - lateness_) {
      Close(reading.key, key.windows.begin()->first, key.windows.begin()->second);
      key.windows.erase(key.windows.begin());
    }
  }

  std::vector<std::string> outputs;

 private:
  struct Key {
    std::map<std::int64_t, std::vector<std::int64_t>> windows;
    std::optional<std::int64_t> latest;
  };

  void Close(const std::string& key, std::int64_t start, const std::vector<std::int64_t>& values) {
    std::int64_t sum = 0;
    for (const std::int64_t value : values) sum += value;
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    outputs.push_back(
        "1 out/" + key + " {\"device\":\"" + key + "\",\"n\":" + std::to_string(values.size()) +
        ",\"s\":" + std::to_string(sum) + ",\"lo\":" + std::to_string(*low) +
        ",\"hi\":" + std::to_string(*high) + ",\"start\":" + std::to_string(start / 1'000) +
        ",\"end\":" + std::to_string((start + size_) / 1'000) + "} ");
  }

  std::int64_t size_;
  std::int64_t lateness_;
  std::map<std::string, Key> keys_;
};

TEST(Windows, AgreeWithANaiveModel) {
  for (std::uint32_t seed = 0; seed < 30; ++seed) {
    std::mt19937 random(seed);
    const std::int64_t size = (1 + static_cast<std::int64_t>(random() % 20)) * kSecond / 2;
    const std::int64_t lateness = static_cast<std::int64_t>(random() % 10) * kSecond / 2;
    Engine engine(Pipeline("tumbling: " + std::to_string(size / 1'000) + "ms, lateness: " +
                           std::to_string(lateness / 1'000) + "ms, windows_max: 1000"));
    Model model(size, lateness);
    std::vector<Event> events;
    std::int64_t now = kStart;
    for (int i = 0; i < 1'000; ++i) {
      now += static_cast<std::int64_t>(random() % 300) * 1'000;
      const auto jitter = static_cast<std::int64_t>(random() % 12'000) * 1'000;
      const Reading reading{"d" + std::to_string(random() % 7), now - jitter,
                            static_cast<std::int64_t>(random() % 1'000) - 500};
      events.push_back(Message(reading, now));
      model.Add(reading, events.back().payload);
    }
    engine.RunAll(events);
    EXPECT_EQ(engine.outputs(), model.outputs) << "seed " << seed;
    EXPECT_GT(model.outputs.size(), 50u);
  }
}

// The times at which a key that fell silent has its windows closed.
class Idle : public testing::Test {
 protected:
  void Message(std::int64_t at) {
    events_.push_back(runnel::Message({"a", kStart + at, 1}, kStart + at));
  }
  void Time(InputKind kind, std::int64_t at) { events_.push_back({kind, kStart + at, {}, {}}); }
  void Time(InputKind kind, std::int64_t at, std::int64_t since) {
    events_.push_back({kind, kStart + at, {}, Stood(kStart + since, kStart + at)});
  }
  std::size_t Results() {
    engine_.RunAll(events_);
    return engine_.outputs().size();
  }
  // When it is looked at next, from the start on; -1: never.
  std::int64_t Due() {
    const std::optional<runnel::Time> due = engine_.pipeline().NextDeadline();
    return due.has_value() ? Microseconds(*due) - kStart : -1;
  }

  Engine engine_{
      "source: { mqtt: { topic: \"s/{device}/v\" } }\ntimestamp: ts\nsteps:\n"
      "  - window: { tumbling: 10s, key: device, idle: 30s, aggregate: { n: count() } }\n"
      "sink: { mqtt: { topic: \"out/{device}\" } }\n"};
  std::vector<Event> events_;
};

TEST_F(Idle, SilenceClosesWindows) {
  Message(0);
  Time(InputKind::kTick, 29 * kSecond);
  EXPECT_EQ(Results(), 0u);
  const std::int64_t due = Due();
  EXPECT_GE(due, 30 * kSecond);
  EXPECT_LT(due, 35 * kSecond);
  Time(InputKind::kTick, due);
  EXPECT_EQ(Results(), 1u);
  EXPECT_EQ(Due(), -1);
  Message(1 * kSecond);  // its window has closed
  EXPECT_EQ(Results(), 2u);
  EXPECT_EQ(engine_.pipeline().ledger().late, 1u);
}

TEST_F(Idle, SilenceOfTheSourceDoesNotCount) {
  Message(0);
  Time(InputKind::kPause, 1 * kSecond);
  Time(InputKind::kTick, 100 * kSecond);
  EXPECT_EQ(Results(), 0u);
  EXPECT_EQ(Due(), -1);
  Time(InputKind::kResume, 200 * kSecond);
  Time(InputKind::kTick, 228 * kSecond);
  EXPECT_EQ(Results(), 0u);
  Time(InputKind::kTick, 230 * kSecond);
  EXPECT_EQ(Results(), 1u);
}

// The source has noticed late that nothing came, or has waited for room.
TEST_F(Idle, WhatIsLeftOutMayHaveBegunBefore) {
  Message(0);
  Time(InputKind::kPause, 20 * kSecond, 10 * kSecond);
  Time(InputKind::kResume, 40 * kSecond);
  Time(InputKind::kStood, 50 * kSecond, 45 * kSecond);
  EXPECT_EQ(Results(), 0u);
  EXPECT_EQ(Due(), 65 * kSecond);
  Time(InputKind::kTick, 64 * kSecond);
  EXPECT_EQ(Results(), 0u);
  Time(InputKind::kTick, 65 * kSecond);
  EXPECT_EQ(Results(), 1u);
}

// A message that comes first behind a wait does not make others silent.
TEST_F(Idle, AMessageThatHasWaitedBringsNoSilence) {
  Message(0);
  Time(InputKind::kStood, 100 * kSecond, 5 * kSecond);
  events_.push_back(runnel::Message({"b", kStart + 100 * kSecond, 1}, kStart + 100 * kSecond));
  EXPECT_EQ(Results(), 0u);
  Time(InputKind::kTick, 126 * kSecond);
  EXPECT_EQ(Results(), 1u);
}

// What was due before is told, however long it stands.
TEST_F(Idle, SilenceFromBeforeAPauseIsTold) {
  Message(0);
  Time(InputKind::kPause, 200 * kSecond, 100 * kSecond);
  EXPECT_EQ(Results(), 1u);
}

TEST_F(Idle, TheEndOfThePlanClosesWhatIsOpen) {
  Message(0);
  Message(100);
  Time(InputKind::kEnd, 1 * kSecond);
  EXPECT_EQ(Results(), 1u);
  EXPECT_EQ(engine_.outputs()[0],
            "1 out/a {\"device\":\"a\",\"n\":2,\"start\":1700000000000,\"end\":1700000010000,"
            "\"partial\":true} ");
}

// The task may get messages again: what was open is late then, and the next window is whole.
TEST_F(Idle, AfterTheEndItGoesOn) {
  Time(InputKind::kEnd, 0);  // of nothing
  Message(0);
  Message(100);
  EXPECT_EQ(Results(), 0u);
  Time(InputKind::kEnd, 1 * kSecond);
  Time(InputKind::kEnd, 1 * kSecond);
  EXPECT_EQ(Results(), 1u);
  Message(2 * kSecond);
  EXPECT_EQ(engine_.pipeline().ledger().late, 0u);
  EXPECT_EQ(Results(), 2u);
  EXPECT_EQ(engine_.pipeline().ledger().late, 1u);
  Message(11 * kSecond);
  Message(12 * kSecond);
  EXPECT_EQ(Results(), 2u);
  Message(20 * kSecond);
  ASSERT_EQ(Results(), 3u);
  EXPECT_EQ(engine_.outputs()[2],
            "1 out/a {\"device\":\"a\",\"n\":2,\"start\":1700000010000,\"end\":1700000020000} ");
}

// The first window's results are in the second one before that ends.
TEST(Windows, EndOneBehindTheOther) {
  Engine engine(
      "source: { mqtt: { topic: \"s/{device}/v\" } }\ntimestamp: ts\nsteps:\n"
      "  - window: { tumbling: 10s, key: device, aggregate: { n: count() } }\n"
      "  - window: { tumbling: 1m, key: device, aggregate: { parts: count(), all: sum(n) } }\n"
      "  - window: { tumbling: 1h, key: device, aggregate: { minutes: count(), all: sum(all) } }\n"
      "sink: { mqtt: { topic: \"out/{device}\" } }\n");
  std::vector<Event> events;
  for (int i = 0; i < 200; ++i) {
    for (const char* device : {"a", "b"}) {
      events.push_back(Message({device, kStart + i * kSecond, 1}, kStart + i * kSecond));
    }
  }
  events.push_back({InputKind::kEnd, kStart + 200 * kSecond, {}, {}});
  engine.RunAll(events);
  ASSERT_EQ(engine.outputs().size(), 2u);
  for (const std::string& output : engine.outputs()) {
    EXPECT_NE(output.find("\"all\":200"), std::string::npos) << output;
    EXPECT_NE(output.find("\"partial\":true"), std::string::npos) << output;
  }
  EXPECT_EQ(engine.pipeline().ledger().late, 0u);
}

// Where the region has no room for what a value brings, the window says nothing: a dead letter and
// no wrong number. Also behind a restart, which loads what was saved.
TEST(Windows, ThatFoundNoRoomAreDeadLettersAndNoOther) {
  constexpr int kKeys = 900;
  constexpr int kEach = 30;
  Engine engine(R"(
source: { mqtt: { topic: "in/{device}" } }
timestamp: ts
steps:
  - window: { tumbling: 1h, key: device, aggregate: { n: count(), q: quantile(v, 0.5), r: quantile(w, 0.5), t: last(s) } }
sink: { mqtt: { topic: "out/{device}" } }
)");
  std::mt19937_64 random(7);
  std::map<std::string, std::vector<double>> values;
  std::vector<Event> events;
  for (int n = 0; n < kEach; ++n) {
    for (int key = 0; key < kKeys; ++key) {
      const std::string device = "d" + std::to_string(key);
      const double value = std::pow(10.0, static_cast<double>(random() % 16'000) / 1'000 - 8);
      values[device].push_back(value);
      char payload[120];
      std::snprintf(payload, sizeof payload, R"({"ts":%lld,"v":%.17g,"w":%.17g,"s":"is-%d"})",
                    static_cast<long long>(kStart / 1'000 + n), value, value, n);
      events.push_back({InputKind::kMessage, kStart, "in/" + device, payload});
    }
  }
  engine.RunAll(events);
  engine.Checkpoint();
  events.push_back({InputKind::kEnd, kStart, {}, {}});
  engine.RunAll(events);
  int whole = 0;
  int cut = 0;
  for (const std::string& output : engine.outputs()) {
    if (output.find("state_full") != std::string::npos) ++cut;
    const std::size_t at = output.find(" out/");
    if (at == std::string::npos) continue;
    const std::string device = output.substr(at + 5, output.find(' ', at + 5) - at - 5);
    const auto number = [&](const char* name) {
      return std::stod(output.substr(output.find(name) + std::strlen(name)));
    };
    // What came when there was no room at all is dropped, and counted so.
    const auto n = static_cast<std::size_t>(number("\"n\":"));
    std::vector<double> seen(values[device].begin(), values[device].begin() + static_cast<long>(n));
    std::sort(seen.begin(), seen.end());
    const double median = seen[(n + 1) / 2 - 1];
    for (const char* name : {"\"q\":", "\"r\":"}) {
      EXPECT_NEAR(number(name) / median, 1.0, 0.011) << output;
    }
    ++whole;
  }
  EXPECT_GT(whole, 0);
  EXPECT_GT(cut, 0);
}

// Memory comes back: keys and windows without end do not make the region grow.
TEST(Windows, GiveTheirMemoryBack) {
  Engine engine(Pipeline("tumbling: 1s, keys_max: 20, keys_full: evict_oldest"));
  std::vector<Event> events;
  std::size_t used = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::int64_t now = kStart + i * 10'000;
    events.push_back(Message({"d" + std::to_string(i % 1'000), now, i}, now));
    if (i == 10'000) {
      engine.RunAll(events);
      used = engine.used();
    }
  }
  engine.RunAll(events);
  EXPECT_EQ(engine.used(), used);
}

}  // namespace
}  // namespace runnel

// What a successor does again is what its predecessor did, wherever that died.
#include "tests/pipelines/plan/engine.h"

namespace runnel {
namespace {

constexpr char kHead[] = "source: { mqtt: { topic: \"s/{device}/v\" } }\n";
constexpr char kTail[] = "sink: { mqtt: { topic: \"out/{device}\" } }\n";

struct Shape {
  const char* name;
  std::string text;
};

std::string Text(const std::string& middle, const std::string& tail = kTail) {
  return kHead + middle + tail;
}

std::vector<Shape> Shapes() {
  const std::string all =
      "aggregate: { n: count(), s: sum(v), lo: min(v), hi: max(v), m: mean(v), d: stddev(v),"
      " f: first(v), l: last(v), p95: quantile(v, 0.95) }";
  return {
      {"EventTime", Text("timestamp: ts\nsteps:\n  - filter: v > -200\n  - window: { tumbling: 5s,"
                         " key: device, lateness: 2s, " +
                         all + " }\n")},
      {"ArrivalTime", Text("steps:\n  - window: { tumbling: 5s, key: device, " + all + " }\n")},
      {"NoKey",
       Text("timestamp: ts\npartitions: 1\nsteps:\n  - window: { tumbling: 2s, " + all + " }\n",
            "sink: { mqtt: { topic: out } }\n")},
      {"ManyValues",
       Text("timestamp: ts\npartitions: 1\nsteps:\n  - window: { tumbling: 1m, lateness: 30s, " +
                all + " }\n",
            "sink: { mqtt: { topic: out } }\n")},
      {"FewKeys",
       Text("timestamp: ts\nsteps:\n  - window: { tumbling: 5s, key: device, keys_max: 3,"
            " lateness: 1s, aggregate: { n: count() } }\n")},
      {"OldestKeyGivesWay",
       Text("timestamp: ts\nsteps:\n  - window: { tumbling: 5s, key: device, keys_max: 3,"
            " keys_full: evict_oldest, aggregate: { n: count(), p95: quantile(v, 0.95) } }\n")},
      {"FewWindows", Text("timestamp: ts\nsteps:\n  - window: { tumbling: 1s, key: device,"
                          " windows_max: 2, lateness: 10s, aggregate: { n: count() } }\n")},
      {"WithoutState", Text("steps:\n  - filter: v > 0.0\n  - set: { double: v * 2.0 }\n"
                            "  - select: [device, double]\n")},
      {"LateSink",
       Text("timestamp: ts\nsteps:\n  - window: { tumbling: 5s, key: device, " + all + " }\n",
            std::string(kTail) + "late: { mqtt: { topic: \"late/{device}\" } }\n")},
      {"BehindTheWindow",
       Text("timestamp: ts\nsteps:\n  - window: { tumbling: 5s, key: device, aggregate:"
            " { n: count(), m: mean(v) } }\n  - filter: n > 1\n  - set: { twice: m * 2.0 }\n")},
  };
}

std::string Window(const char* kind, const char* more = "", bool event_time = true) {
  return Text(
      std::string(event_time ? "timestamp: ts\n" : "") + "steps:\n  - window: { " + kind +
      ", key: device, " + more +
      " aggregate: { n: count(), p: quantile(v, 0.5), rooms: collect(room), d: distinct(room),"
      " a: approx_distinct(v), k: top_k(room, 2), f: first(room), m: min_by(room, v),"
      " i: increase(v), t: time_weighted_mean(v), e: ewma(v, 2s), s: slope(v),"
      " hot: { aggregate: count(), filter: v > 500.0 } } }\n");
}

std::vector<Shape> WindowShapes() {
  return {
      {"Hopping", Window("hopping: { size: 6s, every: 2s }", "lateness: 2s,")},
      {"HoppingByArrival", Window("hopping: { size: 6s, every: 2s }", "", false)},
      {"Filled", Window("tumbling: 2s", "fill: 3, lateness: 1s,")},
      {"FilledByArrival", Window("tumbling: 2s", "fill: 3,", false)},
      {"Early", Window("tumbling: 20s", "emit: every 1s,")},
      {"EarlyByArrival", Window("hopping: { size: 20s, every: 10s }", "emit: every 1s,", false)},
      {"HoppingMany", Window("hopping: { size: 15s, every: 1s }", "lateness: 15s,")},
      {"Session", Window("session: 3s", "lateness: 2s,")},
      {"SessionMany", Window("session: 100ms", "lateness: 60s, windows_max: 500,")},
      {"SessionByArrival", Window("session: 1s", "emit: every 1s,", false)},
      {"Sliding", Window("sliding: 5s", "windows_max: 8,")},
      {"SlidingByArrival", Window("sliding: 5s", "", false)},
      {"Count", Window("count: 5", "idle: 5s,")},
      {"CountEvery", Window("count: { size: 6, every: 2 }")},
      {"GlobalEvery", Window("global: { every: 3s }", "idle: 10s,")},
      {"GlobalOnChange", Window("global: { on_change: true, reset: true }")},
      {"GlobalWhen", Window("global: { when: n % 7 == 0 }", "", false)},
      {"HoppingEvicted",
       Window("hopping: { size: 6s, every: 2s }", "keys_max: 2, keys_full: evict_oldest,")},
      {"SlidingEvicted", Window("sliding: 20s", "keys_max: 2, keys_full: evict_oldest,")},
      {"Civil", Window("tumbling: 15m", "timezone: \"+02:00\", offset: 5m,")},
      {"WindowsOfWindows",
       Text("timestamp: ts\npartitions: 1\nsteps:\n  - window: { tumbling: 2s, key: device,"
            " aggregate: { n: count(), m: mean(v) } }\n  - window: { tumbling: 6s, lateness: 4s,"
            " aggregate: { n: sum(n), m: mean(m) } }\n",
            "sink: { mqtt: { topic: out } }\n")},
  };
}

std::vector<Shape> OperatorShapes() {
  return {
      {"Unnest", Text("steps:\n  - set: { items: '[v, v * 2.0, {\"v\": 1.5, \"w\": room}]' }\n"
                      "  - unnest: { field: items, index: i }\n  - set: { x: i * 2 }\n")},
      {"UnnestIntoAWindow",
       Text("timestamp: ts\nsteps:\n  - set: { items: '[v, v * 2.0]' }\n  - unnest: items\n"
            "  - window: { count: 3, key: device, aggregate: { s: sum(items) } }\n")},
      {"Dedupe", Text("steps:\n  - dedupe: { id: room, key: device, ttl: 3s, ids_max: 5 }\n")},
      {"Throttle", Text("steps:\n  - throttle: { every: 2s, key: device, keys_max: 3 }\n")},
      {"Sample", Text("steps:\n  - sample: { part: 0.3, key: device }\n")},
      {"Deadband", Text("steps:\n  - deadband: { value: v, absolute: 500, heartbeat: 5s,"
                        " key: [device, room] }\n")},
      {"Changed", Text("steps:\n  - changed: { fields: room, key: device }\n")},
      {"Delta", Text("timestamp: ts\nsteps:\n  - delta: { value: v, rate: r, key: device }\n")},
      {"Alert", Text("timestamp: ts\nsteps:\n  - alert: { raise: v > 600.0, clear: v < 400.0,"
                     " hold: 1s, key: device }\n")},
      {"Absent", Text("steps:\n  - absent: { key: device, after: 2s }\n")},
      {"AbsentFew", Text("steps:\n  - absent: { key: device, after: 400ms, keys_max: 4 }\n")},
      {"Gap", Text("steps:\n  - set: { seq: int(v) }\n  - gap: { sequence: seq, key: device }\n")},
      {"ManyInARow",
       Text("timestamp: ts\nsteps:\n  - dedupe: { id: [room, v], key: device, ttl: 1m }\n"
            "  - delta: { value: v, key: device }\n  - filter: delta != null\n"
            "  - window: { tumbling: 5s, key: device, aggregate: { n: count(), d: sum(delta) } }\n"
            "  - changed: { fields: n, key: device }\n")},
      {"Ndjson", Text("decode: ndjson\nsteps:\n  - throttle: { every: 1s, key: device }\n")},
  };
}

class Replay : public testing::TestWithParam<Shape> {};

struct Ran {
  std::vector<std::string> outputs;
  std::string saved;
  std::uint64_t turns = 0;
};

Ran WithoutDeaths(const std::string& text, const std::vector<Event>& events) {
  Engine engine(text);
  engine.RunAll(events);
  return {engine.outputs(), engine.Saved(), engine.turn()};
}

void ExpectSame(const Engine& engine, const Ran& ran, std::uint32_t seed) {
  EXPECT_EQ(engine.outputs(), ran.outputs) << "seed " << seed;
  EXPECT_EQ(engine.Saved(), ran.saved) << "seed " << seed;
  EXPECT_EQ(engine.turn(), ran.turns) << "seed " << seed;
}

TEST_P(Replay, ADeathBehindAnyTurnChangesNothing) {
  for (const std::uint32_t seed : {1U, 2U}) {
    const std::vector<Event> events = RandomEvents(seed, 150);
    const Ran ran = WithoutDeaths(GetParam().text, events);
    ASSERT_GT(ran.outputs.size(), 5u);
    std::mt19937 random(seed);
    for (std::uint64_t death = 0; death <= ran.turns; ++death) {
      Engine engine(GetParam().text);
      bool dead = false;
      for (bool more = true; more || !dead;) {
        if (!dead && engine.turn() == death) {
          engine.Die();
          dead = true;
        }
        more = engine.Turn(events);
        if (random() % 16 == 0) engine.Checkpoint();
      }
      ExpectSame(engine, ran, seed);
      if (HasFailure()) FAIL() << "death behind turn " << death;
    }
  }
}

TEST_P(Replay, ADeathInTheMiddleOfATurnChangesNothing) {
  const std::uint32_t seed = 3;
  const std::vector<Event> events = RandomEvents(seed, 300);
  const Ran ran = WithoutDeaths(GetParam().text, events);
  std::mt19937 random(seed);
  for (std::uint64_t output = 0; output < ran.outputs.size(); ++output) {
    Engine engine(GetParam().text);
    engine.DieAtOutput(output, random() % 2 == 0);
    for (bool more = true; more;) {
      try {
        more = engine.Turn(events);
        if (random() % 16 == 0) engine.Checkpoint();
      } catch (const Killed&) {
        engine.Die();
      }
    }
    ExpectSame(engine, ran, seed);
    if (HasFailure()) FAIL() << "death at output " << output;
  }
}

TEST_P(Replay, ManyDeathsChangeNothing) {
  for (std::uint32_t seed = 10; seed < 20; ++seed) {
    const std::vector<Event> events = RandomEvents(seed, 600);
    const Ran ran = WithoutDeaths(GetParam().text, events);
    Engine engine(GetParam().text);
    std::mt19937 random(seed);
    while (engine.Turn(events)) {
      if (random() % 8 == 0) engine.Checkpoint();
      if (random() % 12 == 0) engine.Die();
    }
    ExpectSame(engine, ran, seed);
  }
}

// The state in bytes of its own: another plan of the same windows goes on with it.
TEST_P(Replay, ASavedStateGoesOnElsewhere) {
  const std::vector<Event> events = RandomEvents(5, 400);
  const Ran ran = WithoutDeaths(GetParam().text, events);
  const std::vector<Event> first(events.begin(), events.begin() + 200);
  const std::vector<Event> second(events.begin() + 200, events.end());
  Engine before(GetParam().text);
  before.RunAll(first);
  const std::string saved = before.Saved();
  Engine after(GetParam().text);
  ByteReader reader(saved);
  ASSERT_TRUE(after.pipeline().Load(reader).ok());
  EXPECT_EQ(after.Saved(), saved);
  after.RunAll(second);
  std::vector<std::string> outputs = before.outputs();
  outputs.insert(outputs.end(), after.outputs().begin(), after.outputs().end());
  EXPECT_EQ(outputs, ran.outputs);
  EXPECT_EQ(after.Saved(), ran.saved);
}

TEST_P(Replay, DamagedSavedBytesNeverCrash) {
  Engine before(GetParam().text);
  before.RunAll(RandomEvents(6, 200));
  const std::string saved = before.Saved();
  std::mt19937 random(6);
  for (int i = 0; i < 200; ++i) {
    std::string damaged = saved;
    if (i % 2 == 0) {
      damaged.resize(random() % saved.size());
    } else {
      damaged[random() % saved.size()] = static_cast<char>(random());
    }
    Engine after(GetParam().text);
    ByteReader reader(damaged);
    static_cast<void>(after.pipeline().Load(reader).ok());
  }
}

TEST_P(Replay, APoisonRecordIsSetAsideAndTheRestGoesOn) {
  const std::vector<Event> events = RandomEvents(7, 200);
  for (std::uint64_t poison = 0; poison < 100; poison += 3) {
    Engine engine(GetParam().text);
    while (engine.Turn(events, engine.turn() == poison)) {
    }
    const Ledger& ledger = engine.pipeline().ledger();
    const auto messages = static_cast<std::uint64_t>(
        std::count_if(events.begin(), events.end(),
                      [](const Event& event) { return event.kind == InputKind::kMessage; }));
    EXPECT_EQ(ledger.received, messages) << "poison at turn " << poison;
  }
}

std::string NameOf(const testing::TestParamInfo<Shape>& shape) { return shape.param.name; }
INSTANTIATE_TEST_SUITE_P(Shapes, Replay, testing::ValuesIn(Shapes()), NameOf);
INSTANTIATE_TEST_SUITE_P(Windows, Replay, testing::ValuesIn(WindowShapes()), NameOf);
INSTANTIATE_TEST_SUITE_P(Operators, Replay, testing::ValuesIn(OperatorShapes()), NameOf);

}  // namespace
}  // namespace runnel

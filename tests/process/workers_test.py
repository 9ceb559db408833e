"""The same bytes with 0, 1, 2 and 4 workers, where one task sees all of a key.

workers_test.py PROGRAMS [TEST]
"""
import json
import random

import harness

START = 1_700_000_040  # a full minute
COUNTS = (0, 1, 2, 4)
DEVICES = 7
MESSAGES = 700

HEAD = """
name: all
source:
  mqtt: { topic: "sensors/{device}/value", qos: 1 }
timestamp: { field: ts, unit: s }
steps:
  - filter: v > -90.0
  - set: { f: v * 9 / 5 + 32 }
"""
TAIL = """
sink:
  mqtt: { topic: "out/{device}", qos: 1 }
late:
  mqtt: { topic: "late/{device}", qos: 1 }
"""
AGGREGATES = """
      idle: 10m
      key: device
      aggregate:
        n: count()
        hot: { aggregate: count(), filter: v > 50.0 }
        mean: mean(v)
        sd: stddev(f)
        p95: quantile(v, 0.95)
        rooms: distinct(room)
        different: approx_distinct(v)
        often: top_k(room, 2)
        first: first(room)
        twm: time_weighted_mean(v)
        slope: slope(v)
"""
WINDOWS = ("tumbling: 1m\n      lateness: 20s", "hopping: { size: 2m, every: 30s }", "sliding: 20s",
           "session: 40s", "count: { size: 10, every: 5 }", "global: { on_change: true }")


def stream():
    """Messages of several devices, out of order and late, the same each time."""
    numbers = random.Random(20_261_125)
    for i in range(MESSAGES):
        device = numbers.randrange(DEVICES)
        late = numbers.choice((0, 0, 0, 5, 15, 90))
        yield (f"sensors/d{device}/value",
               json.dumps({"ts": START + i - late, "v": round(numbers.gauss(20, 40), 2),
                           "room": f"r{numbers.randrange(4)}"}))


def results_with(programs, text, workers):
    """What came out of each topic, in order."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=workers)
        bed.late_sinks["all"] = 1
        bed.start_daemon(bed.write("all.yaml", text))
        bed.wait_connected()
        results, late = bed.collect("out/#"), bed.collect("late/#")
        publisher = bed.publisher()
        for topic, payload in stream():
            publisher.send(topic, payload)
        publisher.finish()
        entry = bed.settled("all")
        wanted = entry["published"]
        harness.wait_for(lambda: len(results.ids()) + len(late.ids()) >= wanted, 30,
                         lambda: f"{wanted} results")
        by_topic = {}
        for topic, payload, _ in results.all() + late.all():
            by_topic.setdefault(topic, []).append(payload)
        bed.remember_children()
        assert bed.stop_daemon() == 0
        return by_topic


def same_with_any_number_of_workers(programs):
    for window in WINDOWS:
        text = HEAD + "  - window:\n      " + window + AGGREGATES + TAIL
        first = None
        for workers in COUNTS:
            got = results_with(programs, text, workers)
            first = first or got
            assert sum(map(len, got.values())) > 30, got
            for topic in sorted(first.keys() | got.keys()):
                a, b = first.get(topic, []), got.get(topic, [])
                different = next((pair for pair in zip(a, b) if pair[0] != pair[1]), None)
                assert a == b, (window, workers, topic, len(a), len(b), different)
        print(f"  {window.splitlines()[0]}: {sum(map(len, first.values()))} results, "
              f"the same with {', '.join(map(str, COUNTS))} workers")


if __name__ == "__main__":
    harness.main(same_with_any_number_of_workers)

"""Real sensor series over MQTT, hourly windows, against figures computed here from the CSV.

The same for 0, 1, 2 and 3 workers, byte for byte per key. Where ../shared/data is
absent a generated series stands in; it always runs.
"""
import csv
import datetime
import json
import math
import os
import random

import harness

PIPELINE = """
name: nab
source:
  mqtt: { topic: "sensors/{series}/value", qos: 1 }
timestamp: ts
steps:
  - window:
      tumbling: 1h
      key: series
      max_ahead: 1h
      aggregate: { n: count(), min: min(value), max: max(value), mean: mean(value), p95: quantile(value, 0.95) }
sink:
  mqtt: { topic: "out/{series}", qos: 1 }
"""
HOUR = 3_600_000
DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../shared/data/nab")


def from_csv(path):
    readings = []
    with open(path) as file:
        for row in csv.DictReader(file):
            moment = datetime.datetime.fromisoformat(row["timestamp"])
            ts = int(moment.replace(tzinfo=datetime.timezone.utc).timestamp()) * 1000
            readings.append((ts, row["value"]))
    return readings


def generated():
    source = random.Random(7)
    value = 20.0
    readings = []
    for i in range(6000):
        value += source.gauss(0, 1)
        readings.append((1_600_000_000_000 + i * 77_000, repr(value)))
    return readings


def hourly(readings):
    """An independent computation: plain lists."""
    windows = {}
    latest = -math.inf
    for ts, text in readings:
        start = ts // HOUR * HOUR
        # A reading whose window has closed is late: it is in no window.
        if start + HOUR <= latest:
            continue
        latest = max(latest, ts)
        windows.setdefault(start, []).append(float(text))
    return windows


def compare(result, values, label):
    ordered = sorted(values)
    assert result["n"] == len(values), (label, result, len(values))
    assert result["min"] == ordered[0] and result["max"] == ordered[-1], (label, result)
    mean = math.fsum(values) / len(values)
    assert math.isclose(result["mean"], mean, rel_tol=1e-12, abs_tol=1e-12), (label, result, mean)
    rank = max(1, math.ceil(0.95 * len(values)))
    assert math.isclose(result["p95"], ordered[rank - 1], rel_tol=0.0101), (
        label, result, ordered[rank - 1])


def run_with(programs, workers, series):
    with harness.Bed(programs) as bed:
        bed.configure(workers=workers)
        bed.start_daemon(bed.write("nab.yaml", PIPELINE))
        bed.wait_connected()
        results = bed.collect("out/#")
        publisher = bed.publisher()
        wanted = {}
        for name, readings in series.items():
            for ts, text in readings:
                publisher.send(f"sensors/{name}/value", f'{{"ts":{ts},"value":{text}}}')
            closing = max(ts for ts, _ in readings) + 2 * HOUR
            publisher.send(f"sensors/{name}/value", f'{{"ts":{closing},"value":0}}')
            wanted[name] = hourly(readings)
        publisher.finish()
        total = sum(len(windows) for windows in wanted.values())
        harness.wait_for(lambda: len(results.all()) >= total, 60,
                         lambda: f"{len(results.all())} of {total} results")
        harness.wait_for(lambda: bed.status("nab")["in_flight"] == 0, 20, "nothing in flight")
        once = results.once()
        assert len(once) == total, (len(once), total)
        for topic, result in once:
            compare(result, wanted[result["series"]][result["start"]], (workers, topic))
        status = bed.status("nab")
        count = sum(len(windows) for windows in series.values())
        assert status["received"] == count + len(series), status
        assert bed.stop_daemon() == 0
        by_key = {}
        for topic, payload, _ in results.all():
            by_key.setdefault(topic, []).append(payload)
        return by_key


def compare_workers(programs, series):
    first = None
    for workers in (0, 1, 2, 3):
        by_key = run_with(programs, workers, series)
        if first is None:
            first = by_key
        assert by_key == first, f"with {workers} workers the results are others"
        print(f"  {workers} workers: {sum(map(len, by_key.values()))} windows", flush=True)


def generated_series(programs):
    compare_workers(programs, {"made": generated()})


def real_series(programs):
    if not os.path.isdir(DATA):
        print("  skipped: ../shared/data is absent")
        return
    series = {}
    for name in sorted(os.listdir(DATA)):
        if name.endswith(".csv"):
            series[name[:-4]] = from_csv(os.path.join(DATA, name))
    compare_workers(programs, series)


if __name__ == "__main__":
    harness.main(generated_series, real_series)

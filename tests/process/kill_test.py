"""kill -9 of workers, the daemon and the uplink: no window is wrong, no result missing.

kill_test.py PROGRAMS [TEST]; RUNNEL_TEST_KILLS sets how many kills (8).
"""
import json
import os
import signal
import sys
import time

import harness

PIPELINE = """
name: kills
source:
  mqtt: { topic: "sensors/{device}/value", qos: 1 }
timestamp: ts
steps:
  - window:
      tumbling: 1m
      key: device
      aggregate: { n: count(), sum: sum(value), min: min(value), max: max(value) }
sink:
  mqtt: { topic: "out/{device}", qos: 1 }
"""
DEVICES = 12
START = 1_700_000_040_000  # a full minute
STEP = 1000                # event time between two readings of a device


def kill_something(bed, random):
    what = random.choice(["worker", "worker", "uplink", "daemon"])
    if what == "daemon":
        bed.kill_daemon()
        bed.start_daemon(*bed.pipelines)
    else:
        pids = bed.child("runnel-" + what)
        if pids:
            os.kill(random.choice(pids), signal.SIGKILL)
    bed.remember_children()
    return what


def expected_windows(readings):
    windows = {}
    for device, ts, value in readings:
        window = windows.setdefault((device, ts // 60_000 * 60_000), [])
        window.append(value)
    return windows


def kills(programs):
    random = harness.pick_seed()
    wanted = int(os.environ.get("RUNNEL_TEST_KILLS", "8"))
    with harness.Bed(programs) as bed:
        bed.configure(workers=2)
        pipeline = bed.write("kills.yaml", PIPELINE)
        bed.start_daemon(pipeline)
        bed.wait_connected()
        results = bed.collect("out/#")
        publisher = bed.publisher()
        readings = []
        done = 0
        next_kill = time.monotonic() + random.uniform(0.2, 0.8)
        count = 0
        while done < wanted:
            # About 3,000 messages a second, in small bursts.
            for _ in range(60):
                device = f"d{count % DEVICES}"
                ts = START + count // DEVICES * STEP
                value = random.randrange(1000)
                publisher.send(f"sensors/{device}/value", json.dumps({"ts": ts, "value": value}))
                readings.append((device, ts, value))
                count += 1
            time.sleep(0.02)
            if time.monotonic() >= next_kill:
                print("  kill", kill_something(bed, random), flush=True)
                done += 1
                next_kill = time.monotonic() + random.uniform(0.2, 0.8)
        # One reading far behind closes each device's last window.
        last = START + (count // DEVICES + 200) * STEP
        for device in range(DEVICES):
            publisher.send(f"sensors/d{device}/value", json.dumps({"ts": last, "value": 0}))
        publisher.finish()
        windows = expected_windows(readings)
        harness.wait_for(lambda: len({m[2] for m in results.all()}) >= len(windows), 60,
                         lambda: f"{len({m[2] for m in results.all()})} of {len(windows)} results")
        check(results.once(), windows)
        harness.wait_for(lambda: bed.status("kills")["in_flight"] == 0, 20,
                         lambda: f"nothing in flight: {bed.status('kills')}")
        status = bed.status("kills")
        assert status["received"] == len(readings) + DEVICES, (status, len(readings))
        assert status["states_lost"] == 0, status
        repeats = len(results.all()) - len(windows)
        print(f"  {len(readings)} messages, {len(windows)} windows, {done} kills, "
              f"{status['redelivered']} redelivered, {repeats} results twice", flush=True)
        current = set(harness.children(bed.daemon.pid)) | {bed.daemon.pid}
        left = [pid for pid in bed.seen_pids - current
                if harness.alive(pid) and harness.name_of(pid).startswith("runnel")]
        assert not left, f"processes of an earlier daemon are left: {left}"
        assert bed.stop_daemon() == 0


def check(results, windows):
    seen = {}
    for topic, result in results:
        key = (result["device"], result["start"])
        assert key not in seen, f"two results for {key}: {seen[key]} {result}"
        assert topic == "out/" + result["device"]
        seen[key] = result
    wrong = []
    for key, values in windows.items():
        result = seen.get(key)
        want = {"n": len(values), "sum": sum(values), "min": min(values), "max": max(values)}
        got = result and {name: result[name] for name in want}
        if got != want:
            wrong.append((key, want, got))
    assert not wrong, f"{len(wrong)} windows are wrong, such as {wrong[:3]}"


def daemon_kills_under_load(programs, version):
    """The daemon alone is killed while the broker has much to send: repeats are recognised."""
    random = harness.pick_seed()
    with harness.Bed(programs) as bed:
        bed.configure(workers=1, version=version)
        pipeline = bed.write("kills.yaml", PIPELINE)
        bed.start_daemon(pipeline)
        bed.wait_connected()
        results = bed.collect("out/#")
        publisher = bed.publisher()
        readings = []
        for count in range(30_000):
            device, ts = f"d{count % DEVICES}", START + count // DEVICES * STEP
            value = count % 100  # much the same bytes again and again
            publisher.send(f"sensors/{device}/value", json.dumps({"ts": ts, "value": value}))
            readings.append((device, ts, value))
        for _ in range(10):
            mark = bed.status("kills")["received"]
            harness.wait_for(lambda: bed.status("kills")["received"] > mark
                             or publisher.acknowledged >= publisher.sent, 30, "messages come in")
            time.sleep(random.uniform(0, 0.02))
            bed.kill_daemon()
            log = bed.start_daemon(pipeline)
            bed.wait_connected(log)
        publisher.finish()
        harness.wait_for(lambda: bed.status("kills")["received"] >= len(readings), 60,
                         lambda: bed.status("kills"))
        publisher = bed.publisher()
        last = START + (30_000 // DEVICES + 200) * STEP
        for device in range(DEVICES):
            publisher.send(f"sensors/d{device}/value", json.dumps({"ts": last, "value": 0}))
        publisher.finish()
        windows = expected_windows(readings)
        harness.wait_for(lambda: len(results.once()) >= len(windows), 60,
                         lambda: f"{len(results.once())} of {len(windows)} results, "
                                 f"{bed.status('kills')}")
        status = bed.status("kills")
        assert status["received"] == len(readings) + DEVICES, status
        assert status["late"] == status["dead_lettered"] == 0, status
        check(results.once(), windows)
        print(f"  MQTT {version}: {status['redelivered']} redelivered, none counted twice", flush=True)
        bed.remember_children()
        assert bed.stop_daemon() == 0


def daemon_kills_mqtt_5(programs):
    daemon_kills_under_load(programs, "5")


def daemon_kills_mqtt_3_1_1(programs):
    daemon_kills_under_load(programs, "3.1.1")


if __name__ == "__main__":
    harness.main(kills, daemon_kills_mqtt_5, daemon_kills_mqtt_3_1_1)

"""Ways through the daemon: the exchange, one owner, several pipelines, poison, dead letters,
an upstream that is away, a stop in the middle of a window."""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import harness

START = 1_700_000_040_000  # a full minute


def reading(ts, **fields):
    return json.dumps({"ts": ts, **fields})


BY_CLOCK = """
name: by-clock
source:
  mqtt: { topic: "sensors/{device}/value", qos: 0 }
steps:
  - window:
      tumbling: 500ms
      key: device
      aggregate: { n: count() }
sink:
  mqtt: { topic: "clock/{device}", qos: 1 }
"""
BY_SILENCE = """
name: by-silence
source:
  mqtt: { topic: "sensors/{device}/value", qos: 1 }
timestamp: ts
steps:
  - window:
      tumbling: 1m
      idle: 1s
      aggregate: { n: count() }
sink:
  mqtt: { topic: "silence", qos: 1 }
"""


def time_closes_windows(programs):
    """Arrival-time windows close at their end, silent keys by `idle`, without a message."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=2)
        bed.start_daemon(bed.write("clock.yaml", BY_CLOCK), bed.write("silence.yaml", BY_SILENCE))
        bed.wait_connected()
        clock, silence = bed.collect("clock/#"), bed.collect("silence")
        publisher = bed.publisher()
        for i in range(20):
            publisher.send(f"sensors/d{i % 4}/value", reading(START, value=i))
        publisher.finish()
        harness.wait_for(lambda: sum(r["n"] for _, r in clock.once()) >= 20, 20,
                         lambda: clock.all())
        harness.wait_for(lambda: silence.all(), 20, "the silent window")
        assert [r["n"] for _, r in silence.once()] == [20], silence.all()
        assert sum(r["n"] for _, r in clock.once()) == 20, clock.all()
        bed.remember_children()
        assert bed.stop_daemon() == 0


BY_PAYLOAD = """
name: by-payload
source:
  mqtt: { topic: "plant/+/raw", qos: 1 }
timestamp: ts
steps:
  - filter: has(room)
  - window:
      tumbling: 1m
      key: room
      lateness: 30m
      aggregate: { n: count(), sum: sum(value) }
sink:
  mqtt: { topic: "rooms/{room}", qos: 1 }
"""
SITE_WIDE = """
name: site-wide
source:
  mqtt: { topic: "plant/#", qos: 1 }
timestamp: ts
steps:
  - window:
      tumbling: 1m
      lateness: 30m
      aggregate: { n: count() }
sink:
  mqtt: { topic: "site/all", qos: 1 }
"""
RELAY = """
name: relay
source:
  mqtt: { topic: "plant/{machine}/+", qos: 1 }
steps:
  - filter: value % 2 == 0
sink:
  mqtt: { topic: "even/{machine}", qos: 1 }
"""


def exchange_and_overlapping_pipelines(programs):
    """Three pipelines over overlapping topics, with kills of workers in between."""
    random = harness.pick_seed()
    with harness.Bed(programs) as bed:
        bed.configure(workers=2)
        for name, text in (("a", BY_PAYLOAD), ("b", SITE_WIDE), ("c", RELAY)):
            bed.write(f"{name}.yaml", text)
        bed.start_daemon(*[os.path.join(bed.folder, f"{n}.yaml") for n in "abc"])
        bed.wait_connected()
        rooms, site, even = bed.collect("rooms/#"), bed.collect("site/all"), bed.collect("even/#")
        publisher = bed.publisher()
        count, relayed, by_window, all_by_window = 6000, 0, {}, {}
        for i in range(count):
            machine, ts = i % 7, START + i // 7 * 1000
            room = f"r{random.randrange(5)}" if i % 10 else None
            fields = {"room": room} if room else {}
            publisher.send(f"plant/m{machine}/raw", reading(ts, value=i, **fields))
            minute = ts // 60_000 * 60_000
            if room:
                window = by_window.setdefault((room, minute), [0, 0])
                window[0] += 1
                window[1] += i
            all_by_window[minute] = all_by_window.get(minute, 0) + 1
            relayed += i % 2 == 0
            if i in (2000, 4000):
                for pid in bed.child("runnel-worker"):
                    os.kill(pid, signal.SIGKILL)
        publisher.finish()
        # Partitions run ahead of each other: what closes the windows comes behind all.
        for name in ("by-payload", "site-wide"):
            harness.wait_for(lambda: bed.status(name)["received"] == count
                             and bed.status(name)["in_flight"] == 0, 60,
                             lambda: bed.status(name))
        publisher = bed.publisher()
        last = START + count // 7 * 1000 + 3_600_000
        for room in range(5):
            publisher.send("plant/m0/raw", reading(last, value=1, room=f"r{room}"))
        publisher.finish()
        harness.wait_for(lambda: len(rooms.once()) >= len(by_window), 60,
                         lambda: f"{len(rooms.once())} of {len(by_window)} rooms")
        harness.wait_for(lambda: len(site.once()) >= len(all_by_window), 60,
                         lambda: f"{len(site.once())} of {len(all_by_window)} minutes")
        harness.wait_for(lambda: len(even.once()) >= relayed, 60,
                         lambda: f"{len(even.once())} of {relayed} relayed")
        got = {(r["room"], r["start"]): [r["n"], r["sum"]] for _, r in rooms.once()}
        assert got == by_window, [k for k in by_window if got.get(k) != by_window[k]][:3]
        got = {r["start"]: r["n"] for _, r in site.once()}
        assert got == all_by_window, (got, all_by_window)
        values = sorted(r["value"] for _, r in even.once())
        assert values == [i for i in range(count) if i % 2 == 0], "each even value exactly once"
        for name in ("by-payload", "site-wide", "relay"):
            harness.wait_for(lambda: bed.status(name)["in_flight"] == 0, 20,
                             lambda: bed.status(name))
        bed.remember_children()
        assert bed.stop_daemon() == 0


COUNTING = """
name: counting
source:
  mqtt: { topic: "sensors/{device}/value", qos: 1 }
timestamp: ts
steps:
  - window:
      tumbling: 1m
      key: device
      aggregate: { n: count() }
sink:
  mqtt: { topic: "out/{device}", qos: 1 }
"""


def poison_and_dead_letters(programs):
    """A record that kills its worker twice is set aside; so is everything malformed."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=2, limits="{ record: 16KiB, dead_letters: 64KiB }")
        bed.start_daemon(bed.write("counting.yaml", COUNTING),
                         env={"RUNNEL_TEST_POISON": "DEADLY"})
        bed.wait_connected()
        results = bed.collect("out/#")
        publisher = bed.publisher()
        for i in range(50):
            publisher.send("sensors/a/value", reading(START + i * 1000, value=i))
        publisher.send("sensors/a/value", reading(START + 50_000, text="DEADLY"))
        publisher.send("sensors/a/value", "{not json")
        publisher.send("sensors/a/value", b"\xff\xfe")
        publisher.send("sensors/a/value", '{"value": 1}')
        publisher.send("sensors/a/value", reading(START + 51_000, text="x" * 20_000))
        publisher.send("sensors/a/value", reading(int(time.time() * 1000) + 7_200_000))
        for i in range(5):
            publisher.send("sensors/a/value", reading(START + 52_000 + i, value=i))
        publisher.send("sensors/a/value", reading(START + 200_000, value=0))
        publisher.send("sensors/a/value", reading(START + 1_000, value=0))  # late
        publisher.finish()
        harness.wait_for(lambda: len(results.all()) >= 1, 30, "the window's result")
        harness.wait_for(lambda: len(bed.dead_letters()) >= 7, 30, lambda: bed.dead_letters())
        assert [r["n"] for _, r in results.once()] == [55], results.all()
        letters = {letter["reason"]: letter for letter in bed.dead_letters()}
        expected = {"poison", "json_unexpected_end", "json_not_an_object", "timestamp_is_missing",
                    "larger_than_limits_record", "too_far_ahead", "late"}
        reasons = set(letters)
        assert "poison" in reasons and letters["poison"]["signal"] == signal.SIGABRT, letters
        assert len(bed.dead_letters()) == 7 and reasons >= expected - {
            "json_unexpected_end", "json_not_an_object"}, reasons
        assert letters["poison"]["topic"] == "sensors/a/value"
        assert "DEADLY" in letters["poison"]["payload"]
        assert any(letter.get("payload") == "{not json" for letter in bed.dead_letters())
        assert any(letter.get("payload_base64") == "//4=" for letter in bed.dead_letters())
        harness.wait_for(lambda: bed.status("counting")["in_flight"] == 0, 20, "in flight")
        status = bed.status("counting")
        assert (status["dead_lettered"], status["late"], status["absorbed"]) == (6, 1, 56), status
        bed.remember_children()
        assert bed.stop_daemon() == 0


def hung_record(programs):
    """A worker that does not move on is killed, and its record set aside."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=1, limits="{ record_timeout: 1s }")
        bed.start_daemon(bed.write("counting.yaml", COUNTING), env={"RUNNEL_TEST_POISON": "HANG:STUCK"})
        bed.wait_connected()
        publisher = bed.publisher()
        publisher.send("sensors/a/value", reading(START, text="STUCK"))
        publisher.send("sensors/a/value", reading(START, value=1))
        publisher.finish()
        harness.wait_for(lambda: bed.dead_letters(), 30, "the dead letter")
        assert bed.dead_letters()[0]["reason"] == "poison", bed.dead_letters()
        harness.wait_for(lambda: bed.status("counting")["absorbed"] == 1, 20, "the rest goes on")
        bed.remember_children()
        assert bed.stop_daemon() == 0


def start_fails(bed, pipeline):
    """A start of a daemon without its worker program, as a broken update leaves it."""
    half = os.path.join(bed.folder, "half", "bin")
    os.makedirs(half, exist_ok=True)
    for name in ("runnel", "runnel-uplink"):
        shutil.copy(os.path.join(bed.programs, name), half)
    done = subprocess.run([os.path.join(half, "runnel"), "run", "-c", bed.config, pipeline],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "runnel-worker`: No such file" in done.stderr, done


def stop_in_the_middle_of_a_window(programs):
    """SIGTERM, journals gone as after a reboot, starts that fail over another one, start: the
    window is whole."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=2)
        pipeline = bed.write("counting.yaml", COUNTING)
        bed.start_daemon(pipeline)
        bed.wait_connected()
        results = bed.collect("out/#")
        for part in range(3):
            publisher = bed.publisher()
            for i in range(10):
                publisher.send("sensors/a/value", reading(START + part * 10_000 + i * 1000, value=i))
            publisher.finish()
            bed.remember_children()
            assert bed.stop_daemon() == 0
            if part == 1:
                for _ in range(2):
                    bed.empty_runtime()
                    start_fails(bed, pipeline)
                bed.empty_runtime()
            mark = bed.start_daemon(pipeline)
            bed.wait_connected(mark)
        publisher = bed.publisher()
        publisher.send("sensors/a/value", reading(START + 200_000, value=0))
        publisher.finish()
        harness.wait_for(lambda: results.all(), 30, "the window's result")
        assert [r["n"] for _, r in results.once()] == [30], results.all()
        assert bed.status("counting")["received"] == 31, bed.status("counting")
        bed.remember_children()
        assert bed.stop_daemon() == 0


def signals_to_all(programs):
    """As a terminal sends them: the daemon ends, and the others with it."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=2)
        for number in (signal.SIGINT, signal.SIGTERM):
            mark = bed.start_daemon(bed.write("counting.yaml", COUNTING))
            bed.remember_children()
            for pid in [*harness.children(bed.daemon.pid), bed.daemon.pid]:
                os.kill(pid, number)
            assert bed.daemon.wait(30) == 0
            bed.daemon = None
            log = bed.log()[mark:]
            assert f"stopping: {number.name}" in log and "warn:" not in log and "error:" not in log, log


def upstream_away(programs):
    """Upstream away: the broker holds what does not fit; nothing is lost when it is back."""
    # The subscription is there before the first result: a broker that keeps sessions.
    with harness.Bed(programs) as bed, harness.Bed(programs, ["persistence true"]) as site:
        even = site.collect("even/#")
        site.stop_broker()
        extra = f"upstream: {{ url: \"mqtt://127.0.0.1:{site.port}\" }}"
        bed.configure(workers=2, extra=extra)
        bed.start_daemon(bed.write("relay.yaml", RELAY.replace(
            '{ topic: "even', '{ broker: upstream, topic: "even')))
        bed.wait_connected()
        publisher = bed.publisher()
        count = 30_000
        for i in range(count):
            publisher.send(f"plant/m{i % 7}/x", json.dumps({"value": 2 * i, "pad": "x" * 80}))
        publisher.finish()
        # More than the journals hold: the source waits.
        harness.wait_for(lambda: bed.stands_still("relay"), 60, "back-pressure")
        assert bed.status("relay")["received"] < count, bed.status("relay")
        memory = rss_of(bed)
        for pid in bed.child("runnel-uplink"):
            os.kill(pid, signal.SIGKILL)
        site.start_broker()
        harness.wait_for(lambda: len({m[2] for m in even.all()}) >= count, 120,
                         lambda: f"{len({m[2] for m in even.all()})} of {count}")
        assert sorted(r["value"] for _, r in even.once()) == [2 * i for i in range(count)]
        if "RUNNEL_TEST_SANITIZED" not in os.environ:
            assert memory < 60_000, f"{memory} KiB while upstream was away"
        bed.remember_children()
        assert bed.stop_daemon() == 0


def rss_of(bed):
    total = 0
    for pid in [bed.daemon.pid] + harness.children(bed.daemon.pid):
        with open(f"/proc/{pid}/status") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    return total


def sigterm_while_upstream_is_away(programs):
    """A daemon whose source waits for room still ends in bounded time."""
    # The subscription is there before the first result: a broker that keeps sessions.
    with harness.Bed(programs) as bed, harness.Bed(programs, ["persistence true"]) as site:
        even = site.collect("even/#")
        site.stop_broker()
        extra = f"upstream: {{ url: \"mqtt://127.0.0.1:{site.port}\" }}"
        bed.configure(workers=2, extra=extra)
        relay = bed.write("relay.yaml", RELAY.replace('{ topic: "even',
                                                      '{ broker: upstream, topic: "even'))
        bed.start_daemon(relay)
        bed.wait_connected()
        publisher = bed.publisher()
        count = 20_000
        for i in range(count):
            publisher.send(f"plant/m{i % 7}/x", json.dumps({"value": 2 * i, "pad": "x" * 80}))
        publisher.finish()
        harness.wait_for(lambda: bed.stands_still("relay"), 60, "back-pressure")
        bed.remember_children()
        started = time.monotonic()
        bed.stop_daemon(40)
        print(f"  stopped in {time.monotonic() - started:.1f} s", flush=True)
        site.start_broker()
        bed.start_daemon(relay)
        harness.wait_for(lambda: len({m[2] for m in even.all()}) >= count, 120,
                         lambda: f"{len({m[2] for m in even.all()})} of {count}")
        assert sorted(r["value"] for _, r in even.once()) == [2 * i for i in range(count)]
        bed.remember_children()
        assert bed.stop_daemon() == 0


def broker_comes_late_and_forgets(programs):
    """Started while the broker is away; subscribed again when it has lost the session."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=1)
        bed.stop_broker()
        bed.start_daemon(bed.write("relay.yaml", RELAY))
        bed.start_broker()
        bed.wait_connected()
        for value in (2, 4):
            even = bed.collect("even/#")
            harness.wait_for(lambda: publish_until_seen(bed, even, value), 30, f"{value} relayed")
            even.stop()
            bed.collectors.remove(even)
            if value == 2:
                mark = len(bed.log())
                bed.stop_broker(signal.SIGKILL)
                bed.start_broker()
                bed.wait_connected(mark)
        bed.remember_children()
        assert bed.stop_daemon() == 0


def publish_until_seen(bed, even, value):
    publisher = bed.publisher()
    publisher.send("plant/m1/x", json.dumps({"value": value}))
    publisher.finish()
    time.sleep(0.1)
    return any(r["value"] == value for _, r in even.once())


def damaged_state_is_said_and_counted(programs):
    """Garbage where the worker keeps its state: it begins anew, says so, and goes on."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=1)
        pipeline = bed.write("counting.yaml", COUNTING + "partitions: 1\n")
        bed.start_daemon(pipeline)
        bed.wait_connected()
        results = bed.collect("out/#")
        wounds = [(64, 320), (4096 + 262_144 + 77_824, 4096)]  # checkpoints, then the region
        for part, (offset, size) in enumerate(wounds):
            publisher = bed.publisher()
            for i in range(10):
                publisher.send("sensors/a/value", reading(START + i * 1000, value=i))
            publisher.finish()
            harness.wait_for(lambda: bed.status("counting")["absorbed"] == 10, 20, "absorbed")
            bed.kill_daemon()
            with open(os.path.join(bed.runtime, "tasks/counting/0.0/work"), "r+b") as file:
                file.seek(offset)
                file.write(b"\xa5" * size)
            mark = bed.start_daemon(pipeline)
            bed.wait_connected(mark)
            assert "is lost, open windows with it" in bed.log()[mark:], bed.log()[mark:]
            assert bed.status("counting")["states_lost"] == part + 1, bed.status("counting")
        publisher = bed.publisher()
        for ts in (START, START + 200_000):
            publisher.send("sensors/a/value", reading(ts, value=1))
        publisher.finish()
        harness.wait_for(lambda: results.all(), 20, "a result")
        assert [r["n"] for _, r in results.once()] == [1], results.all()
        bed.remember_children()
        assert bed.stop_daemon() == 0


def a_second_daemon_is_refused(programs):
    with harness.Bed(programs) as bed:
        bed.configure(workers=1)
        pipeline = bed.write("relay.yaml", RELAY)
        bed.start_daemon(pipeline)
        second = subprocess.run([os.path.join(programs, "runnel"), "run", "-c", bed.config, pipeline],
                                capture_output=True, text=True, timeout=30)
        assert second.returncode == 1, second
        assert f"is held by another runnel, pid {bed.daemon.pid}" in second.stderr, second.stderr
        bed.remember_children()
        assert bed.stop_daemon() == 0


def a_changed_plan_keeps_or_emits_its_windows(programs):
    """The same key, window and aggregates go on; others are emitted as partial."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=2)
        pipeline = bed.write("counting.yaml", COUNTING)
        bed.start_daemon(pipeline)
        bed.wait_connected()
        results = bed.collect("out/#")
        changes = [COUNTING.replace("steps:\n", "steps:\n  - filter: value >= 0\n"),
                   COUNTING.replace("n: count()", "n: count(), top: max(value)")]
        for change in [None] + changes:
            if change is not None:
                bed.remember_children()
                assert bed.stop_daemon() == 0
                bed.write("counting.yaml", change)
                mark = bed.start_daemon(pipeline)
                bed.wait_connected(mark)
            publisher = bed.publisher()
            for i in range(10):
                publisher.send("sensors/a/value", reading(START + i * 1000, value=i))
            publisher.finish()
        harness.wait_for(lambda: results.all(), 30, "the partial window")
        once = [r for _, r in results.once()]
        assert [(r["n"], r.get("partial")) for r in once] == [(20, True)], once
        bed.remember_children()
        assert bed.stop_daemon() == 0


if __name__ == "__main__":
    harness.main(time_closes_windows, exchange_and_overlapping_pipelines, poison_and_dead_letters, hung_record,
                 stop_in_the_middle_of_a_window, signals_to_all, upstream_away, sigterm_while_upstream_is_away,
                 broker_comes_late_and_forgets, damaged_state_is_said_and_counted,
                 a_second_daemon_is_refused,
                 a_changed_plan_keeps_or_emits_its_windows)

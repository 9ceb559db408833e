"""kill -9 of everything, at random moments, under pipelines of several stages and overlapping topics.

chaos_test.py PROGRAMS [TEST]; RUNNEL_TEST_KILLS sets how many kills of each test (8).
"""
import json
import os
import signal
import time

import harness

BY_ROOM = """
name: by-room
source:
  mqtt: {{ topic: "plant/+/raw", qos: {qos} }}
timestamp: ts
steps:
  - filter: has(room)
  - window:
      tumbling: 1m
      key: room
      lateness: 6h
      windows_max: 1000
      max_ahead: 24h
      aggregate: {{ n: count(), sum: sum(value), low: min(value), high: max(value) }}
sink:
  mqtt: {{ topic: "rooms/{{room}}", qos: {out_qos} }}
"""
SITE = """
name: site
source:
  mqtt: {{ topic: "plant/#", qos: {qos} }}
timestamp: ts
steps:
  - window:
      tumbling: 1m
      lateness: 6h
      windows_max: 1000
      aggregate: {{ n: count(), sum: sum(value) }}
sink:
  mqtt: {{ topic: "site/all", qos: {out_qos} }}
"""
BY_MACHINE = """
name: by-machine
source:
  mqtt: {{ topic: "plant/{{machine}}/raw", qos: {qos} }}
timestamp: ts
steps:
  - window:
      tumbling: 1m
      key: machine
      aggregate: {{ n: count(), sum: sum(value), p95: quantile(value, 0.95) }}
sink:
  mqtt: {{ topic: "machines/{{machine}}", qos: {out_qos} }}
"""
RELAY = """
name: relay
source:
  mqtt: {{ topic: "+/{{machine}}/raw", qos: {qos} }}
steps:
  - filter: value % 5 == 0
  - set: {{ doubled: value * 2 }}
sink:
  mqtt: {{ topic: "fifth/{{machine}}", qos: {out_qos} }}
"""
# Records of records, and windows of windows behind an exchange.
LAYERS = """
name: layers
source:
  mqtt: {{ topic: "+/{{machine}}/raw", qos: {qos} }}
timestamp: ts
steps:
  - set: {{ halves: "[{{'v': value, 'half': 'a'}}, {{'v': value * 3, 'half': 'b'}}]" }}
  - unnest: halves
  - dedupe: {{ id: [v, half], key: machine, ttl: 10m }}
  - window:
      tumbling: 1m
      key: [machine, half]
      aggregate: {{ n: count(), sum: sum(v) }}
  - window:
      tumbling: 1m
      key: half
      lateness: 6h
      windows_max: 1000
      max_ahead: 24h
      aggregate: {{ machines: count(), n: sum(n), sum: sum(sum) }}
sink:
  mqtt: {{ topic: "layers/{{half}}", qos: {out_qos} }}
"""
PIPELINES = {"by-room": BY_ROOM, "site": SITE, "by-machine": BY_MACHINE, "relay": RELAY,
             "layers": LAYERS}
MACHINES = 7
START = 1_700_000_040_000  # a full minute
MINUTE = 60_000
PACE = 2000  # messages a second


class Expected:
    """What the pipelines have to say about the messages, by plain counting."""

    def __init__(self):
        self.rooms, self.minutes, self.machines, self.fifth = {}, {}, {}, []
        self.count = 0

    def add(self, machine, ts, value, room):
        minute = ts // MINUTE * MINUTE
        if room is not None:
            self.rooms.setdefault((room, minute), []).append(value)
        self.minutes.setdefault(minute, []).append(value)
        self.machines.setdefault((machine, minute), []).append(value)
        if value % 5 == 0:
            self.fifth.append(value)
        self.count += 1


class Killer:
    def __init__(self, bed, random, kills):
        self.bed, self.random, self.left = bed, random, kills
        self.next = time.monotonic() + random.uniform(0.2, 0.6)
        self.done = {}

    def maybe(self):
        if self.left == 0 or time.monotonic() < self.next:
            return
        what = self.random.choice(["worker", "uplink", "daemon", "all", "daemon at start"])
        self.kill(what)
        self.bed.remember_children()
        self.done[what] = self.done.get(what, 0) + 1
        self.left -= 1
        self.next = time.monotonic() + self.random.uniform(0.2, 0.6)

    def kill(self, what):
        bed = self.bed
        if what in ("worker", "uplink"):
            pids = bed.child("runnel-" + what)
            for pid in pids[:self.random.randint(1, 3)]:
                os.kill(pid, signal.SIGKILL)
            return
        if what == "all":
            for pid in harness.children(bed.daemon.pid):
                os.kill(pid, signal.SIGKILL)
        bed.kill_daemon()
        if what == "daemon at start":
            bed.start_daemon(*bed.pipelines, ready=False)
            time.sleep(self.random.uniform(0, 0.3))
            bed.kill_daemon()
        bed.start_daemon(*bed.pipelines)


def publish_under_kills(bed, killer, random, expected):
    publisher = bed.publisher(50 if bed.in_qos == 2 else 500)
    began = time.monotonic()
    while killer.left > 0 or expected.count % MACHINES != 0:
        i = expected.count
        machine, ts = f"m{i % MACHINES}", START + i // MACHINES * 1000
        room = f"r{random.randrange(6)}" if random.random() < 0.9 else None
        fields = {"ts": ts, "value": i, **({"room": room} if room else {})}
        publisher.send(f"plant/{machine}/raw", json.dumps(fields), bed.in_qos)
        expected.add(machine, ts, i, room)
        ahead = began + expected.count / PACE - time.monotonic()
        if ahead > 0.005:
            time.sleep(ahead)
        killer.maybe()
    publisher.finish()


def all_worked_off(bed, name, count):
    """What is still at the broker of what was published has come, and is worked off."""
    harness.wait_for(lambda: (bed.status(name) or {"received": 0})["received"] >= count, 60,
                     lambda: f"{name} has received {count}: {bed.status(name)}")
    bed.settled(name, 60)


def close_windows(bed, expected):
    """Behind everything else: partitions run ahead of each other, and one reading far
    ahead makes what is still on the way late."""
    for name in PIPELINES:
        all_worked_off(bed, name, expected.count)
    publisher = bed.publisher(50 if bed.in_qos == 2 else 500)
    last = START + expected.count // MACHINES * 1000 + 7 * 3_600_000
    for machine in range(MACHINES):
        for room in range(6):
            publisher.send(f"plant/m{machine}/raw",
                           json.dumps({"ts": last, "value": 1, "room": f"r{room}"}), bed.in_qos)
    publisher.finish()
    # The windows of windows see the time of results: those of the readings above.
    all_worked_off(bed, "layers", expected.count + 6 * MACHINES)
    publisher = bed.publisher(50 if bed.in_qos == 2 else 500)
    for machine in range(MACHINES):
        publisher.send(f"close/m{machine}/raw", json.dumps({"ts": last + 3_600_000, "value": 1}),
                       bed.in_qos)
    publisher.finish()


def numbers(values):
    return {"n": len(values), "sum": sum(values)}


def compare(what, got, wanted):
    assert len(got) == len(set(map(str, (key for key, _ in got)))), f"{what}: a window came twice"
    wrong = [(key, dict(got).get(key), value) for key, value in wanted.items()
             if dict(got).get(key) != value]
    assert not wrong, f"{what}: {len(wrong)} of {len(wanted)} are wrong, such as {wrong[:3]}"
    assert len(got) == len(wanted), f"{what}: {len(got)} results, wanted {len(wanted)}"


def check(collectors, expected):
    compare("rooms", [((r["room"], r["start"]), {k: r[k] for k in ("n", "sum", "low", "high")})
                      for _, r in collectors["rooms"].once()],
            {key: {**numbers(v), "low": min(v), "high": max(v)} for key, v in expected.rooms.items()})
    compare("site", [(r["start"], {k: r[k] for k in ("n", "sum")})
                     for _, r in collectors["site"].once()],
            {key: numbers(v) for key, v in expected.minutes.items()})
    compare("machines", [((r["machine"], r["start"]), {k: r[k] for k in ("n", "sum")})
                         for _, r in collectors["machines"].once()],
            {key: numbers(v) for key, v in expected.machines.items()})
    compare("fifth", [(r["value"], r["doubled"]) for _, r in collectors["fifth"].once()],
            {value: 2 * value for value in expected.fifth})
    machines = {}
    for machine, minute in expected.machines:
        machines.setdefault(minute, set()).add(machine)
    compare("layers", [((r["half"], r["start"]), {k: r[k] for k in ("machines", "n", "sum")})
                       for _, r in collectors["layers"].once()],
            {(half, minute): {"machines": len(machines[minute]), "n": len(v), "sum": times * sum(v)}
             for minute, v in expected.minutes.items() for half, times in (("a", 1), ("b", 3))})


def chaos(programs, version="5", qos=1, out_qos=1, workers=2):
    random = harness.pick_seed()
    with harness.Bed(programs) as bed:
        bed.in_qos = qos
        bed.configure(workers=workers, version=version)
        files = [bed.write(f"{name}.yaml", text.format(qos=qos, out_qos=out_qos))
                 for name, text in PIPELINES.items()]
        bed.start_daemon(*files)
        harness.wait_for(lambda: bed.log().count("connected to") >= 2, 30, "both sessions")
        bed.wait_connected()
        topics = {"rooms": "rooms/#", "site": "site/all", "machines": "machines/#", "fifth": "fifth/#",
                  "layers": "layers/#"}
        collectors = {name: bed.collect(topic) for name, topic in topics.items()}
        expected = Expected()
        killer = Killer(bed, random, int(os.environ.get("RUNNEL_TEST_KILLS", "8")))
        publish_under_kills(bed, killer, random, expected)
        close_windows(bed, expected)
        wanted = {"rooms": len(expected.rooms), "site": len(expected.minutes),
                  "machines": len(expected.machines), "fifth": len(expected.fifth),
                  "layers": 2 * len(expected.minutes)}
        for name, collector in collectors.items():
            harness.wait_for(lambda: len(collector.ids()) >= wanted[name], 60,
                             lambda: f"{len(collector.ids())} of {wanted[name]} of {name}")
        statuses = {name: bed.settled(name, 30) for name in PIPELINES}
        check(collectors, expected)
        for name, status in statuses.items():
            sent = expected.count + (7 if name in ("layers", "relay") else 6) * MACHINES
            assert status["received"] == sent, (status, sent)
            assert status["states_lost"] == 0, status
        repeats = sum(len(c.all()) - len(c.ids()) for c in collectors.values())
        print(f"  MQTT {version}, QoS {qos}, {workers} workers: {expected.count} messages, "
              f"{killer.done}, {[s['redelivered'] for s in statuses.values()]} redelivered, "
              f"{repeats} results came twice", flush=True)
        bed.nothing_left_behind()
        assert bed.stop_daemon() == 0


def chaos_mqtt_5(programs):
    chaos(programs)


def chaos_mqtt_3_1_1(programs):
    chaos(programs, version="3.1.1", workers=1)


def chaos_mqtt_5_exactly_once(programs):
    chaos(programs, qos=2, out_qos=2, workers=3)


def chaos_mqtt_3_1_1_exactly_once(programs):
    chaos(programs, version="3.1.1", qos=2, out_qos=2)


def chaos_without_workers(programs):
    chaos(programs, workers=0)


if __name__ == "__main__":
    harness.main(chaos_mqtt_5, chaos_mqtt_3_1_1, chaos_mqtt_5_exactly_once,
                 chaos_mqtt_3_1_1_exactly_once, chaos_without_workers)

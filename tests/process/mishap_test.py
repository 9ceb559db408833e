"""Mishaps of a machine: a sink whose broker is away, a process that stands still, too few files,
stray signals, journals that somebody removes.

mishap_test.py PROGRAMS [TEST]
"""
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time

import harness

AWAY = """
name: away
source: { mqtt: { topic: "plant/+", qos: 1 } }
partitions: 1
sink: { mqtt: { broker: upstream, topic: "got", qos: 1 } }
"""
SILENCE = """
name: silence
source: { mqtt: { topic: "sensors/{device}", qos: 1 } }
partitions: 1
steps: [ { absent: { key: device, after: 3s } } ]
sink: { mqtt: { topic: "absent/{device}", qos: 1 } }
"""
BY_CLOCK = """
name: by-clock
source: { mqtt: { topic: "sensors/{device}", qos: 1 } }
partitions: 1
steps: [ { window: { tumbling: 2s, key: device, aggregate: { n: count() } } } ]
sink: { mqtt: { topic: "clock/{device}", qos: 1 } }
"""


def a_sink_that_is_away_holds_up_all_and_is_said(programs):
    """The log and the status say who waits for what; time goes on, but nobody is silent meanwhile."""
    with harness.Bed(programs) as bed, harness.Bed(programs, ["persistence true"]) as site:
        got = site.collect("got")
        site.stop_broker()
        bed.configure(workers=1, extra=f"upstream: {{ url: \"mqtt://127.0.0.1:{site.port}\" }}",
                      limits="{ journal: 64KiB, record: 4KiB }")
        bed.start_daemon(*(bed.write(f"{text.split()[1]}.yaml", text) for text in (AWAY, SILENCE, BY_CLOCK)))
        bed.wait_connected()
        absent, clock = bed.collect("absent/#"), bed.collect("clock/#")
        publisher = bed.publisher()
        publisher.send("sensors/a", "{}")
        harness.wait_for(lambda: bed.status("silence")["received"] == 1, 20, "the first reading")
        count = 3_000
        for i in range(count):
            publisher.send("plant/a", json.dumps({"value": i, "pad": "x" * 80}))
        publisher.send("sensors/b", "{}")
        publisher.finish()
        harness.wait_for(lambda: "`away`: its journal is full, its results wait for upstream" in bed.log(), 30, bed.log)
        assert "and those of all other pipelines behind them" in bed.log(), bed.log()
        harness.wait_for(lambda: bed.status("away")["waited_ms"] > 5_000, 30, lambda: bed.status("away"))
        assert bed.status("away")["waits_for"] == "upstream", bed.status("away")
        assert bed.status("silence")["waits_for"] is None, bed.status("silence")
        # Time goes on: a window that has what it gets is not held back.
        harness.wait_for(lambda: len(clock.all()) == 1, 20, clock.all)
        assert absent.all() == [], absent.all()
        site.start_broker()
        harness.wait_for(lambda: len(got.ids()) >= count, 60, lambda: f"{len(got.ids())} of {count}")
        harness.wait_for(lambda: "`away`: there is room after" in bed.log(), 20, bed.log)
        assert sorted(r["value"] for _, r in got.once()) == list(range(count))
        # Both fall silent when they could have been heard.
        harness.wait_for(lambda: {t for t, *_ in absent.all()} == {"absent/a", "absent/b"}, 20, absent.all)
        entry = bed.settled("away")
        assert entry["waits_for"] is None and entry["waited_ms"] > 5_000, entry
        assert bed.stop_daemon() == 0
        assert "away: received 3000" in bed.log() and "  waited " in bed.log(), bed.log()


def silence_goes_on_behind_an_outage(programs):
    """Time in which nothing can come in is left out of a silence, and what was before it is not forgotten."""
    text = ("name: {0}\nsource: {{ mqtt: {{ topic: \"sensors/{{device}}\", qos: 1 }} }}\n"
            "steps: [ {{ absent: {{ key: {1}, after: 12s }} }} ]\n"
            "sink: {{ mqtt: {{ topic: \"{0}/{{{1}}}\", qos: 1 }} }}\n")
    # The second one has a stage of its own for a key that only the payload knows.
    names = {"here": "device", "there": "room"}
    with harness.Bed(programs, ["persistence true"]) as bed:
        bed.configure(workers=2)
        pipelines = [bed.write(f"{name}.yaml", text.format(name, key)) for name, key in names.items()]
        bed.start_daemon(*pipelines)
        bed.wait_connected()
        absent = bed.collect("#")
        publisher = bed.publisher()
        heard = time.monotonic()
        publisher.send("sensors/a", json.dumps({"room": "r"}))
        publisher.finish()
        harness.wait_for(lambda: all(bed.status(n)["received"] == 1 for n in names), 20, "the reading")
        away = 0.0
        for stop, start in ((bed.stop_daemon, lambda: bed.start_daemon(*pipelines)),
                            (bed.stop_broker, bed.start_broker)):
            until = time.monotonic() + 5
            harness.wait_for(lambda: time.monotonic() > until, 10, "silence")
            mark = len(bed.log())
            stopped = time.monotonic()
            stop()
            start()
            bed.wait_connected(mark)
            away += time.monotonic() - stopped
            back = time.monotonic()
        told = lambda: {topic for topic, *_ in absent.all() if topic.split("/")[0] in names}
        harness.wait_for(lambda: told() == {"here/a", "there/r"}, 20, absent.all)
        assert time.monotonic() - heard > 12, "too early"
        assert time.monotonic() - back < 6, f"{time.monotonic() - back:.1f} s behind an outage, {away:.1f} s away"
        assert bed.stop_daemon() == 0


def more_tasks_than_the_usual_limit_of_open_files(programs):
    """The soft limit is for programs that use select(2): the daemon takes what it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with harness.Bed(programs) as bed:
        bed.configure(workers=2, limits="{ journal: 64KiB, state: 64KiB, record: 4KiB }")
        texts = [f"name: p{i}\nsource: {{ mqtt: {{ topic: \"s/{i}/{{m}}\", qos: 1 }} }}\npartitions: 60\n"
                 f"sink: {{ mqtt: {{ topic: \"got\", qos: 1 }} }}\n" for i in range(5)]
        got = bed.collect("got")
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
        try:
            bed.start_daemon(*(bed.write(f"p{i}.yaml", text) for i, text in enumerate(texts)))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        bed.wait_connected()
        publisher = bed.publisher()
        for i in range(300):
            publisher.send(f"s/{i % 5}/m{i}", json.dumps({"value": i}))
        publisher.finish()
        harness.wait_for(lambda: len(got.ids()) == 300, 30, lambda: len(got.ids()))
        assert bed.stop_daemon() == 0


def too_few_files_are_said(programs):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with harness.Bed(programs) as bed:
        bed.configure(workers=1, limits="{ journal: 64KiB, state: 64KiB, record: 4KiB }")
        text = ("name: p\nsource: { mqtt: { topic: \"s/{m}\", qos: 1 } }\npartitions: 60\n"
                "sink: { mqtt: { topic: \"got\", qos: 1 } }\n")
        path = bed.write("p.yaml", text)
        limited = ["/usr/bin/prlimit", "--nofile=128:128"]
        done = subprocess.run(
            [*limited, os.path.join(programs, "runnel"), "run", "-c", bed.config, path],
            capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and "Too many open files (`LimitNOFILE=`" in done.stderr, done


def signals_that_are_not_for_it(programs):
    """A hang-up stops it in order, as a terminal that closes; others mean nothing to it."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=1)
        bed.start_daemon(bed.write("by-clock.yaml", BY_CLOCK))
        bed.wait_connected()
        clock = bed.collect("clock/#")
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGPIPE):
            for pid in [bed.daemon.pid] + harness.children(bed.daemon.pid):
                os.kill(pid, number)
        publisher = bed.publisher()
        publisher.send("sensors/a", "{}")
        publisher.finish()
        harness.wait_for(lambda: len(clock.all()) == 1, 20, clock.all)
        for pid in [bed.daemon.pid] + harness.children(bed.daemon.pid):
            os.kill(pid, signal.SIGHUP)
        assert bed.daemon.wait(30) == 0
        assert "stopping: SIGHUP" in bed.log() and "received 1 " in bed.log(), bed.log()


def who_stands_still_is_replaced(programs):
    """Slow: the uplink gets a minute, since name servers that do not answer take half of one."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=1)
        bed.start_daemon(bed.write("by-clock.yaml", BY_CLOCK))
        bed.wait_connected()
        clock = bed.collect("clock/#")
        uplink, worker = bed.child("runnel-uplink") + bed.child("runnel-worker")
        for pid in (uplink, worker):
            os.kill(pid, signal.SIGSTOP)
        publisher = bed.publisher()
        publisher.send("sensors/a", "{}")
        publisher.finish()
        harness.wait_for(lambda: len(clock.all()) == 1, 180, bed.log)
        assert "the uplink has not moved for 1m; it is killed" in bed.log(), bed.log()
        assert "worker 1 has not looked at what waits for `by-clock/0.0` for 15s; it is killed" in bed.log(), bed.log()
        assert not harness.alive(uplink) and not harness.alive(worker)
        bed.remember_children()
        assert bed.stop_daemon() == 0


class SlowWay:
    """A way to a broker that takes so many bytes a second from who connects."""

    def __init__(self, port, rate):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port, self.to, self.rate = self.server.getsockname()[1], port, rate
        self.open = [self.server]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            while True:
                client, _ = self.server.accept()
                broker = socket.create_connection(("127.0.0.1", self.to))
                # Little is on its way: what the broker has not taken waits at the sender.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                self.open += [client, broker]
                threading.Thread(target=self.pump, args=(client, broker, True), daemon=True).start()
                threading.Thread(target=self.pump, args=(broker, client, False), daemon=True).start()
        except OSError:
            pass

    def pump(self, source, sink, is_slow):
        try:
            while data := source.recv(1024):
                sink.sendall(data)
                if is_slow:
                    time.sleep(len(data) / self.rate)  # the slowness itself: nobody waits for it
        except OSError:
            pass

    def close(self):
        for one in self.open:
            one.close()


def many_short_waits_are_one_stall(programs):
    """Upstream is there and slower than what comes in: no wait lasts, and yet nobody is heard in time."""
    with harness.Bed(programs) as bed, harness.Bed(programs) as site:
        way = SlowWay(site.port, 20_000)
        bed.configure(workers=1, extra=f"upstream: {{ url: \"mqtt://127.0.0.1:{way.port}\" }}",
                      limits="{ journal: 64KiB, record: 4KiB }")
        bed.start_daemon(*(bed.write(f"{text.split()[1]}.yaml", text) for text in (AWAY, SILENCE)))
        bed.wait_connected()
        absent = bed.collect("absent/#")
        publisher = bed.publisher(in_flight=20_000)
        sent = 0
        for _ in range(6):
            publisher.send("sensors/a", "{}")
            for _ in range(800):
                publisher.send("plant/a", json.dumps({"value": sent, "pad": "x" * 80}))
                sent += 1
            end = time.monotonic() + 1
            harness.wait_for(lambda: time.monotonic() > end, 5, "a second")
        harness.wait_for(lambda: bed.status("away")["waited_ms"] > 3_000, 30, lambda: bed.status("away"))
        assert "`away`: its journal is full, its results wait for upstream" in bed.log(), bed.log()
        assert absent.all() == [], absent.all()
        # A device that is silent is told of when the source is not held up any more.
        way.rate = 1 << 30
        harness.wait_for(lambda: "`away`: there is room after" in bed.log(), 120, bed.log)
        harness.wait_for(lambda: [t for t, *_ in absent.all()] == ["absent/a"], 60, absent.all)
        publisher.finish()
        assert bed.settled("away")["received"] == sent
        way.close()
        assert bed.stop_daemon() == 0


MINUTES = """
name: minutes
source: { mqtt: { topic: "sensors/{device}", qos: 1 } }
timestamp: ts
partitions: 2
steps: [ { window: { tumbling: 1m, key: device, aggregate: { n: count() } } } ]
sink: { mqtt: { topic: "minute/{device}", qos: 1 } }
"""


def removed_journals_are_saved(programs):
    """Whoever removes `runtime:` ends the daemon, not what it has acknowledged."""
    start, count = 1_700_000_040_000, 500
    for what in ("", "tasks", "tasks/minutes/0.1", "tasks/minutes/0.1/work"):
        with harness.Bed(programs, ["persistence true"]) as bed:
            bed.configure(workers=2)
            path = bed.write("minutes.yaml", MINUTES)
            bed.start_daemon(path)
            bed.wait_connected()
            minute = bed.collect("minute/#")

            def publish(ts):
                publisher = bed.publisher()
                for i in range(count):
                    publisher.send(f"sensors/d{i % 10}", json.dumps({"ts": ts}))
                publisher.finish()

            publish(start)
            harness.wait_for(lambda: bed.status("minutes")["received"] == count, 20, "received")
            gone = os.path.join(bed.runtime, what)
            os.remove(gone) if os.path.isfile(gone) else shutil.rmtree(gone)
            taken = count
            if "/" in what:  # nobody watches a single task's folder: a new worker goes on, the end saves
                mark = len(bed.log())
                for pid in bed.child("runnel-worker"):
                    os.kill(pid, signal.SIGKILL)
                harness.wait_for(lambda: bed.log()[mark:].count("started again") == 2, 20, bed.log)
                publish(start)
                taken += count
                bed.remember_children()
                bed.daemon.send_signal(signal.SIGTERM)
            assert bed.daemon.wait(30) == 1
            bed.daemon = None
            assert "somebody has removed" in bed.log(), bed.log()
            mark = bed.start_daemon(path)
            bed.wait_connected(mark)
            publish(start + 60_000)
            harness.wait_for(lambda: len(minute.ids()) == 10, 20, minute.all)
            assert [r["n"] for _, r in minute.once()] == [taken // 10] * 10, minute.once()
            assert bed.status("minutes")["received"] == taken + count, bed.status("minutes")
            assert bed.stop_daemon() == 0


if __name__ == "__main__":
    harness.main(removed_journals_are_saved, many_short_waits_are_one_stall,
                 silence_goes_on_behind_an_outage,
                 a_sink_that_is_away_holds_up_all_and_is_said, more_tasks_than_the_usual_limit_of_open_files,
                 too_few_files_are_said, signals_that_are_not_for_it, who_stands_still_is_replaced)

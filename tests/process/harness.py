"""What the process tests share: a broker, the daemon, killing by pid, waiting on conditions.

Nothing sleeps to synchronise: `wait_for` polls a condition until a deadline. Every
process that is started is ended by its pid. Ports are free ones of the loopback.
"""
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


def wait_for(condition, seconds, what):
    """Polls until the condition is true; fails the test after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pick_seed():
    seed = int(os.environ.get("RUNNEL_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"seed {seed}  (RUNNEL_TEST_SEED={seed} repeats it)", flush=True)
    return random.Random(seed)


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Bed:
    """A folder, a broker and a daemon; everything ends with the `with` block."""

    def __init__(self, programs, broker_options=()):
        self.programs = programs
        self.folder = tempfile.mkdtemp(prefix="runnel-test-")
        self.runtime = tempfile.mkdtemp(prefix="runnel-test-", dir="/dev/shm")
        self.state = os.path.join(self.folder, "state")
        self.port = free_port()
        self.broker_options = list(broker_options)
        self.broker = None
        self.daemon = None
        self.log_path = os.path.join(self.folder, "daemon.log")
        self.seen_pids = set()
        self.collectors = []
        self.late_sinks = {}  # pipelines with `late:`, whose late records are published too: 1

    def __enter__(self):
        self.start_broker()
        return self

    def __exit__(self, kind, value, trace):
        for collector in self.collectors:
            collector.stop()
        self.kill_daemon()
        self.stop_broker()
        if kind is not None:
            sys.stdout.write(f"--- daemon's log ({self.folder}) ---\n{self.log()[-6000:]}\n")
        for pid in self.seen_pids:
            if alive(pid) and name_of(pid).startswith("runnel"):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.runtime, ignore_errors=True)
        if kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    # The broker.

    def start_broker(self):
        path = os.path.join(self.folder, "mosquitto.conf")
        with open(path, "w") as file:
            file.write(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n"
                       "max_queued_messages 0\nmax_inflight_messages 100\n"
                       "log_type error\nlog_type warning\nlog_type notice\nlog_type information\n"
                       "log_type subscribe\nlog_type unsubscribe\n")
            if "persistence true" in self.broker_options:
                file.write(f"persistence_location {self.folder}/\nuser root\n")
            file.write("".join(option + "\n" for option in self.broker_options))
        with open(os.path.join(self.folder, "mosquitto.log"), "a") as log:
            self.broker = subprocess.Popen(["/usr/sbin/mosquitto", "-c", path], stdout=log,
                                           stderr=log, cwd=self.folder)
        wait_for(self.broker_answers, 20, "the broker listens")

    def broker_answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def stop_broker(self, how=signal.SIGTERM):
        if self.broker is not None:
            self.broker.send_signal(how)
            self.broker.wait(20)
            self.broker = None

    # The daemon.

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def configure(self, workers=2, extra="", limits=None, version="5"):
        lines = ["brokers:", f"  local: {{ url: \"mqtt://127.0.0.1:{self.port}\", "
                             f"version: {version} }}"]
        lines += ["  " + line for line in extra.splitlines()]
        lines += [f"workers: {workers}", f"state: {self.state}", f"runtime: {self.runtime}"]
        if limits:
            lines.append(f"limits: {limits}")
        self.config = self.write("runnel.yaml", "\n".join(lines) + "\n")

    def start_daemon(self, *pipelines, ready=True, env=None):
        mark = len(self.log())
        with open(self.log_path, "a") as log:
            self.daemon = subprocess.Popen(
                [os.path.join(self.programs, "runnel"), "run", "-c", self.config, *pipelines],
                stdout=log, stderr=log, env={**os.environ, **(env or {})})
        self.pipelines = pipelines
        self.seen_pids.add(self.daemon.pid)
        if ready:
            wait_for(lambda: "ready:" in self.log()[mark:], 30, "the daemon is ready")
            self.remember_children()
        return mark

    def wait_connected(self, mark=0, broker=None):
        """Until what is published reaches the daemon: each new session has subscribed.

        `broker`: the bed whose broker it is, where it is not this one's."""
        broker = broker or self
        wait_for(lambda: re.search(rf"connected to \S*:{broker.port} ", self.log()[mark:]), 30,
                 "the daemon has connected")
        wait_for(lambda: self.has_subscribed(broker), 30, "the daemon has subscribed")

    def has_subscribed(self, broker):
        """mosquitto logs `CLIENT QOS FILTER` of each subscription."""
        new = re.findall(rf":{broker.port} as `([^`]+)`, new session", self.log())
        with open(os.path.join(broker.folder, "mosquitto.log"), errors="replace") as file:
            subscribed = re.findall(r"^\d+: (\S+) [012] \S", file.read(), re.M)
        return all(subscribed.count(client) >= new.count(client) for client in set(new))

    def wait_unsubscribed(self, topic):
        """Until the daemon has given up a filter that it had; with it what it wants instead is there."""
        def is_done():
            with open(os.path.join(self.folder, "mosquitto.log"), errors="replace") as file:
                return re.search(rf": \S*runnel-\S+ {re.escape(topic)}$", file.read(), re.MULTILINE)
        wait_for(is_done, 30, f"the daemon has unsubscribed from {topic}")

    def remember_children(self):
        if self.daemon is not None:
            self.seen_pids.update(children(self.daemon.pid))

    def kill_daemon(self):
        if self.daemon is not None:
            self.remember_children()
            self.daemon.kill()
            self.daemon.wait(20)
            self.daemon = None

    def stop_daemon(self, seconds=30):
        self.daemon.send_signal(signal.SIGTERM)
        code = self.daemon.wait(seconds)
        self.daemon = None
        return code

    def child(self, name):
        """The pids of the daemon's children of that name."""
        return [pid for pid in children(self.daemon.pid) if name_of(pid) == name]

    def log(self):
        try:
            with open(self.log_path, errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def status(self, pipeline):
        text = subprocess.run(
            [os.path.join(self.programs, "runnel"), "status", "-c", self.config, "--json"],
            capture_output=True, text=True, timeout=30).stdout
        for entry in json.loads(text)["pipelines"]:
            if entry["name"] == pipeline:
                return entry
        return None

    def stands_still(self, pipeline):
        """Whether it takes nothing in any more."""
        before = self.status(pipeline)["received"]
        time.sleep(0.1)
        return self.status(pipeline)["received"] == before

    def empty_runtime(self):
        """What a reboot makes of `runtime:`."""
        for name in os.listdir(self.runtime):
            path = os.path.join(self.runtime, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)

    def settled(self, pipeline, seconds=30):
        """Waits until nothing is in flight and every result has gone out; the ledger, checked."""
        def balance():
            entry = self.status(pipeline)
            settled = sum(entry[name] for name in ("filtered", "absorbed", "passed", "late",
                                                   "dropped", "dead_lettered"))
            leaving = (entry["results"] + entry["passed"] - entry["results_filtered"]
                       - entry["results_absorbed"] - entry["results_dead_lettered"] + self.late_sinks.get(pipeline, 0) * entry["late"])
            return (entry["in_flight"] == 0 and entry["records"] == settled
                    and entry["published"] + entry["rejected"] == leaving and entry)
        return wait_for(balance, seconds, lambda: f"settled: {self.status(pipeline)}")

    def nothing_left_behind(self):
        """No process of an earlier daemon, nor a child that it has replaced."""
        current = set(children(self.daemon.pid)) | {self.daemon.pid}
        left = [pid for pid in self.seen_pids - current
                if alive(pid) and name_of(pid).startswith("runnel")]
        assert not left, f"processes of an earlier daemon are left: {left}"

    def dead_letters(self):
        letters = []
        folder = os.path.join(self.state, "dead-letters")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            with open(os.path.join(folder, name)) as file:
                letters += [json.loads(line) for line in file]
        return letters

    def collect(self, topic, qos=1):
        collector = Collector(self.port, topic, qos)
        self.collectors.append(collector)
        return collector

    def publisher(self, in_flight=500):
        return Publisher(self.port, in_flight)


class Collector:
    """Keeps every result that arrives: topic, payload, runnel-id."""

    def __init__(self, port, topic, qos=1):
        self.messages = []
        self.lock = threading.Lock()
        self.ready = threading.Event()
        self.client = mqtt.Client(client_id=f"collector-{random.SystemRandom().randrange(1 << 30)}",
                                  protocol=mqtt.MQTTv5)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *rest: client.subscribe(topic, qos=qos)
        self.client.on_subscribe = lambda *rest: self.ready.set()
        self.client.on_message = self.on_message
        self.client.connect("127.0.0.1", port, clean_start=False, properties=properties)
        self.client.loop_start()
        assert self.ready.wait(20), "the collector has not subscribed"

    def on_message(self, client, data, message):
        properties = dict(getattr(message.properties, "UserProperty", []))
        with self.lock:
            self.messages.append((message.topic, bytes(message.payload), properties.get("runnel-id")))

    def all(self):
        with self.lock:
            return list(self.messages)

    def ids(self):
        """The results that are different ones. MQTT 3.1.1 has no ids."""
        return {identity or (topic, payload) for topic, payload, identity in self.all()}

    def once(self):
        """Each result once; fails where one id has two contents. MQTT 3.1.1 has no ids."""
        by_id = {}
        for topic, payload, identity in self.all():
            first = by_id.setdefault(identity or (topic, payload), (topic, payload))
            assert first == (topic, payload), f"{identity} has two contents: {first} {payload}"
        return [(topic, json.loads(payload)) for topic, payload in by_id.values()]

    def stop(self):
        self.client.loop_stop()
        self.client.disconnect()


class Publisher:
    """Publishes with QoS 1 and knows what the broker has acknowledged.

    With QoS 2 at most `max_inflight_messages` may be in flight: mosquitto stalls above."""

    def __init__(self, port, in_flight=500):
        self.client = mqtt.Client(protocol=mqtt.MQTTv311)
        self.client.max_inflight_messages_set(in_flight)
        self.client.max_queued_messages_set(0)
        self.acknowledged = 0
        self.sent = 0
        self.client.on_publish = self.on_publish
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def on_publish(self, *rest):
        self.acknowledged += 1

    def send(self, topic, payload, qos=1):
        self.client.publish(topic, payload, qos=qos)
        self.sent += 1

    def finish(self, seconds=120):
        wait_for(lambda: self.acknowledged >= self.sent, seconds,
                 lambda: f"{self.acknowledged} of {self.sent} acknowledged")
        self.client.loop_stop()
        self.client.disconnect()


def main(*tests):
    """Runs the tests named on the command line behind the programs' folder, or all."""
    programs = sys.argv[1]
    wanted = sys.argv[2:]
    for test in tests:
        if wanted and test.__name__ not in wanted:
            continue
        print(f"== {test.__name__}", flush=True)
        started = time.monotonic()
        test(programs)
        print(f"   ok, {time.monotonic() - started:.1f} s", flush=True)

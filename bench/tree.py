"""What the bench drivers share: CPU time, memory and wake-ups of a tree of processes."""
import os
import subprocess
import sys
import threading

import paho.mqtt.client as mqtt

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "process"))
from harness import Bed, children, name_of, wait_for  # noqa: E402,F401

PIPELINE = """
source:
  mqtt: {{ topic: "sensors/{{device}}/climate", qos: {qos}, overload: block }}
decode: json
timestamp: ts
steps:
  - filter: temp > -40 && temp < 85
  - window:
      tumbling: 10s
      key: device
      aggregate: {{ n: count(), low: min(temp), high: max(temp), mean: mean(temp), p95: quantile(temp, 0.95) }}
sink:
  mqtt: {{ topic: "site/a/climate/{{device}}", qos: {qos} }}
"""


def tree(pid):
    """The process and everything below it."""
    pids = [pid]
    for child in children(pid):
        pids += tree(child)
    return pids


def cpu_seconds(pids):
    """User and system time of all threads that live; to the nanosecond, unlike `stat`."""
    total = 0
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                total += int(file.read().split()[0])
    return total / 1e9


def memory(pid):
    """(PSS, RSS) in bytes."""
    sizes = {}
    with open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            parts = line.split()
            if len(parts) == 3 and parts[2] == "kB":
                sizes[parts[0]] = int(parts[1]) * 1024
    return sizes["Pss:"], sizes["Rss:"]


def allocated(folder):
    """Bytes that the files below the folder really take."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
            except OSError:
                pass
    return total


def wakeups(pids):
    """How often each thread has slept so far, by (pid, thread name, thread id)."""
    counts = {}
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/status") as file:
                lines = dict(line.split(":", 1) for line in file if ":" in line)
            counts[(pid, lines["Name"].strip(), int(thread))] = int(lines["voluntary_ctxt_switches"])
    return counts


class Receiver:
    """A bare Paho receiver."""

    def __init__(self, bench, port, qos, messages, client="bench-receiver"):
        self.process = subprocess.Popen(
            [os.path.join(bench, "bench_receiver"), str(port), str(qos), str(messages), client],
            stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline().startswith("ready")
        self.pid = self.process.pid

    def wait_done(self):
        line = self.process.stdout.readline()
        assert line.startswith("done"), line

    def stop(self):
        self.process.kill()
        self.process.wait(20)
        self.process.stdout.close()


def end_session(port, client_id):
    """Makes the broker forget a session, so that it queues nothing for it any more."""
    client = mqtt.Client(client_id=client_id, protocol=mqtt.MQTTv5)
    done = threading.Event()
    client.on_connect = lambda *rest: done.set()
    client.connect("127.0.0.1", port, clean_start=True)
    client.loop_start()
    assert done.wait(20)
    client.disconnect()
    client.loop_stop()


def programs_of(build):
    return os.path.join(build, "daemon"), os.path.join(build, "bench")

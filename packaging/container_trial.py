"""Runs inside the container: the service under a real systemd.

usage: container_trial.py RUNNEL
"""
import json
import os
import signal
import subprocess
import sys
import threading
import time

import paho.mqtt.client as mqtt

DEVICES = ("a", "b", "c")
START = 1_700_000_040_000  # a full minute


def systemctl(*words):
    return subprocess.run(["systemctl", *words], capture_output=True, text=True, timeout=90,
                          check=False)


def show(name):
    return systemctl("show", "runnel", "-p", name, "--value").stdout.strip()


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return value


def say(text):
    print(f"   {text}", flush=True)


class Ends:
    """Sends readings and counts the results; a result that comes again counts once."""

    def __init__(self):
        self.results = {}
        self.sent = {}
        self.subscribed = threading.Event()
        self.client = mqtt.Client(client_id="trial", protocol=mqtt.MQTTv5)
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_message = self.take
        self.client.connect("127.0.0.1")
        self.client.subscribe("out/#", qos=1)
        self.client.loop_start()
        assert self.subscribed.wait(20)

    def take(self, _client, _data, message):
        identifier = dict(message.properties.UserProperty)["runnel-id"]
        self.results[identifier] = json.loads(message.payload)

    def send(self, window, count):
        """`count` readings of each device in the minute with that number."""
        last = None
        for number in range(count):
            for device in DEVICES:
                reading = {"ts": START + window * 60_000 + number, "value": number}
                last = self.client.publish(f"trial/{device}", json.dumps(reading), qos=1)
                key = (device, START + window * 60_000)
                n, total = self.sent.get(key, (0, 0))
                self.sent[key] = (n + 1, total + number)
        last.wait_for_publish(20)

    def windows(self):
        seen = {}
        for result in list(self.results.values()):
            key = (result["device"], result["start"])
            assert key not in seen, f"two results for the window {key}"
            seen[key] = (result["n"], result["sum"])
        return seen


def main_pid():
    return int(show("MainPID"))


def subscribed():
    """The broker has the service's subscription: it is online."""
    command = "mosquitto_sub -h 127.0.0.1 -t runnel/+/status -C 1 -W 1"
    status = subprocess.run(command.split(), capture_output=True, text=True, timeout=20, check=False)
    return "online" in status.stdout


def trial(runnel):
    started = systemctl("start", "runnel")
    assert started.returncode == 0, started.stderr
    assert show("ActiveState") == "active" and show("NotifyAccess") == "main"
    say(f"started, systemd has its READY: {show('StatusText')}")
    assert show("StatusText"), "the service tells no status"
    wait_for(subscribed, 20, "the service is online")
    ends = Ends()

    ends.send(window=0, count=100)
    before = main_pid()
    os.kill(before, signal.SIGKILL)
    ends.send(window=0, count=50)
    wait_for(lambda: show("NRestarts") == "1" and show("ActiveState") == "active", 30,
             "systemd restarts the killed service")
    assert main_pid() != before
    say("killed with SIGKILL in the middle of a window, restarted by systemd")
    ends.send(window=0, count=50)

    stopped = systemctl("stop", "runnel")
    assert stopped.returncode == 0 and show("ActiveState") == "inactive", stopped.stderr
    assert show("Result") == "success", show("Result")
    ends.send(window=0, count=25)
    assert systemctl("start", "runnel").returncode == 0
    say("stopped and started in the middle of a window")
    ends.send(window=0, count=25)

    restarts = systemctl("restart", "runnel")
    assert restarts.returncode == 0, restarts.stderr
    ends.send(window=1, count=10)
    wait_for(lambda: ends.windows() == ends.sent, 60,
             lambda: f"sent {ends.sent}, counted {ends.windows()}")
    say(f"every window has what was sent: {len(ends.sent)} windows, "
        f"{sum(n for n, _ in ends.sent.values())} readings")
    ledger = subprocess.run([runnel, "status"], capture_output=True, text=True, timeout=20,
                            check=True).stdout
    say(ledger.strip())

    # A reboot takes /run: what a stop has saved in /var/lib/runnel comes back.
    ends.send(window=2, count=10)
    assert systemctl("stop", "runnel").returncode == 0
    systemctl("clean", "--what=runtime", "runnel")
    assert not os.path.exists("/run/runnel"), "the runtime folder is still there"
    assert systemctl("start", "runnel").returncode == 0
    ends.send(window=2, count=10)
    wait_for(lambda: ends.windows() == ends.sent, 60, f"the window over a reboot; {ends.windows()}")
    say("a window goes on over a stop that empties /run, as a reboot does")
    assert systemctl("stop", "runnel").returncode == 0
    exposure = subprocess.run(["systemd-analyze", "security", "--no-pager", "runnel"],
                              capture_output=True, text=True, timeout=60, check=False).stdout
    say(exposure.strip().splitlines()[-1])


if __name__ == "__main__":
    try:
        trial(sys.argv[1])
    except AssertionError as error:
        detail = error.args[0] if error.args else error
        print(f"error: {detail() if callable(detail) else detail}", file=sys.stderr)
        sys.exit(1)

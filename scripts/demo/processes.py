"""The programs of the demo: a broker and the daemon, each ended by its own pid."""
import json
import os
import signal
import socket
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLE = os.path.join(ROOT, "examples", "machine.yaml")
SUBSCRIPTION = "machine/+/+"


class DemoError(Exception):
    """What a person has to know, in one line; the demo ends."""


def wait_for(condition, seconds, what):
    """Until the condition holds; `what()` says what did not happen."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise DemoError(f"not within {seconds} s: {what()}")
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def last_lines(path, count=12):
    with open(path, errors="replace") as file:
        return "".join("    " + line for line in file.readlines()[-count:])


class Program:
    """A child with a log file; stopped with SIGTERM, and with SIGKILL if that is not heard."""

    def __init__(self, name, command, log_path):
        self.name = name
        self.log_path = log_path
        with open(log_path, "ab") as log:
            # A session of its own: Ctrl-C reaches the demo alone, which then stops it.
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    def check_alive(self):
        if self.process.poll() is not None:
            raise DemoError(f"{self.name} has ended with {self.process.returncode}; it said:\n"
                            + last_lines(self.log_path))

    def stop(self, seconds=15):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


def start_broker(folder):
    """mosquitto on a free loopback port; a port that somebody took meanwhile is tried again."""
    for attempt in range(5):
        port = free_port()
        path = os.path.join(folder, "mosquitto.conf")
        with open(path, "w") as file:
            file.write(f"listener {port} 127.0.0.1\nallow_anonymous true\n"
                               "max_queued_messages 0\nmax_inflight_messages 500\npersistence false\n"
                       "log_dest stderr\nlog_type error\nlog_type warning\nlog_type subscribe\n")
        broker = Program("mosquitto", ["/usr/sbin/mosquitto", "-c", path],
                         os.path.join(folder, "mosquitto.log"))

        def answers():
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                return broker.process.poll() is not None

        try:
            wait_for(answers, 10, lambda: "mosquitto listens")
            broker.check_alive()
            return broker, port
        except DemoError:
            broker.stop()
            if attempt == 4:
                raise


class Daemon:
    """`runnel run` with two workers on the example."""

    def __init__(self, programs, folder, runtime, port):
        self.runnel = os.path.join(programs, "runnel")
        self.config = os.path.join(folder, "runnel.yaml")
        with open(self.config, "w") as file:
            file.write(f"brokers:\n  local: {{ url: \"mqtt://127.0.0.1:{port}\" }}\n"
                       f"workers: 2\nstate: {folder}/state\nruntime: {runtime}\n")
        self.program = Program("runnel", [self.runnel, "run", "-c", self.config, EXAMPLE],
                               os.path.join(folder, "runnel.log"))

    def wait_until_subscribed(self, broker):
        """The broker writes down each subscription: from then on it keeps every message."""
        def subscribed():
            self.program.check_alive()
            with open(broker.log_path) as file:
                return SUBSCRIPTION in file.read()

        wait_for(subscribed, 20,
                 lambda: "runnel subscribes; it said:\n" + last_lines(self.program.log_path))

    def workers(self):
        """Pids of the worker processes: the daemon's children by that name."""
        pids = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                with open(f"/proc/{entry}/stat") as file:
                    name, rest = file.read().split("(", 1)[1].rsplit(")", 1)
            except (OSError, IndexError):
                continue
            state, parent = rest.split()[:2]
            if name == "runnel-worker" and int(parent) == self.program.pid and state != "Z":
                pids.append(int(entry))
        return sorted(pids)

    def kill_worker(self):
        """SIGKILL for one of the workers; its pid."""
        victims = self.workers()
        if not victims:
            raise DemoError("there is no worker to kill; see " + self.program.log_path)
        os.kill(victims[0], signal.SIGKILL)
        return victims[0]

    def ledger(self):
        status = subprocess.run([self.runnel, "status", "-c", self.config, "--json"],
                                capture_output=True, text=True, timeout=20, check=False)
        if status.returncode != 0:
            raise DemoError("`runnel status` failed: " + status.stderr.strip())
        for pipeline in json.loads(status.stdout)["pipelines"]:
            if pipeline["name"] == "machine":
                return pipeline
        raise DemoError("`runnel status` does not know the pipeline")

"""The demo: live readings in, aggregates out, a worker killed half-way, nothing lost.

usage: demo.py FOLDER_OF_THE_PROGRAMS

Exit code: 0 nothing lost, 1 something lost or failed, 130 interrupted.
"""
import os
import shutil
import signal
import sys
import tempfile
import time

from mqtt_ends import Collector, Publisher
from processes import Daemon, DemoError, start_broker
from readings import all_sensors
from screen import Screen

PUBLISH_SECONDS = 12  # and on to the end of a window
WINDOW_SECONDS = 2
CLOSE_SECONDS = 30.0  # at most; the windows of the example close after 5 s of silence
PAUSE = 0.25


class Demo:
    def __init__(self, programs):
        self.programs = programs
        self.screen = Screen()
        self.folder = tempfile.mkdtemp(prefix="runnel-demo-")
        # In memory where there is such a place: it is where /run/runnel would be.
        shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.runtime = tempfile.mkdtemp(prefix="runnel-demo-", dir=shared)
        self.broker = self.daemon = self.publisher = self.collector = None

    def close(self):
        for end in (self.publisher, self.collector):
            if end is not None:
                end.close()
        if self.daemon is not None:
            self.daemon.program.stop()
        if self.broker is not None:
            self.broker.stop()
        shutil.rmtree(self.runtime, ignore_errors=True)
        if not os.environ.get("RUNNEL_DEMO_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def run(self):
        self.start()
        self.publish()
        self.wait_for_windows()
        return self.verdict()

    def start(self):
        self.broker, port = start_broker(self.folder)
        self.screen.say(f"mosquitto listens on 127.0.0.1:{port}")
        self.collector = Collector(port)
        self.daemon = Daemon(self.programs, self.folder, self.runtime, port)
        self.daemon.wait_until_subscribed(self.broker)
        self.screen.say("runnel runs examples/machine.yaml with the workers "
                        + " and ".join(str(pid) for pid in self.daemon.workers()))
        sensors = all_sensors()
        if not sensors:
            raise DemoError("this machine tells nothing about itself in /proc and /sys")
        self.publisher = Publisher(port, sensors)
        self.screen.say(f"publishing the readings of {len(sensors)} sensors of this machine, QoS 1")

    def publish(self):
        self.publisher.start()
        windows = (time.time() + PUBLISH_SECONDS) // WINDOW_SECONDS + 1
        left = windows * WINDOW_SECONDS - 0.1 - time.time()
        end = time.monotonic() + left
        killed = None
        while (left := end - time.monotonic()) > 0:
            self.look(f"{left:2.0f} s to go")
            if killed is None and left < PUBLISH_SECONDS / 2:
                killed = self.daemon.kill_worker()
                self.screen.say(f"killed worker {killed} with SIGKILL, "
                                f"after {self.publisher.sent} readings")
                self.await_successor(killed)
            time.sleep(max(0.0, min(PAUSE, end - time.monotonic())))
        self.publisher.stop()
        self.screen.say(f"sent {self.publisher.sent} readings, {self.publisher.sent_stale} of them "
                        "stale on purpose; waiting until the last windows close")

    def await_successor(self, killed):
        before = time.monotonic()
        while True:
            workers = self.daemon.workers()
            if killed not in workers and len(workers) == 2:
                break
            if time.monotonic() - before > 20:
                raise DemoError("no worker took the place of the killed one")
            self.check()
            time.sleep(0.005)
        took = (time.monotonic() - before) * 1000
        self.screen.say(f"worker {max(workers)} is in its place after {took:.0f} ms")

    def wait_for_windows(self):
        wanted = sum(self.publisher.sent_good.values())
        end = time.monotonic() + CLOSE_SECONDS
        while self.collector.aggregated() < wanted and time.monotonic() < end:
            self.look("closing windows")
            time.sleep(PAUSE)

    def look(self, state):
        self.check()
        self.screen.show(f"{state}: {self.publisher.sent} readings sent, "
                         f"{self.collector.results} aggregates arrived upstream, "
                         f"{self.collector.aggregated()} readings in them", self.collector.table())

    def check(self):
        self.broker.check_alive()
        self.daemon.program.check_alive()
        if self.publisher.failed is not None:
            raise DemoError(f"the publisher failed: {self.publisher.failed}")

    def verdict(self):
        self.screen.last(self.collector.table())
        code = self.daemon.program.stop()
        ledger = self.daemon.ledger()
        wanted, counted = self.publisher.sent_good, self.collector.counted
        lost = sum(wanted.values()) - sum(counted.values())
        print(f"\nreceived {ledger['received']}  filtered {ledger['filtered']}  "
              f"aggregated {ledger['absorbed']}  results {ledger['results']}  "
              f"published {ledger['published']}  lost {lost}", flush=True)
        wrong = [f"{name}: {counted.get(name, 0)} of {number}" for name, number in wanted.items()
                 if counted.get(name, 0) != number]
        if wrong:
            print("readings counted upstream of those sent: " + ", ".join(sorted(wrong)))
        if self.collector.anonymous:
            print(f"{self.collector.anonymous} results came without a runnel-id")
        if code != 0:
            print(f"runnel ended with {code}")
        return 1 if wrong or self.collector.anonymous or code != 0 else 0


def interrupt(number, _frame):
    raise KeyboardInterrupt(signal.Signals(number).name)


def main():
    if len(sys.argv) != 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, interrupt)
    demo = Demo(sys.argv[1])
    try:
        return demo.run()
    except DemoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopping", file=sys.stderr)
        return 130
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # ending takes a moment, and is not left out
        demo.close()


if __name__ == "__main__":
    sys.exit(main())

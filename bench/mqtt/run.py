#!/usr/bin/env python3
"""bench/mqtt: what does the whole daemon cost beside a bare Paho receiver?

Usage: run.py BUILD [--messages 1000000] [--seconds 60] [--rates 20000,5000,1000]
              [--qos 0,1] [--rounds 1] [--workers 1] [--no-flat]

Daemon (filter, keyed window with p95, results published) and bare receiver take turns
on one broker. Prints messages per second and CPU seconds per million messages of the
whole tree (daemon, workers, uplink). Paced messages leave one by one.
"""
import argparse
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from tree import (PIPELINE, Bed, Receiver, cpu_seconds, end_session, name_of,  # noqa: E402
                  programs_of, tree, wait_for)


def publish(bench, port, qos, messages, rate):
    output = subprocess.run([os.path.join(bench, "bench_publisher"), str(port), str(qos),
                             str(messages), str(rate)], capture_output=True, text=True, check=True)
    return float(output.stdout.split()[0])


class BareRun:
    name = "bare receiver"

    def __init__(self, bed, bench, qos, messages, **ignored):
        self.bed = bed
        self.receiver = Receiver(bench, bed.port, qos, messages)

    def pids(self):
        return [self.receiver.pid]

    def wait_done(self, messages):
        self.receiver.wait_done()

    def stop(self):
        self.receiver.stop()
        end_session(self.bed.port, "bench-receiver")


class DaemonRun:
    name = "runnel"

    def __init__(self, bed, bench, qos, messages, workers=1):
        self.bed = bed
        bed.configure(workers=workers)
        self.pipeline = bed.write("climate.yaml", PIPELINE.format(qos=qos))
        mark = bed.start_daemon(self.pipeline)
        bed.wait_connected(mark)
        self.client_id = re.search(r"connected to \S+ as `([^`]+)`", bed.log()[mark:]).group(1)
        time.sleep(1.5)  # Paho's first second; the receiver has waited for its SUBACK too
        self.before = self.received()

    def received(self):
        entry = self.bed.status("climate")
        return entry["received"] if entry else 0

    def pids(self):
        return tree(self.bed.daemon.pid)

    def wait_done(self, messages):
        # QoS 0 may be dropped by a broker; a count that stands still is the end.
        last, since = -1, time.monotonic()
        while True:
            now = self.received() - self.before
            if now >= messages:
                return
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > 10:
                print(f"  only {now} of {messages} arrived", flush=True)
                return
            time.sleep(0.1)

    def stop(self):
        self.bed.stop_daemon()
        end_session(self.bed.port, self.client_id)


def one(kind, bed, bench, qos, messages, rate, workers):
    run = kind(bed, bench, qos, messages, workers=workers)
    try:
        pids = run.pids()
        before = [cpu_seconds([pid]) for pid in pids]
        start = time.monotonic()
        publish(bench, bed.port, qos, messages, rate)
        run.wait_done(messages)
        spent = time.monotonic() - start
        assert run.pids() == pids, "a process was restarted"
        parts = {}
        for pid, start_cpu in zip(pids, before):
            parts.setdefault(name_of(pid), 0.0)
            parts[name_of(pid)] += (cpu_seconds([pid]) - start_cpu) / messages * 1e6
        return messages / spent, parts
    finally:
        run.stop()


def median(values):
    return sorted(values)[len(values) // 2]


def compare(bed, bench, qos, messages, rate, options):
    rates = {"bare receiver": [], "runnel": []}
    costs = {"bare receiver": [], "runnel": []}
    for turn in range(options.rounds):
        for kind in (BareRun, DaemonRun) if turn % 2 == 0 else (DaemonRun, BareRun):
            speed, parts = one(kind, bed, bench, qos, messages, rate, options.workers)
            rates[kind.name].append(speed)
            costs[kind.name].append(sum(parts.values()))
            if kind is DaemonRun:
                split = "  ".join(f"{name} {cost:.2f}" for name, cost in parts.items())
    bare, ours = median(costs["bare receiver"]), median(costs["runnel"])
    print(f"{f'{rate}/s' if rate else 'flat out':>10}  {qos}  {messages:>8}"
          f"  {median(rates['bare receiver']):>9.0f} {bare:>8.2f}"
          f"  {median(rates['runnel']):>9.0f} {ours:>8.2f}  {ours / bare:>6.2f}   {split}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rates", default="20000,5000,1000")
    parser.add_argument("--qos", default="0,1")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--no-flat", action="store_true")
    options = parser.parse_args()
    daemon, bench = programs_of(options.build)
    print("                          bare receiver         runnel, whole tree")
    print("      rate QoS messages      msg/s  CPU-s/M      msg/s  CPU-s/M   ratio   CPU-s/M of each", flush=True)
    # Without Nagle's algorithm: else it is chance, from connection to connection, whether
    # the broker's messages wait 40 ms for the receiver's kernel and come in batches.
    with Bed(daemon, ["set_tcp_nodelay true"]) as bed:
        for qos in [int(text) for text in options.qos.split(",")]:
            if not options.no_flat:
                compare(bed, bench, qos, options.messages, 0, options)
            for rate in [int(text) for text in options.rates.split(",") if text]:
                compare(bed, bench, qos, rate * options.seconds, rate, options)


if __name__ == "__main__":
    main()

"""The batch bench: runnel and others over the same file. See README.md.

usage: run.py BUILD [--rows N] [--slow-rows N] [--only A,B] [--folder DIR] [--rounds N]
"""
import argparse
import csv
import math
import os
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PIPELINE = """timestamp: ts
steps:
  - window:
      tumbling: 1m
      key: device
      aggregate: { n: count(), low: min(temp), high: max(temp), mean: mean(temp), p95: quantile(temp, 0.95) }
"""
FAST = ("duckdb", "polars")
SLOW = ("pool", "joblib", "dask", "ray")
PACKAGES = {"duckdb": "duckdb", "polars": "polars", "pool": "pandas", "joblib": "pandas joblib",
            "dask": "dask[dataframe]", "ray": "ray pandas"}
SPIN = "i = 0\nwhile i < 30_000_000: i += 1"


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def tree_pss(pid):
    total = 0
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            total = next(int(line.split()[1]) for line in file if line.startswith("Pss:")) * 1024
    except (OSError, StopIteration):
        pass
    return total + sum(tree_pss(child) for child in children(pid))


class Measured:
    """A command that has ended: seconds, CPU seconds of its tree, most memory."""

    def __init__(self, command):
        begin = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.pss = 0
        over = threading.Event()

        def sample():
            while not over.wait(0.02):
                self.pss = max(self.pss, tree_pss(process.pid))

        sampler = threading.Thread(target=sample)
        sampler.start()
        self.error = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        over.set()
        sampler.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        self.ok = process.returncode == 0
        self.seconds = time.monotonic() - begin
        self.cpu = usage.ru_utime + usage.ru_stime

    def line(self, name, rows):
        return (f"{name:28} {rows / 1e6:6.1f} M rows {rows / self.seconds / 1e6:7.2f} M rows/s "
                f"{self.cpu:8.2f} CPU s {self.cpu / rows * 1e9:7.0f} ns/row {self.pss / 1e6:7.0f} MB")


def read_groups(path):
    with open(path) as file:
        return {(int(row["start"]), row["device"]): row for row in csv.DictReader(file)}


def compare(ours, theirs):
    """What differs; empty where nothing does."""
    a, b = read_groups(ours), read_groups(theirs)
    if a.keys() != b.keys():
        return f"{len(a)} groups and {len(b)}"
    for key, row in a.items():
        other = b[key]
        exact = all(float(row[name]) == float(other[name]) for name in ("n", "low", "high"))
        near = math.isclose(float(row["mean"]), float(other["mean"]), rel_tol=1e-9)
        if not exact or not near:
            return f"{key}: {row} and {other}"
        if not math.isclose(float(row["p95"]), float(other["p95"]), rel_tol=0.0101):
            return f"{key}: p95 {row['p95']} and {other['p95']}"
    return ""


def spin(programs):
    """Seconds until so many independent programs that only compute are done."""
    begin = time.monotonic()
    running = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(programs)]
    for one in running:
        one.wait()
    return time.monotonic() - begin


class Bench:
    def __init__(self, options):
        self.options = options
        self.folder = os.path.join(options.folder, "runnel-batch-bench")
        os.makedirs(self.folder, exist_ok=True)
        self.runnel = os.path.join(options.build, "daemon", "runnel")
        self.venv = os.path.join(self.folder, "venv")
        self.only = options.only.split(",") if options.only else ["runnel", *FAST, *SLOW]
        with open(self.path("p.yaml"), "w") as file:
            file.write(PIPELINE)

    def path(self, name):
        return os.path.join(self.folder, name)

    def input(self, kind, rows):
        path = self.path(f"{kind}-{rows}.csv")
        if not os.path.exists(path):
            subprocess.run([os.path.join(self.options.build, "bench/batch/bench_batch_generate"), str(rows),
                            kind, path], check=True)
        return path

    def python_of(self, peer):
        """The interpreter that has what the peer needs, or None."""
        python = os.path.join(self.venv, "bin", "python")
        if not os.path.exists(python):
            subprocess.run([sys.executable, "-m", "venv", self.venv], check=True)
        done = subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES[peer].split()],
                              capture_output=True, text=True)
        if done.returncode != 0:
            print(f"{peer}: cannot be installed: {done.stderr.strip().splitlines()[-1:]}", flush=True)
        return python if done.returncode == 0 else None

    def best(self, name, rows, command):
        """Of some rounds the one with the least CPU: others may have been disturbed."""
        rounds = [Measured(command) for _ in range(self.options.rounds)]
        failed = next((one for one in rounds if not one.ok), None)
        if failed:
            print(f"{name}: failed: {failed.error.strip()[-300:]}", flush=True)
            return
        print(min(rounds, key=lambda one: one.cpu).line(name, rows), flush=True)

    def run_runnel(self, kind, rows, label, *more):
        output = self.path(f"runnel-{kind}.csv")
        self.best(f"runnel {label}", rows, [self.runnel, "batch", self.path("p.yaml"), "-i",
                                            self.input(kind, rows), "-o", output, *more])
        return output

    def run_peer(self, peer, kind, rows):
        python = self.python_of(peer)
        output = self.path(f"{peer}-{kind}-{rows}.csv")
        if python:
            self.best(f"{peer} {kind}", rows, [python, os.path.join(HERE, "peers.py"), peer,
                                               self.input(kind, rows), output])
        return output

    def scaling(self, rows):
        """One process and two, beside a spinning program alone and twice."""
        times = []
        for workers in ("1", "2"):
            command = [self.runnel, "batch", self.path("p.yaml"), "-i", self.input("ordered", rows), "-o",
                       self.path("scaling.csv"), "--workers", workers]
            times.append(min(Measured(command).seconds for _ in range(3)))
        alone, twice = (min(spin(programs) for _ in range(3)) for programs in (1, 2))
        print(f"from 1 worker to 2: {times[0] / times[1]:.2f} times as fast; two spinning programs do "
              f"{2 * alone / twice:.2f} times the work of one", flush=True)

    def run(self):
        rows, slow = self.options.rows, min(self.options.slow_rows, self.options.rows)
        for kind in ("ordered", "shuffled"):
            with open(self.input(kind, rows), "rb") as file:
                while file.read(1 << 20):
                    pass
            ours = None
            if "runnel" in self.only:
                more = ("--memory", "256MiB") if kind == "shuffled" else ()
                ours = self.run_runnel(kind, rows, kind + (" 256MiB" if more else ""), *more)
                if kind == "shuffled":
                    self.run_runnel(kind, rows, "shuffled 64MiB")
            for peer in FAST:
                if peer not in self.only:
                    continue
                theirs = self.run_peer(peer, kind, rows)
                if peer == "duckdb" and ours and os.path.exists(theirs):
                    print(f"  {kind}: " + (compare(ours, theirs) or "all groups as DuckDB has them"), flush=True)
        for peer in SLOW:
            if peer in self.only:
                self.run_peer(peer, "ordered", slow)
        if "runnel" in self.only:
            self.scaling(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--rows", type=int, default=24_000_000)
    parser.add_argument("--slow-rows", type=int, default=6_000_000)
    parser.add_argument("--only", default="")
    parser.add_argument("--folder", default="/dev/shm")
    parser.add_argument("--rounds", type=int, default=3)
    Bench(parser.parse_args()).run()


if __name__ == "__main__":
    main()

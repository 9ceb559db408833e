"""What the tests of `runnel batch` share: a folder to work in, rows, and what must come of them."""
import collections
import csv
import io
import json
import math
import os
import shutil
import subprocess
import tempfile

WINDOW = """
source:
  mqtt: { topic: "sensors/{device}/climate" }
timestamp: ts
steps:
  - window:
      tumbling: 1m
      key: device
      aggregate: { n: count(), low: min(temp), high: max(temp), mean: mean(temp), total: sum(temp), p95: quantile(temp, 0.95) }
sink:
  mqtt: { topic: "site/{device}" }
"""
MINUTE = 60_000
BEGIN = 1_700_000_040_000


class Desk:
    """A folder, and the program run in it."""

    def __init__(self, programs):
        self.program = os.path.abspath(os.path.join(programs, "runnel"))
        self.folder = tempfile.mkdtemp(prefix="runnel-test-")
        self.write("p.yaml", WINDOW)

    def __enter__(self):
        return self

    def __exit__(self, *rest):
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return name

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def start(self, *words, **more):
        return subprocess.Popen([self.program, "batch", *words], cwd=self.folder, stderr=subprocess.PIPE,
                                **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **more})

    def run(self, *words, code=0, stdin=b"", environment=None):
        done = subprocess.run([self.program, "batch", *words], cwd=self.folder, capture_output=True,
                              input=stdin, timeout=120, env={**os.environ, **(environment or {})})
        assert done.returncode == code, (words, done.returncode, done.stderr.decode())
        done.out, done.err = done.stdout.decode(), done.stderr.decode()
        return done

    def ledger(self, *words, **more):
        counts = json.loads(self.run(*words, "--json", **more).out)
        assert counts["rows"] == sum(counts[name] for name in (
            "filtered", "absorbed", "written", "late", "dropped", "rejected")), counts
        return counts

    def left(self):
        return [name for name in os.listdir(self.folder) if ".runnel-" in name]


def rows_of(source, count, devices=20, minutes=5, quoted=False):
    rows = []
    for _ in range(count):
        device = f"dev{source.randrange(devices):03}"
        if quoted and source.random() < 0.3:
            device = source.choice(['a "quoted" one', "two\nlines", "a,comma", "umlaut ä"])
        rows.append((BEGIN + source.randrange(minutes * MINUTE), device,
                     f"{source.gauss(20, 5):.2f}", f"{source.random() * 100:.1f}"))
    return rows


def as_csv(rows, header=("ts", "device", "temp", "hum"), end="\n"):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=end)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def expected(rows):
    """An independent computation: plain lists."""
    groups = collections.defaultdict(list)
    for ts, device, temp, *_ in rows:
        groups[ts // MINUTE * MINUTE, device].append(float(temp))
    return dict(groups)


def check_results(text, rows):
    wanted = expected(rows)
    found = list(csv.DictReader(io.StringIO(text)))
    assert len(found) == len(wanted), (len(found), len(wanted))
    for row in found:
        values = sorted(wanted[int(row["start"]), row["device"]])
        assert int(row["end"]) == int(row["start"]) + MINUTE
        assert int(row["n"]) == len(values)
        assert float(row["low"]) == values[0] and float(row["high"]) == values[-1]
        assert math.isclose(float(row["total"]), math.fsum(values), rel_tol=1e-12)
        assert math.isclose(float(row["mean"]), math.fsum(values) / len(values), rel_tol=1e-12)
        exact = values[math.ceil(0.95 * len(values)) - 1]
        assert math.isclose(float(row["p95"]), exact, rel_tol=0.0101, abs_tol=1e-9), (row, exact)
    order = [(int(row["start"]), row["device"].encode()) for row in found]
    assert order == sorted(order)

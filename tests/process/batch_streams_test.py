"""`runnel batch`: inputs that are there once: fifos, `<(...)`, standard input.

batch_streams_test.py PROGRAMS [TEST]
"""
import gzip
import json
import os
import threading

import harness
from desk import Desk, as_csv, rows_of


def pour(path, data):
    """Writes all of it to a fifo, from when somebody reads it."""
    def run():
        with open(path, "wb") as file:
            file.write(data)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def same_as_files(programs):
    """Although the beginning is looked at first, nothing of it is lost."""
    source = harness.pick_seed()
    with Desk(programs) as desk:
        rows = as_csv(rows_of(source, 60_000, devices=100_000, minutes=3)).encode()
        desk.write("in.csv", rows)
        desk.write("f.yaml", "steps:\n  - filter: temp > 15\n")
        os.mkfifo(desk.path("fifo"))
        for pipeline in ("p.yaml", "f.yaml"):
            whole = desk.ledger(pipeline, "-i", "in.csv", "-o", "file.csv", "--chunk", "512KiB")
            for data in (rows, gzip.compress(rows)):
                for name in ("fifo", "/dev/stdin"):
                    writer = pour(desk.path("fifo"), data) if name == "fifo" else None
                    counts = desk.ledger(pipeline, "-i", name, "-o", "out.csv", "--chunk", "512KiB",
                                         "--input-format", "csv", stdin=data)
                    if writer is not None:
                        writer.join(20)
                    assert desk.read("out.csv") == desk.read("file.csv"), (pipeline, name)
                    assert {**counts, "seconds": 0} == {**whole, "seconds": 0}, (counts, whole)


def one_behind_the_other(programs):
    """The second one is opened when the first is read: its writer may come only then."""
    with Desk(programs) as desk:
        lines = [json.dumps({"a": i, "b": "x" * 200}) + "\n" for i in range(3000)]
        desk.write("f.yaml", "steps:\n  - filter: a >= 0\n")
        for name in ("one", "two"):
            os.mkfifo(desk.path(name))

        def write():
            for name, part in (("one", lines[:2000]), ("two", lines[2000:])):
                with open(desk.path(name), "w") as file:
                    file.writelines(part)
        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        counts = desk.ledger("f.yaml", "-i", "one", "two", "-o", "out.csv", "--chunk", "16KiB")
        thread.join(20)
        assert (counts["rows"], counts["written"]) == (3000, 3000), counts
        assert desk.read("out.csv").count(b"\n") == 3001


def there_once(programs):
    with Desk(programs) as desk:
        os.mkfifo(desk.path("fifo"))
        for words, text in (
                (["-i", "fifo", "--resume"], "error: `--resume` needs files: `fifo` is gone\n"),
                (["-i", "-", "--resume"], "error: `--resume` needs files: standard input is gone\n"),
                (["-i", "fifo", "fifo"], "error: `fifo` can be read once\n"),
                (["-i", "-", "-"], "error: standard input (`-`) can be read once\n")):
            done = desk.run("p.yaml", *words, "-o", "out.csv", code=2)
            assert done.err == text, (words, done.err)


if __name__ == "__main__":
    harness.main(same_as_files, one_behind_the_other, there_once)

"""`runnel batch`: inputs that are there once: fifos, `<(...)`, standard input.

batch_streams_test.py PROGRAMS [TEST]
"""
import fcntl
import gzip
import json
import os
import signal
import struct
import termios
import threading

import harness
from desk import Desk, as_csv, rows_of


def waiting_in(pipe):
    """Bytes that were written to it and not read yet."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]


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


def is_working(run):
    """Whether it has workers: what it gets from then on it must end by, however it waits."""
    return any(harness.name_of(pid) == "runnel-worker" for pid in harness.children(run.pid))


def stops_while_it_waits(programs):
    """For input, for somebody who writes to a fifo, and for somebody who reads the output."""
    with Desk(programs) as desk:
        desk.write("f.yaml", "steps:\n  - filter: temp > -100\n")
        desk.write("in.csv", as_csv(rows_of(harness.pick_seed(), 20_000)))
        os.mkfifo(desk.path("fifo"))
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            for words in (("f.yaml", "-i", "-"), ("p.yaml", "-i", "-"), ("p.yaml", "-i", "-", "--as-stream"),
                          ("f.yaml", "-i", "fifo"), ("p.yaml", "-i", "in.csv", "fifo")):
                reading, writing = os.pipe()
                run = desk.start(*words, "-o", "out.csv", "--input-format", "csv", stdin=reading)
                harness.wait_for(lambda: is_working(run), 20, "its workers")
                run.send_signal(number)
                err = run.communicate(timeout=20)[1]
                os.close(reading)
                os.close(writing)
                assert run.returncode == code, (words, run.returncode, err)
                assert not os.path.exists(desk.path("out.csv")) and desk.left() == [], words
            run = desk.start("f.yaml", "-i", "in.csv", "-o", "-", "--format", "csv")
            harness.wait_for(lambda: waiting_in(run.stdout) >= 60_000, 20, "a full pipe")
            run.send_signal(number)
            assert run.wait(20) == code
            assert run.communicate()[1] == b"stopped: there is no output\n"


def stops_in_the_midst(programs):
    """Whoever writes to a fifo goes on later, or never."""
    with Desk(programs) as desk:
        os.mkfifo(desk.path("fifo"))
        for more in ((), ("--as-stream",)):
            run = desk.start("p.yaml", "-i", "fifo", "-o", "out.csv", "--chunk", "4096", *more)
            with open(desk.path("fifo"), "wb", buffering=0) as fifo:
                fifo.write(as_csv(rows_of(harness.pick_seed(), 5_000)).encode())
                harness.wait_for(lambda: os.path.exists(desk.path("out.csv.runnel-part")), 20, "its output")
                harness.wait_for(lambda: waiting_in(fifo) == 0, 20, "an empty fifo")
                run.send_signal(signal.SIGTERM)
                err = run.communicate(timeout=20)[1]
            assert (run.returncode, err) == (143, b"stopped: there is no output\n"), (run.returncode, err)
            assert not os.path.exists(desk.path("out.csv")) and desk.left() == []


if __name__ == "__main__":
    harness.main(same_as_files, one_behind_the_other, there_once, stops_while_it_waits, stops_in_the_midst)

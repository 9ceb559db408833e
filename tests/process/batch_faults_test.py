"""`runnel batch`: what goes wrong: rows, archives, workers, all of it; nothing is lost or counted twice.

batch_faults_test.py PROGRAMS [TEST]
"""
import csv
import fcntl
import gzip
import io
import json
import os
import signal
import struct
import subprocess
import tempfile

import harness
from desk import BEGIN, MINUTE, WINDOW, Desk, as_csv, rows_of


def broken_archives(programs):
    with Desk(programs) as desk:
        desk.write("cut.csv.gz", gzip.compress(as_csv([(BEGIN, "a", "1", "2")] * 5000).encode())[:-20])
        done = desk.run("p.yaml", "-i", "cut.csv.gz", "-o", "out.csv", code=1)
        assert done.err == "error: `cut.csv.gz` breaks off: the gzip archive is not whole\n", done.err
        assert not os.path.exists(desk.path("out.csv")) and desk.left() == []


def archives_with_more_in_them(programs):
    """Zero bytes behind gzip, as tapes and disks leave them; a frame of zstd to be passed over in front."""
    with Desk(programs) as desk:
        desk.write("f.yaml", "steps:\n  - filter: a >= 0\n")
        text = "".join(json.dumps({"a": i}) + "\n" for i in range(1000)).encode()
        packed = gzip.compress(text)
        for zeros in (1, 7, 600_000):
            desk.write("in.ndjson.gz", packed + b"\0" * zeros)
            assert desk.ledger("f.yaml", "-i", "in.ndjson.gz", "-o", "out.ndjson")["rows"] == 1000, zeros
            desk.write("in.ndjson.gz", packed + b"\0" * zeros + packed)
            assert desk.ledger("f.yaml", "-i", "in.ndjson.gz", "-o", "out.ndjson")["rows"] == 2000, zeros
        desk.write("in.ndjson.gz", packed + b"\0more")
        done = desk.run("f.yaml", "-i", "in.ndjson.gz", "-o", "never.ndjson", code=1)
        assert done.err == "error: `in.ndjson.gz` is damaged: incorrect header check\n", done.err
        frame = subprocess.run(["zstd", "-q", "-c"], input=text, capture_output=True, check=True).stdout
        for low in (0x50, 0x5f):
            passed_over = bytes([low]) + b"\x2a\x4d\x18" + struct.pack("<I", 5) + b"hello"
            desk.write("in.ndjson.zst", passed_over + frame + passed_over + frame)
            assert desk.ledger("f.yaml", "-i", "in.ndjson.zst", "-o", "out.ndjson")["rows"] == 2000, low


def rejects(programs):
    with Desk(programs) as desk:
        good = [(BEGIN + i, "a", "1.5", "2") for i in range(100)]
        bad = f'nonsense\n{BEGIN},"a\nb",x,1\n{BEGIN},c,1,2,3\n'
        desk.write("in.csv", as_csv(good[:50]) + bad + as_csv(good[50:]).split("\n", 1)[1] + "when,a,1,2\n")
        counts = desk.ledger("p.yaml", "-i", "in.csv", "-o", "out.csv", "--chunk", "4096")
        assert (counts["rejected"], counts["absorbed"]) == (4, 100), counts
        # Behind a partition, and in order, a row has its place too.
        desk.write("first.yaml", WINDOW.replace("n: count()", "f: first(temp), n: count()"))
        for out, *more in (("part.csv",), ("order.csv", "--as-stream")):
            desk.run("first.yaml", "-i", "in.csv", "-o", out, "--chunk", "4096", *more)
        for name in ("out", "part", "order"):
            found = list(csv.DictReader(io.StringIO(desk.read(name + ".csv.rejects.csv").decode(), newline="")))
            assert sorted((row["input"], int(row["line"]), row["reason"]) for row in found) == [
                ("in.csv", 52, "csv_too_few_fields"), ("in.csv", 53, "not_a_number"), ("in.csv", 55,
                 "csv_too_many_fields"), ("in.csv", 106, "timestamp_not_rfc3339")], (name, found)
            bad = next((row["step"], row["row"]) for row in found if row["reason"] == "not_a_number")
            assert name == "part" or bad == ("steps[0].window", f'{BEGIN},"a\nb",x,1'), bad
        done = desk.run("p.yaml", "-i", "in.csv", "-o", "never.csv", "--max-errors", "3", code=1)
        assert done.err == ("error: 4 rows could not be used, more than --max-errors 3\n"
                            "  the first: in.csv:52: csv_too_few_fields (decode)\n"), done.err
        assert not os.path.exists(desk.path("never.csv")) and desk.left() == []
        desk.run("p.yaml", "-i", "in.csv", "-o", "o.csv", "--max-errors", "4", "--rejects", "bad.csv")
        assert desk.read("bad.csv") == desk.read("out.csv.rejects.csv")


def nothing_but_rejects(programs):
    """A file of another kind than somebody thought is no success."""
    with Desk(programs) as desk:
        desk.write("in.csv", as_csv([("then", "a", "1", "2")] * 3))
        done = desk.run("p.yaml", "-i", "in.csv", "-o", "out.csv", code=1)
        assert "rejected 3" in done.err and done.err.endswith("error: every row was rejected\n"), done.err
        assert desk.read("out.csv.rejects.csv").count(b"\n") == 4
        assert not os.path.exists(desk.path("out.csv")) and desk.left() == []
        # A good output of before stays, also where a run is to be gone on with.
        for more in ((), ("--resume",)):
            desk.write("out.csv", "good\n")
            desk.run("p.yaml", "-i", "in.csv", "-o", "out.csv", *more, code=1)
            assert desk.read("out.csv") == b"good\n" and desk.left() == []
            assert desk.read("out.csv.rejects.csv").count(b"\n") == 4


def files_without_rows(programs):
    """Among others, for any number of workers."""
    with Desk(programs) as desk:
        for i, text in enumerate(("", "\n\r\n", "\ufeff", "\ufeff\n", "ts,device,temp,hum\n")):
            desk.write(f"d/{2 * i}.csv", text)
            desk.write(f"d/{2 * i + 1}.csv", as_csv([(BEGIN + i, "a", "1", "2")]))
        desk.write("f.yaml", "steps:\n  - filter: temp > 0\n")
        desk.write("first.yaml", WINDOW.replace("n: count()", "f: first(temp), n: count()"))
        for pipeline, *more in (("p.yaml",), ("f.yaml",), ("first.yaml",), ("p.yaml", "--as-stream")):
            for workers in ("1", "2", "3"):
                counts = desk.ledger(pipeline, "-i", "d", "-o", "out.csv", "--workers", workers, *more)
                assert (counts["rows"], counts["rejected"]) == (5, 0), (pipeline, workers, counts)


def rejected_results(programs):
    """A result that a later step refuses is of no row."""
    with Desk(programs) as desk:
        desk.write("in.csv", as_csv([(BEGIN + i * MINUTE, "a", "1", "2") for i in range(3)]))
        desk.write("z.yaml", WINDOW.replace("sink:", "  - set: { x: 1 / (n - n) }\nsink:"))
        for more in ((), ("--as-stream",)):
            counts = desk.ledger("z.yaml", "-i", "in.csv", "-o", "out.csv", *more, code=1)
            assert (counts["results_rejected"], counts["results_written"]) == (3, 0), counts
            found = list(csv.DictReader(io.StringIO(desk.read("out.csv.rejects.csv").decode(), newline="")))
            assert [(row["input"], row["line"], row["step"], row["reason"]) for row in found] == 3 * [
                ("", "", "steps[1].set", "divide_by_zero")], found
            assert [str(BEGIN + i * MINUTE) in found[i]["row"] for i in range(3)] == 3 * [True], found
            assert not any(row["row"].endswith("\n") for row in found)
        done = desk.run("z.yaml", "-i", "in.csv", "-o", "out.csv", code=1)
        assert "the first that was rejected: a result: divide_by_zero (steps[1].set)\n" in done.err, done.err


def make_ways(desk, source):
    """For each way that a run can go a pipeline and its words."""
    few, many = rows_of(source, 100_000), rows_of(source, 150_000, devices=100_000, minutes=3)
    desk.write("few.csv", as_csv(few))
    desk.write("many.csv", as_csv(many))
    desk.write("first.yaml", WINDOW.replace("n: count()", "f: first(temp), n: count()"))
    desk.write("f.yaml", "steps:\n  - filter: temp > 15\n")
    return {"groups": ("p.yaml", "-i", "few.csv", "--chunk", "64KiB"),
            "spread": ("p.yaml", "-i", "many.csv", "--chunk", "512KiB", "--memory", "32MiB"),
            "partitions": ("first.yaml", "-i", "few.csv", "--chunk", "64KiB"),
            "rows": ("f.yaml", "-i", "few.csv", "--chunk", "16KiB")}


def kills(programs):
    """kill -9 of workers while they work: the same bytes."""
    source = harness.pick_seed()
    with Desk(programs) as desk:
        for way, words in make_ways(desk, source).items():
            whole = desk.ledger(*words, "-o", "good.csv")
            assert whole["spread"] == (way == "spread"), (way, whole)
            killed = 0
            for _ in range(4):
                run = desk.start(*words, "-o", "out.csv", "--json")
                left = 3
                while run.poll() is None:
                    workers = [pid for pid in harness.children(run.pid) if harness.name_of(pid) == "runnel-worker"]
                    if left > 0 and workers and source.random() < 0.02:
                        try:
                            os.kill(source.choice(workers), signal.SIGKILL)
                            left -= 1
                            killed += 1
                        except ProcessLookupError:
                            pass  # it has ended by itself
                out, err = run.communicate(timeout=60)
                assert run.returncode == 0, (way, err)
                assert desk.read("out.csv") == desk.read("good.csv"), way
                assert json.loads(out)["rejected"] == 0, (way, out)
            assert killed > 0, way


def resumes(programs):
    """kill -9 of all of it: what was done stays done, and the bytes are the same."""
    source = harness.pick_seed()
    with Desk(programs) as desk:
        rows = rows_of(source, 200_000)
        desk.write("in.csv", as_csv(rows[:120_000]))
        desk.write("in2.csv.gz", gzip.compress(as_csv(rows[120_000:]).encode()))
        desk.write("f.yaml", "steps:\n  - filter: temp > 15\n")
        words = ("-i", "in.csv", "in2.csv.gz", "--chunk", "16KiB", "--workers", "2")
        desk.write("many.csv", as_csv(rows_of(source, 150_000, devices=100_000, minutes=3)))
        many = ("-i", "many.csv", "--chunk", "512KiB", "--memory", "32MiB")
        for pipeline, *words in (("p.yaml", *many), ("p.yaml", *words), ("f.yaml", *words)):
            whole = desk.ledger(pipeline, *words, "-o", "good.csv")
            assert whole["spread"] == ("many.csv" in words), whole
            resumed = 0
            for _ in range(4):
                run = desk.start(pipeline, *words, "-o", "out.csv")
                size = source.randrange(1, 3000)
                manifest = desk.path("out.csv.runnel-manifest")
                while run.poll() is None:
                    if os.path.exists(manifest) and os.path.getsize(manifest) > size:
                        run.kill()
                        break
                run.communicate(timeout=60)
                counts = desk.ledger(pipeline, *words, "-o", "out.csv", "--resume")
                resumed += counts["resumed"]
                assert (counts["rows"], counts["spread"]) == (whole["rows"], whole["spread"])
                assert desk.read("out.csv") == desk.read("good.csv")
                assert desk.left() == []
            assert resumed > 0, (pipeline, words)
        # Another input is another run.
        run = desk.start("p.yaml", *words, "-o", "out.csv")
        while run.poll() is None and not os.path.exists(desk.path("out.csv.runnel-manifest")):
            pass
        run.kill()
        run.communicate(timeout=60)
        if os.path.exists(desk.path("out.csv.runnel-manifest")):
            desk.write("in.csv", as_csv(rows[:1000]))
            done = desk.run("p.yaml", *words, "-o", "out.csv", "--resume", code=1)
            assert done.err == ("error: the run that was cut short cannot be gone on with: `in.csv` has changed\n"
                                "  hint: without `--resume` it begins anew\n"), done.err


def another_header_is_another_run(programs):
    with Desk(programs) as desk:
        desk.write("in.csv", as_csv([(BEGIN, "a", "1", "2")] * 400_000))
        words = ("f.yaml", "-i", "in.csv", "-o", "out.csv", "--chunk", "4096")
        desk.write("f.yaml", "encode: { csv: { header: true } }\nsteps:\n  - filter: temp > 0\n")
        run = desk.start(*words)
        harness.wait_for(lambda: os.path.exists(desk.path("out.csv.runnel-manifest")), 20, "its manifest")
        run.kill()
        run.communicate(timeout=60)
        desk.write("f.yaml", desk.read("f.yaml").replace(b"true", b"false"))
        done = desk.run(*words, "--resume", code=1)
        assert done.err == ("error: the run that was cut short cannot be gone on with: the pipeline or the formats are "
                            "others\n  hint: without `--resume` it begins anew\n"), done.err
        desk.run(*words)
        assert desk.read("out.csv").startswith(str(BEGIN).encode()) and desk.left() == []


def a_report_that_cannot_be_written(programs):
    with Desk(programs) as desk, open("/dev/full", "wb") as full:
        desk.write("in.csv", as_csv([(BEGIN, "a", "1", "2")]))
        for rows, more in (("1", ""), ("then", "error: every row was rejected\n")):
            desk.write("in.csv", as_csv([(BEGIN if rows == "1" else rows, "a", "1", "2")]))
            run = desk.start("p.yaml", "-i", "in.csv", "-o", "out.csv", "--json", stdout=full)
            err = run.communicate(timeout=60)[1].decode()
            assert run.returncode == 1, err
            more = more or "  hint: that alone is missing, the output is whole\n"
            assert err == f"error: writing the report: No space left on device\n{more}", err
            assert desk.read("out.csv").count(b"\n") == 2 and desk.left() == []


def files_that_are_there_twice(programs):
    """They count twice, as they were asked for; but somebody may not have meant it."""
    with Desk(programs) as desk:
        for name in ("d/a.csv", "d/b.csv"):
            desk.write(name, as_csv([(BEGIN, "a", "1", "2")]))
        os.symlink("d/a.csv", desk.path("link.csv"))
        for words, text, rows in ((["d"], "", 2), (["d/a.csv", "d/../d/a.csv"], "`d/../d/a.csv` is an input twice: its", 2),
                                  (["d", "link.csv"], "`link.csv` is an input twice: its", 3),
                                  (["d", "d"], "`d/a.csv` is an input twice, and 1 more: their", 4)):
            done = desk.run("p.yaml", "-i", *words, "-o", "out.csv", "--json")
            assert done.err == (text and f"warning: {text} rows count twice\n"), done.err
            assert json.loads(done.out)["rows"] == rows, done.out


def interrupts(programs):
    with Desk(programs) as desk:
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            desk.write("in.csv", as_csv([(BEGIN, "a", "1", "2")] * 400_000))
            run = desk.start("p.yaml", "-i", "in.csv", "-o", "out2.csv", "--chunk", "4096")
            harness.wait_for(lambda: os.path.exists(desk.path("out2.csv.runnel-part")), 20, "its output")
            run.send_signal(number)
            out, err = run.communicate(timeout=60)
            assert run.returncode == code, (run.returncode, err)
            assert not os.path.exists(desk.path("out2.csv")) and desk.left() == []


def groups_without_room(programs):
    """Sketches that grow past what a worker has for groups: no result is better than a wrong one."""
    with Desk(programs) as desk:
        many = ", ".join(f"q{i}: quantile(v, 0.{i + 100})" for i in range(400))
        desk.write("many.yaml", "timestamp: { field: ts, unit: s }\nsteps:\n  - window: { tumbling: 1h, key: device, "
                                f"aggregate: {{ n: count(), {many} }} }}\n")
        desk.write("out.ndjson", "of before\n")
        desk.write("in.ndjson", "".join(
            json.dumps({"ts": 1_700_000_000 + i, "device": f"d{i % 64}",
                        "v": 10.0 ** ((i * 7_919 % 1_600) / 100 - 8)}) + "\n" for i in range(64 * 30)))
        done = desk.run("many.yaml", "-i", "in.ndjson", "-o", "out.ndjson", code=1)
        assert "rows found no room for their state\n  hint: give more `--memory`" in done.err, done.err
        assert desk.read("out.ndjson") == b"of before\n" and desk.left() == [], desk.left()


def deadly_rows(programs):
    """A row that kills its worker, or holds it for ever, is rejected; all others count."""
    source = harness.pick_seed()
    with Desk(programs) as desk:
        if b"RUNNEL_TEST_POISON" not in open(desk.program, "rb").read():
            print("a build without test hooks: left out")
            return
        ways = make_ways(desk, source)
        for poison, which in (("DEADLY", ways), ("HANG:DEADLY", ("groups", "partitions"))):
            for way in which:
                words = ways[way]
                good = desk.read(words[2]).decode().split("\n")
                whole = desk.ledger(*words, "-o", "wanted.csv")
                desk.write("bad.csv", "\n".join(good[:1235] + [f"{BEGIN},DEADLY,20,2"] + good[1235:]))
                counts = desk.ledger(*words[:2], "bad.csv", *words[3:], "-o", "out.csv", "--row-timeout", "1s",
                                     environment={"RUNNEL_TEST_POISON": poison})
                assert counts["rejected"] == 1, (way, counts)
                # Twice, and twice before where the first chunk is looked at to plan the run.
                assert counts["worker_restarts"] in (2, 4), (way, counts)
                assert counts["rows"] == whole["rows"] + 1, (way, counts)
                found = list(csv.DictReader(io.StringIO(desk.read("out.csv.rejects.csv").decode())))
                assert [(row["line"], row["reason"]) for row in found] == [("1236", "poison")], (way, found)
                assert desk.read("out.csv") == desk.read("wanted.csv"), way


def left_overs_are_no_input(programs):
    """What a killed run has left in the folder of the inputs; it would be read and written without end."""
    with Desk(programs) as desk:
        desk.write("f.yaml", "steps:\n  - filter: a >= 0\n")
        desk.write("d/in.ndjson", "".join(json.dumps({"a": i}) + "\n" for i in range(100)))
        parts = [f"d/z.ndjson.runnel-{end}" for end in ("part", "rejects", "spool", "manifest", "lock")]
        for words in (("-i", "d"), ("-i", "d/*")):
            for part in parts:
                desk.write(part, '{"a":7}\n')
            assert desk.ledger("f.yaml", *words, "-o", "d/z.ndjson")["rows"] == 100
            assert sorted(os.listdir(desk.path("d"))) == ["in.ndjson", "z.ndjson"]
            os.unlink(desk.path("d/z.ndjson"))
        desk.write("e/x.csv.runnel-part", "")
        for word, text in (("e", "there is no file in the folder `e`"), ("e/*", "there is no file `e/*`")):
            assert desk.run("f.yaml", "-i", word, "-o", "o.csv", code=2).err == f"error: {text}\n"
        for part in parts:
            desk.write(part, '{"a":7}\n')
            done = desk.run("f.yaml", "-i", "d/in.ndjson", part, "-o", "./d/z.ndjson", "--input-format", "ndjson", code=2)
            assert done.err == (f"error: `{part}` is an input, and the run to `./d/z.ndjson` would write to it\n"
                                "  hint: it is what a run that was killed has left; `--resume` goes on with that\n"), done.err
            # That of another output is as good as any file that is named.
            assert desk.ledger("f.yaml", "-i", part, "-o", "o.csv", "--input-format", "ndjson")["rows"] == 1


def rejects_elsewhere(programs):
    """On another file system than the output, and never two runs to the same."""
    with Desk(programs) as desk, tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if os.stat(other).st_dev == os.stat(desk.folder).st_dev:
            print("one file system: left out")
            return
        desk.write("in.csv", as_csv([(BEGIN, "a", "1", "2"), ("then", "a", "1", "2")]))
        bad = os.path.join(other, "bad.csv")
        desk.run("p.yaml", "-i", "in.csv", "-o", "out.csv", "--rejects", bad)
        assert desk.read("out.csv").count(b"\n") == 2 and desk.left() == []
        assert os.listdir(other) == ["bad.csv"] and desk.read(bad).count(b"\n") == 2
        # No rejects: the file of before goes, and what a killed run has left.
        desk.write("in.csv", as_csv([(BEGIN, "a", "1", "2")]))
        for more in (("--rejects", bad), ()):
            for part in (bad, "out.csv"):
                desk.write(part + ".runnel-rejects", "input,line,step,reason,row\n")
            desk.run("p.yaml", "-i", "in.csv", "-o", "out.csv", *more)
            assert desk.left() == [] and os.listdir(other) == ([] if more else ["bad.csv.runnel-rejects"])
        with open(desk.path("bad.csv.runnel-lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = desk.run("p.yaml", "-i", "in.csv", "-o", "other.csv", "--rejects", "bad.csv", code=1)
            assert done.err == "error: another run writes `bad.csv`\n", done.err
        assert desk.left() == ["bad.csv.runnel-lock"] and not os.path.exists(desk.path("other.csv"))


if __name__ == "__main__":
    harness.main(broken_archives, archives_with_more_in_them, rejects, nothing_but_rejects, files_without_rows, rejected_results, left_overs_are_no_input,
                 rejects_elsewhere, kills, resumes, another_header_is_another_run, a_report_that_cannot_be_written, files_that_are_there_twice,
                 groups_without_room, interrupts, deadly_rows)

"""`runnel batch`: the same bytes whatever the workers, chunks, memory and formats.

batch_test.py PROGRAMS [TEST]
"""
import collections
import csv
import datetime
import glob
import gzip
import io
import json
import math
import os
import subprocess

import harness
from desk import BEGIN, MINUTE, WINDOW, Desk, as_csv, check_results, expected, rows_of


def same_for_any_workers(programs):
    source = harness.pick_seed()
    with Desk(programs) as desk:
        rows = rows_of(source, 40_000, quoted=True)
        desk.write("in.csv", as_csv(rows))
        outputs = set()
        for workers in (1, 2, 3, 7):
            counts = desk.ledger("p.yaml", "-i", "in.csv", "-o", "out.csv", "--workers", str(workers),
                                 "--chunk", "64KiB")
            assert counts["absorbed"] == len(rows), counts
            outputs.add(desk.read("out.csv"))
        assert len(outputs) == 1
        check_results(outputs.pop().decode(), rows)
        assert desk.left() == []


def same_for_any_chunks(programs):
    source = harness.pick_seed()
    with Desk(programs) as desk:
        rows = rows_of(source, 15_000, quoted=True)
        desk.write("in.csv", as_csv(rows))
        for _ in range(20):
            desk.run("p.yaml", "-i", "in.csv", "-o", "out.csv", "--chunk",
                     str(source.randrange(4096, 300_000)))
            check_results(desk.read("out.csv").decode(), rows)


def shapes_of_files(programs):
    source = harness.pick_seed()
    with Desk(programs) as desk:
        rows = rows_of(source, 3_000, quoted=True)
        plain = as_csv(rows)
        for text in (plain, "\ufeff" + plain, as_csv(rows, end="\r\n"), plain.rstrip("\n"),
                     "\n\n" + plain + "\n\n"):
            desk.write("in.csv", text)
            desk.run("p.yaml", "-i", "in.csv", "-o", "out.csv", "--chunk", "4096")
            check_results(desk.read("out.csv").decode(), rows)
        for text in ("", "ts,device,temp\n", "\n"):
            desk.write("in.csv", text)
            assert desk.ledger("p.yaml", "-i", "in.csv", "-o", "out.csv")["rows"] == 0
            assert desk.read("out.csv") == b"device,start,end,n,low,high,mean,total,p95\n"
        # Columns in another order, and text for the time.
        other = [(device, temp, datetime.datetime.fromtimestamp(ts / 1000, datetime.timezone.utc)
                  .strftime("%Y-%m-%d %H:%M:%S")) for ts, device, temp, _ in rows]
        desk.write("in.csv", plain)
        desk.write("b.csv", as_csv(other, ("device", "temp", "ts")))
        desk.run("p.yaml", "-i", "in.csv", "b.csv", "-o", "out.csv")
        check_results(desk.read("out.csv").decode(),
                      rows + [(ts // 1000 * 1000, *rest) for ts, *rest in rows])


def inputs(programs):
    source = harness.pick_seed()
    with Desk(programs) as desk:
        rows = rows_of(source, 9_000)
        parts = [as_csv(rows[i::3]) for i in range(3)]
        desk.write("d/1.csv", parts[0])
        desk.write("d/2.csv.gz", gzip.compress(parts[1].encode()[:1000]) +
                   gzip.compress(parts[1].encode()[1000:]))
        desk.write("d/3.csv", parts[2])
        desk.write("d/.hidden", "no")
        subprocess.run(["zstd", "-q", "--rm", desk.path("d/3.csv")], check=True)
        desk.run("p.yaml", "-i", "d", "-o", "out.csv", "--chunk", "8192")
        whole = desk.read("out.csv")
        check_results(whole.decode(), rows)
        desk.run("p.yaml", "-i", "d/*.csv*", "-o", "glob.csv", "--chunk", "8192")
        assert desk.read("glob.csv") == whole
        desk.write("all.csv", as_csv(rows))
        done = desk.run("p.yaml", "-i", "-", "-o", "-", "--input-format", "csv", "--format", "ndjson",
                        stdin=desk.read("all.csv"))
        lines = [json.loads(line) for line in done.out.splitlines()]
        assert sum(line["n"] for line in lines) == len(rows)
        # As messages on the device are.
        objects = [{"ts": ts, "device": device, "temp": float(temp)} for ts, device, temp, _ in rows]
        desk.write("all.ndjson", "\n".join(map(json.dumps, objects)))
        desk.run("p.yaml", "-i", "all.ndjson", "-o", "json.csv")
        check_results(desk.read("json.csv").decode(), rows)


def standard_input(programs):
    """What a pipe gives is the same as a file, although its beginning is looked at first."""
    source = harness.pick_seed()
    with Desk(programs) as desk:
        rows = as_csv(rows_of(source, 60_000, devices=100_000, minutes=3)).encode()
        desk.write("in.csv", rows)
        desk.write("f.yaml", "steps:\n  - filter: temp > 15\n")
        for pipeline, spread in (("p.yaml", 1), ("f.yaml", 0)):
            for text in (rows, b"ts,device,temp,hum\n"):
                desk.write("in.csv", text)
                whole = desk.ledger(pipeline, "-i", "in.csv", "-o", "file.csv", "--chunk", "512KiB")
                for piped in (text, gzip.compress(text)):
                    counts = desk.ledger(pipeline, "-i", "-", "-o", "out.csv", "--chunk", "512KiB",
                                         "--input-format", "csv", stdin=piped)
                    assert desk.read("out.csv") == desk.read("file.csv"), pipeline
                    assert {**counts, "seconds": 0} == {**whole, "seconds": 0}, (counts, whole)
                assert counts["spread"] == (spread if text == rows else 0), counts


def stateless_rows_keep_their_order(programs):
    source = harness.pick_seed()
    with Desk(programs) as desk:
        rows = rows_of(source, 20_000)
        desk.write("in.csv", as_csv(rows))
        desk.write("f.yaml", "steps:\n  - filter: temp > 20\n  - set: { warm: temp * 2.0 }\n")
        for workers in ("1", "3"):
            counts = desk.ledger("f.yaml", "-i", "in.csv", "-o", "out.csv", "--workers", workers,
                                 "--chunk", "16KiB")
            kept = [row for row in rows if float(row[2]) > 20]
            assert counts["written"] == len(kept) and counts["filtered"] == len(rows) - len(kept)
            found = list(csv.DictReader(io.StringIO(desk.read("out.csv").decode())))
            assert [(int(row["ts"]), row["device"]) for row in found] == [row[:2] for row in kept]
            assert all(float(row["warm"]) == 2 * float(row["temp"]) for row in found)


def order_matters(programs):
    source = harness.pick_seed()
    with Desk(programs) as desk:
        rows = rows_of(source, 20_000)
        desk.write("in.csv", as_csv(rows))
        desk.write("d.yaml", "timestamp: ts\nsteps:\n  - window: { session: 5s, key: device, aggregate: { n: count(),"
                   " first: first(temp), last: last(temp) } }\n")
        outputs = set()
        for workers in ("1", "2", "3"):
            counts = desk.ledger("d.yaml", "-i", "in.csv", "-o", "out.csv", "--workers", workers,
                                 "--chunk", "32KiB")
            outputs.add(desk.read("out.csv"))
        assert len(outputs) == 1 and counts["absorbed"] == len(rows)
        found = list(csv.DictReader(io.StringIO(outputs.pop().decode())))
        sessions = []
        by_device = collections.defaultdict(list)
        for ts, device, temp, _ in rows:
            by_device[device].append((ts, temp))
        for device, readings in by_device.items():
            readings.sort(key=lambda reading: reading[0])
            times = [ts for ts, _ in readings]
            begin = 0
            for i in range(1, len(times) + 1):
                if i == len(times) or times[i] - times[i - 1] >= 5000:
                    sessions.append((times[begin], device, i - begin))
                    begin = i
        assert sorted(sessions) == [(int(row["start"]), row["device"], int(row["n"])) for row in found]
        # Many windows of a key, in any order; all are whole.
        desk.write("f.yaml", "timestamp: ts\nsteps:\n  - window: { tumbling: 1s, offset: 300ms, key: device, aggregate: {"
                   " n: count(), f: first(temp) } }\n")
        desk.ledger("f.yaml", "-i", "in.csv", "-o", "out.csv", "--chunk", "32KiB")
        windows = collections.defaultdict(list)
        for ts, device, temp, _ in rows:
            windows[(ts - 300) // 1000 * 1000 + 300, device].append((ts, float(temp)))
        found = {(int(row["start"]), row["device"]): row for row in csv.DictReader(io.StringIO(desk.read("out.csv").decode()))}
        assert {key: int(row["n"]) for key, row in found.items()} == {key: len(w) for key, w in windows.items()}
        assert set(next(iter(found.values()))) == {"device", "start", "end", "n", "f"}, next(iter(found.values()))
        for key, window in windows.items():
            first = min(ts for ts, _ in window)
            assert float(found[key]["f"]) in [temp for ts, temp in window if ts == first], (key, window)


def very_many_windows_of_a_key(programs):
    """In any order they are what they are in order of time."""
    source = harness.pick_seed()
    with Desk(programs) as desk:
        at, rows = BEGIN, []
        for i in range(60_000):
            at += source.choice((20_000, 30_000, 40_000, 60_000))
            rows.append((at, "d", i))
        desk.write("in.csv", as_csv(rows, ("ts", "device", "temp")))
        source.shuffle(rows)
        desk.write("shuffled.csv", as_csv(rows, ("ts", "device", "temp")))
        for window in ("session: 40s", "tumbling: 1m", "hopping: { size: 3m, every: 1m }"):
            desk.write("d.yaml", f"timestamp: ts\nsteps:\n  - window: {{ {window}, key: device, aggregate: {{ n: count(),"
                       " f: first(temp), l: last(temp) } }\n")
            outputs = []
            for name in ("in.csv", "shuffled.csv"):
                assert desk.ledger("d.yaml", "-i", name, "-o", "out.csv")["absorbed"] == len(rows)
                outputs.append(desk.read("out.csv"))
            assert outputs[0] == outputs[1] and outputs[0].count(b"\n") > 20_000, window


def rows_that_pass_keyed_steps(programs):
    """They keep columns that the pipeline does not name."""
    with Desk(programs) as desk:
        desk.write("in.csv", as_csv([(BEGIN + i, f"d{i % 3}", i // 2, "note") for i in range(60)]))
        for steps, more in (("dedupe: { id: [device, temp], key: device, ttl: 1h }", ()),
                            ("filter: temp >= 0", ("--as-stream",)), ("filter: temp >= 0", ())):
            desk.write("d.yaml", f"timestamp: ts\nsteps:\n  - {steps}\n")
            counts = desk.ledger("d.yaml", "-i", "in.csv", "-o", "out.csv", *more)
            assert (counts["written"], counts["rejected"]) == (60, 0), (steps, counts)
            found = list(csv.DictReader(io.StringIO(desk.read("out.csv").decode())))
            assert [row["hum"] for row in found] == ["note"] * 60, found[:3]


def spread_windows_keep_their_offset(programs):
    with Desk(programs) as desk:
        rows = [(BEGIN + i * 7, f"dev{i:05}", 1, 2) for i in range(12_000)]
        desk.write("of.yaml", "timestamp: ts\nsteps:\n  - window: { tumbling: 1h, offset: 30m, key: device, aggregate: { n: count() } }\n")
        desk.write("in.csv", as_csv(rows))
        assert desk.ledger("of.yaml", "-i", "in.csv", "-o", "out.csv")["spread"] == 1
        found = list(csv.DictReader(io.StringIO(desk.read("out.csv").decode())))
        half, hour = 30 * MINUTE, 60 * MINUTE
        assert {row["device"]: int(row["start"]) for row in found} == {
            device: (ts - half) // hour * hour + half for ts, device, *_ in rows}


def steps_in_order(programs):
    """What one worker does: windows of windows, silence, lists; with the memory that it may have."""
    source = harness.pick_seed()
    with Desk(programs) as desk:
        rows = rows_of(source, 20_000)
        desk.write("in.csv", as_csv(sorted(rows)))
        desk.write("twice.yaml", WINDOW.split("  - window")[0] + """  - window: { tumbling: 1m, key: device, aggregate: { n: count(), top: max(temp) } }
  - window: { tumbling: 1m, aggregate: { devices: count(), n: sum(n), top: max(top) } }
""")
        counts = desk.ledger("twice.yaml", "-i", "in.csv", "-o", "out.csv", "--chunk", "32KiB")
        assert counts["absorbed"] == len(rows) and counts["worker_restarts"] == 0, counts
        found = [row for row in csv.DictReader(io.StringIO(desk.read("out.csv").decode())) if row["devices"]]
        wanted = collections.defaultdict(list)
        for (start, _), values in expected(rows).items():
            wanted[start].append(values)
        assert [(int(row["start"]), int(row["devices"]), int(row["n"]), float(row["top"])) for row in found] == [
            (start, len(groups), sum(map(len, groups)), max(map(max, groups)))
            for start, groups in sorted(wanted.items())], found
        for steps in ("absent: { key: device, after: 10s }", "unnest: { field: temp }"):
            desk.write("one.yaml", WINDOW.split("  - window")[0] + f"  - {steps}\nsink: {{ mqtt: {{ topic: out }} }}\n")
            assert "in order, by one worker" in subprocess.run(
                [desk.program, "explain", "--batch", "one.yaml"], cwd=desk.folder, capture_output=True, text=True,
                timeout=30).stdout
            # A number is no list: every row is rejected.
            counts = desk.ledger("one.yaml", "-i", "in.csv", "-o", "out.csv", code=1 if "unnest" in steps else 0)
            assert counts["rows"] == len(rows) and counts["worker_restarts"] == 0, counts


def examples(programs):
    """Those that examples/README.md says run over a file as they are."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples")
    with Desk(programs) as desk:
        names = ("store", "probe", "host", "sensor", "tank", "device", "room", "ts", "temp", "status", "value",
                 "level", "humidity", "battery")
        desk.write("in.csv", as_csv([["a"] * 7 + [BEGIN + i * 1000, 9, "ok", 1, i, 40, 90] for i in range(600)],
                                    names))
        for name in sorted(os.listdir(folder)):
            if not name.endswith(".yaml"):
                continue
            path = os.path.join(folder, name)
            with open(path) as file:
                needs_time = "\ntimestamp:" not in (text := file.read()) and "  - window:" in text
            if needs_time:
                assert "needs `timestamp:` here" in desk.run(path, "-i", "in.csv", "-o", "out.csv", code=2).err
                continue
            counts = desk.ledger(path, "-i", "in.csv", "-o", "out.csv")
            assert counts["rejected"] + counts["results_rejected"] == 0 and counts["worker_restarts"] == 0, (name, counts)
            if name == "metered-link.yaml":  # its own columns, and no others
                assert desk.read("out.csv").startswith(b"tank,end,level,low,high\n"), desk.read("out.csv")[:100]
                assert counts["results_written"] > 0, counts


def as_stream(programs):
    with Desk(programs) as desk:
        times = [(BEGIN, 1), (BEGIN + 2 * MINUTE, 2), (BEGIN + 1, 3)]
        desk.write("in.csv", as_csv([(time, "a", str(temp), "0") for time, temp in times]))
        assert desk.ledger("p.yaml", "-i", "in.csv", "-o", "out.csv")["absorbed"] == 3
        counts = desk.ledger("p.yaml", "-i", "in.csv", "-o", "out.csv", "--as-stream")
        assert counts["late"] == 1 and counts["absorbed"] == 2, counts


def spills(programs):
    source = harness.pick_seed()
    with Desk(programs) as desk:
        rows = rows_of(source, 60_000, devices=30_000, minutes=3)
        desk.write("in.csv", as_csv(rows))
        few = desk.ledger("p.yaml", "-i", "in.csv", "-o", "few.csv", "--memory", "32MiB", "--chunk", "512KiB")
        many = desk.ledger("p.yaml", "-i", "in.csv", "-o", "many.csv", "--memory", "1GiB", "--chunk",
                           "512KiB")
        assert few["spread"] == many["spread"] == 1, few
        assert desk.read("few.csv") == desk.read("many.csv")
        check_results(desk.read("few.csv").decode(), rows)


def topics(programs):
    with Desk(programs) as desk:
        desk.write("in.csv", f"ts,temp,from\n{BEGIN},1,sensors/a/climate\n{BEGIN},3,sensors/b/climate\n")
        desk.run("p.yaml", "-i", "in.csv", "-o", "out.csv", "--topic", "sensors/x/climate")
        assert desk.read("out.csv").decode().splitlines()[1].startswith(f"x,{BEGIN},{BEGIN + MINUTE},2,")
        desk.run("p.yaml", "-i", "in.csv", "-o", "out.csv", "--topic-column", "from")
        lines = desk.read("out.csv").decode().splitlines()[1:]
        assert [line.split(",")[0] for line in lines] == ["a", "b"], lines
        desk.write("other.csv", f"ts,temp,from\n{BEGIN},1,sensors/a/climate\n{BEGIN},3,rooms/b/climate\n"
                                f"{BEGIN},3,sensors/b/climate/x\n")
        counts = desk.ledger("p.yaml", "-i", "other.csv", "-o", "out.csv", "--topic-column", "from")
        assert (counts["absorbed"], counts["rejected"]) == (1, 2), counts
        assert desk.read("out.csv.rejects.csv").count(b"topic_does_not_match") == 2


def topics_in_order(programs):
    """What one worker does in order has the captures that messages have."""
    with Desk(programs) as desk:
        desk.write("in.ndjson", '{"ts":1,"from":"in/zz","d":"a","list":[{"t":1},{"d":7}]}\n{"ts":2,"from":"out/zz","list":[{"t":2}]}\n')
        desk.write("o.yaml", 'source: { mqtt: { topic: "in/{d}" } }\ndecode: ndjson\ntimestamp: ts\nsteps:\n'
                   "  - unnest: list\n  - set: { q: d }\n  - select: [t, d, q]\n  - filter: t == 1 || t == 2\n"
                   "sink: { mqtt: { topic: out } }\n")
        desk.run("o.yaml", "-i", "in.ndjson", "-o", "out.ndjson", "--topic", "in/zz")
        assert desk.read("out.ndjson").decode() == '{"t":1,"d":"zz","q":"zz"}\n{"t":2,"d":"zz","q":"zz"}\n'
        counts = desk.ledger("o.yaml", "-i", "in.ndjson", "-o", "out.ndjson", "--topic-column", "from")
        assert desk.read("out.ndjson").decode() == '{"t":1,"d":"zz","q":"zz"}\n'
        assert counts["rejected"] == 1 and b"topic_does_not_match" in desk.read("out.ndjson.rejects.csv"), counts
        # The column is a capture itself, and texts without a zone are UTC as elsewhere.
        desk.write("in.ndjson", '{"ts":"2024-01-01T00:00:00","d":"in/zz","list":[{"t":1}]}\n')
        desk.run("o.yaml", "-i", "in.ndjson", "-o", "out.ndjson", "--topic-column", "d")
        assert desk.read("out.ndjson").decode() == '{"t":1,"d":"zz","q":"zz"}\n', desk.read("out.ndjson")
        # A line of several records without a topic: each is refused.
        desk.write("s.yaml", 'source: { mqtt: { topic: "in/{d}" } }\ndecode: senml\nsteps:\n  - dedupe: { id: time, ttl: 1m }\n'
                   "  - window: { count: 1, aggregate: { l: last(d) } }\nsink: { mqtt: { topic: out } }\n")
        desk.write("in.senml", '[{"n":"a","v":1},{"n":"b","v":2},{"n":"c","v":3}]\n')
        done = desk.run("s.yaml", "-i", "in.senml", "-o", "-", "--input-format", "senml", "--format", "ndjson",
                        "--topic-column", "from", code=1)
        assert "rejected 3" in done.err and done.out == "", done


def long_keys(programs):
    """As long as they may be, and as many as make merges of their own."""
    with Desk(programs) as desk:
        for fill in ("a", "\\u0000"):
            size = 8 * 1024 - 5 - 5
            desk.write("in.ndjson", "".join(f'{{"ts":{BEGIN},"device":"k{i:04d}{fill * size}","temp":1}}\n' for i in range(500)))
            desk.write("k.yaml", WINDOW)
            for more in (("--workers", "1"), ("--workers", "2", "--chunk", "1MiB"), ("--memory", "32MiB", "--chunk", "1MiB")):
                counts = desk.ledger("k.yaml", "-i", "in.ndjson", "-o", "out.ndjson", *more)
                assert (counts["results"], counts["rejected"], counts["worker_restarts"]) == (500, 0, 0), (fill, more, counts)
        # Where rows go by key the results are what is too long.
        desk.write("in.ndjson", "".join(f'{{"ts":{BEGIN},"device":"k{i}{"a" * size}","temp":1}}\n' for i, size in
                                        enumerate([10_000] * 50 + [63_000] * 50)))
        desk.write("s.yaml", WINDOW.replace("tumbling: 1m", "session: 1m"))
        counts = desk.ledger("s.yaml", "-i", "in.ndjson", "-o", "out.ndjson")
        assert (counts["results_written"], counts["results_rejected"], counts["worker_restarts"]) == (50, 50, 0), counts


def mistakes(programs):
    usage = "\n  hint: runnel batch PIPELINE -i INPUT... -o OUTPUT\n"
    with Desk(programs) as desk:
        desk.write("in.csv", as_csv([(BEGIN, "a", "1", "2")]))
        desk.write("in.parquet", "PAR1")
        desk.write("no_name.yaml", WINDOW)
        desk.write("no-time.yaml", "steps:\n  - window: { tumbling: 1m, aggregate: { n: count() } }\n")
        for words, text in (
                ([], "error: no pipeline given" + usage),
                (["p.yaml"], "error: no input given" + usage),
                (["p.yaml", "-i", "in.csv"], "error: no output given" + usage),
                (["p.yaml", "-i"], "error: `-i` needs the name of a file\n"),
                (["p.yaml", "-i", "gone.csv", "-o", "o.csv"],
                 "error: `gone.csv`: No such file or directory\n"),
                (["p.yaml", "-i", "*.gone", "-o", "o.csv"], "error: there is no file `*.gone`\n"),
                (["p.yaml", "-i", "in.csv", "-o", "o.csv", "--worker", "2"],
                 "error: unknown option `--worker`\n  hint: did you mean `--workers`?\n"),
                (["p.yaml", "-i", "in.csv", "-o", "o.csv", "--workers", "257"],
                 "error: `--workers` is a number up to 256, found `257`\n"),
                (["p.yaml", "-i", "in.csv", "-o", "o.csv", "--memory", "lots"],
                 "error: `--memory` is a size of at least 32MiB, such as 64MiB, found `lots`\n"),
                (["p.yaml", "-i", "in.csv", "-o", "o.csv", "--format", "cbor"],
                 "error: `cbor` is no format for a file\n  hint: `--format csv`, ndjson or line\n"),
                (["gone.yaml", "-i", "in.csv", "-o", "o.csv"], "error: `gone.yaml`: no such file or directory\n"),
                (["p.yaml", "-i", "in.csv", "-o", "./in.csv"],
                 "error: `./in.csv` is an input, and `-o` would replace it\n"),
                (["p.yaml", "-i", "in.csv", "-o", "p.yaml"],
                 "error: `p.yaml` is the pipeline, and `-o` would replace it\n"),
                (["p.yaml", "-i", "*.csv", "-o", "o.csv", "--rejects", "in.csv"],
                 "error: `in.csv` is an input, and `--rejects` would replace it\n"),
                (["p.yaml", "-i", "in.csv", "-o", "o.csv", "--rejects", "./o.csv"],
                 "error: `./o.csv` cannot have both, the output and `--rejects`\n"),
                (["p.yaml", "-i", "in.csv", "-o", "o.csv", "--topic", "rooms/a/climate"],
                 "error: `--topic rooms/a/climate` does not match the topic of the source, "
                 "`sensors/{device}/climate`: no such message would come\n"),
                (["p.yaml", "-i", "in.csv", "-o", "/dev/null"],
                 "error: `/dev/null` is no file, and `-o` would replace it\n  hint: `-o - > /dev/null` writes to it\n"),
                (["p.yaml", "-i", "in.csv", "-o", "/dev/stdout"],
                 "error: `/dev/stdout` is no file, and `-o` would replace it\n  hint: `-o - > /dev/stdout` writes to it\n"),
                (["p.yaml", "-i", "in.csv", "-o", "."], "error: `.` is a folder\n"),
                (["p.yaml", "-i", "in.csv", "-o", "o.csv.gz"],
                 "error: `o.csv.gz`: outputs are not packed\n  hint: `-o - | gzip > o.csv.gz`, with `--format`\n"),
                (["p.yaml", "-i", "in.csv", "-o", "o.Parquet"],
                 "error: `o.Parquet`: parquet cannot be written, only csv, ndjson and line\n"),
                (["p.yaml", "-i", "in.parquet", "-o", "o.csv"],
                 "error: `in.parquet` is parquet, and no text with a record a line\n  hint: make csv, ndjson or "
                 "line of it; where it is that already, `--input-format` says so\n"),
                (["p.yaml", "-i", "in.csv", "-o", "gone/o.csv"],
                 "error: there is no folder `gone` for `gone/o.csv`\n"),
                (["no_name.yaml", "-i", "in.csv", "-o", "o.csv"],
                 "no_name.yaml: error: `no_name` is not a name for a pipeline\n  hint: rename the file or give a "
                 "`name:`: up to 63 of a-z, 0-9 and `-`, beginning with a letter or digit\n"),
                (["no-time.yaml", "-i", "in.csv", "-o", "o.csv"],
                 "no-time.yaml:2:5: error: a window over time needs `timestamp:` here: rows of files have "
                 "no arrival\n    2 |   - window: { tumbling: 1m, aggregate: { n: count() } }\n"
                 "      |     ^\n  hint: name the field with the time: `timestamp: ts`\n")):
            done = desk.run(*words, code=2)
            assert done.err == text, (words, done.err)
        assert sorted(os.listdir(desk.folder)) == ["in.csv", "in.parquet", "no-time.yaml", "no_name.yaml", "p.yaml"]


def more_mistakes(programs):
    with Desk(programs) as desk:
        desk.write("in.csv", as_csv([(BEGIN, "a", "1", "2")]))
        for words, text in (
                (["-i", "in.csv", "-o", "-", "--resume"], "error: `--resume` needs an output file\n"),
                (["-i", "-", "-o", "o.csv", "--resume"], "error: `--resume` needs files: standard input is gone\n"),
                (["-i", "in.csv", "-o", "o.csv", "--topic", "sensors/+/climate"],
                 "error: `--topic sensors/+/climate` has a wildcard, and messages come with a topic\n"
                 "  hint: one as a device would send, `sensors/d-7/climate`\n")):
            done = desk.run("p.yaml", *words, code=2)
            assert done.err == text, (words, done.err)
        assert sorted(os.listdir(desk.folder)) == ["in.csv", "p.yaml"]


def a_link_stays(programs):
    """The output takes the place of what a link stands for."""
    with Desk(programs) as desk:
        desk.write("in.csv", as_csv([(BEGIN, "a", "1", "2")]))
        os.mkdir(desk.path("there"))
        os.symlink("there/out.csv", desk.path("link.csv"))
        for _ in range(2):  # a link to nothing, and to a file
            desk.run("p.yaml", "-i", "in.csv", "-o", "link.csv")
            assert os.path.islink(desk.path("link.csv")) and desk.read("there/out.csv").count(b"\n") == 2
        os.symlink("round", desk.path("round"))
        assert "Too many levels" in desk.run("p.yaml", "-i", "in.csv", "-o", "round", code=2).err


def explained(programs):
    with Desk(programs) as desk:
        done = subprocess.run([desk.program, "explain", "--batch", "p.yaml"], cwd=desk.folder,
                              capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done
        assert "by chunks: all aggregates merge: each chunk is grouped alone\n" in done.stdout, done.stdout


def walk_through(programs):
    """What examples/README.md says: a pipeline of the device, over a file of yesterday."""
    example = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/room-climate.yaml")
    source = harness.pick_seed()
    with Desk(programs) as desk:
        rows = rows_of(source, 3_000, devices=5, minutes=1)
        desk.write("yesterday.csv", as_csv(rows))
        counts = desk.ledger(example, "-i", "yesterday.csv", "-o", "windows.csv")
        found = list(csv.DictReader(io.StringIO(desk.read("windows.csv").decode())))
        assert list(found[0]) == ["device", "start", "end", "n", "mean", "mean_f", "p95"], found[0]
        assert sum(int(row["n"]) for row in found) <= counts["absorbed"] == len(rows)
        assert counts["results_written"] == len(found) and all(int(row["n"]) >= 3 for row in found)
        for row in found:
            assert math.isclose(float(row["mean_f"]), float(row["mean"]) * 9 / 5 + 32, rel_tol=1e-9)
        lines = desk.run(example, "-i", "yesterday.csv", "-o", "-", "--format", "line").out.splitlines()
        assert len(lines) == len(found), lines[:2]


def real_series(programs):
    data = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../shared/data/nab")
    files = sorted(glob.glob(os.path.join(data, "*.csv")))
    if not files:
        print("no ../shared/data/nab: left out")
        return
    with Desk(programs) as desk:
        desk.write("p.yaml", "timestamp: timestamp\nsteps:\n  - window: { tumbling: 1h, aggregate:"
                   " { n: count(), low: min(value), high: max(value), mean: mean(value) } }\n")
        for path in files:
            desk.run("p.yaml", "-i", path, "-o", "out.csv", "--chunk", "16KiB")
            groups = collections.defaultdict(list)
            with open(path) as file:
                for row in csv.DictReader(file):
                    moment = datetime.datetime.fromisoformat(row["timestamp"])
                    ts = int(moment.replace(tzinfo=datetime.timezone.utc).timestamp()) * 1000
                    groups[ts // 3_600_000 * 3_600_000].append(float(row["value"]))
            found = {int(row["start"]): row for row in
                     csv.DictReader(io.StringIO(desk.read("out.csv").decode()))}
            assert found.keys() == groups.keys()
            for start, values in groups.items():
                row = found[start]
                assert (int(row["n"]), float(row["low"]), float(row["high"])) == (
                    len(values), min(values), max(values))
                assert math.isclose(float(row["mean"]), math.fsum(values) / len(values), rel_tol=1e-12)


if __name__ == "__main__":
    harness.main(same_for_any_workers, same_for_any_chunks, shapes_of_files, inputs,
                 standard_input, stateless_rows_keep_their_order, order_matters, very_many_windows_of_a_key, rows_that_pass_keyed_steps,
                 spread_windows_keep_their_offset, steps_in_order, examples, as_stream, spills, topics, topics_in_order,
                 long_keys, mistakes, more_mistakes, a_link_stays, explained, walk_through, real_series)

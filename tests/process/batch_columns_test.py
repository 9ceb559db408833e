"""`runnel batch`: which columns CSV output has, and its header.

batch_columns_test.py PROGRAMS [TEST]
"""
import gzip
import json

import harness
from desk import BEGIN, MINUTE, WINDOW, Desk, as_csv


def files_with_columns_of_their_own(programs):
    with Desk(programs) as desk:
        desk.write("a.csv", f"ts,x\n{BEGIN},1\n")
        desk.write("b.csv", f"ts,y,x\n{BEGIN},hello,2\n")
        desk.write("s.yaml", "steps:\n  - set: { w: 1 }\n")
        counts = desk.ledger("s.yaml", "-i", "a.csv", "b.csv", "-o", "out.csv")
        assert (counts["written"], counts["rejected"]) == (2, 0), counts
        assert desk.read("out.csv").decode() == f"ts,x,w,y\n{BEGIN},1,1,\n{BEGIN},2,1,hello\n", desk.read("out.csv")


def headers_are_as_the_rows(programs):
    """The names with the delimiter and the quote of the rows, or none at all; of files without a hit too."""
    with Desk(programs) as desk:
        desk.write("in.csv", "a;b;'c;d'\n1;2;3\n")
        for options, wanted in (("delimiter: ';', quote: \"'\"", "a;b;'c;d'\n1;2;3\n"),
                                ("delimiter: tab", "a\tb\tc;d\n1\t2\t3\n"),
                                ("header: false", "1,2,3\n")):
            desk.write("as.yaml", "source: { mqtt: { topic: t } }\ndecode: { csv: { delimiter: ';', quote: \"'\" } }\n"
                       f"encode: {{ csv: {{ {options} }} }}\nsink: {{ mqtt: {{ topic: out }} }}\n")
            desk.run("as.yaml", "-i", "in.csv", "-o", "out.csv")
            assert desk.read("out.csv").decode() == wanted, (options, desk.read("out.csv"))
        desk.write("rare.yaml", "source: { mqtt: { topic: t } }\nsteps: [ { filter: v > 10 } ]\nsink: { mqtt: { topic: out } }\n")
        for name, text in (("low", "ts,v\n1,5\n"), ("high", "ts,v\n1,50\n2,3\n"), ("empty", "ts,v\n"), ("nothing", "")):
            desk.write(name + ".csv", text)
        for first in ("low", "empty", "nothing"):
            desk.run("rare.yaml", "-i", first + ".csv", "high.csv", "-o", "out.csv")
            assert desk.read("out.csv") == b"ts,v\n1,50\n", (first, desk.read("out.csv"))
        desk.write("late.csv", "ts,v\n" + "1,5\n" * 2_000 + "2,50\n" * 600)
        done = desk.run("rare.yaml", "-i", "late.csv", "-o", "out.csv", "--chunk", "4096", code=1)
        assert "error: the columns of the output are not known" in done.err, done.err
        desk.run("rare.yaml", "-i", "low.csv", "-o", "out.csv")


def columns_are_of_the_last_step(programs):
    """Behind a window what later steps set, rename and take away."""
    with Desk(programs) as desk:
        desk.write("in.csv", as_csv([(BEGIN + i, "a", i, "2") for i in range(3)]))
        for steps, wanted in (("select: { device: device, a: n }", "device,a\na,3\n"),
                              ("drop: [start, end]", "device,n\na,3\n"),
                              ("rename: { n: m }", f"device,start,end,m\na,{BEGIN // MINUTE * MINUTE},{BEGIN // MINUTE * MINUTE + MINUTE},3\n"),
                              ("set: { twice: n * 2 }", "device,start,end,n,twice\n")):
            desk.write("w.yaml", WINDOW.split("  - window")[0] + "  - window: { tumbling: 1m, key: device, "
                       f"aggregate: {{ n: count() }} }}\n  - {steps}\nsink: {{ mqtt: {{ topic: out }} }}\n")
            desk.run("w.yaml", "-i", "in.csv", "-o", "out.csv")
            assert desk.read("out.csv").decode().startswith(wanted), (steps, desk.read("out.csv"))


def columns_are_in_the_items_of_a_list(programs):
    """Those that unnest takes apart: only the data names them."""
    begin = "source: { mqtt: { topic: in } }\ndecode: ndjson\ntimestamp: ts\nsteps:\n"
    maps = '{"ts":1,"d":"a","list":[{"t":1},{"h":2}]}\n{"ts":2,"d":"b","list":[{"t":3,"d":"c"}]}\n'
    with Desk(programs) as desk:
        for rows, steps, wanted in (
                (maps, "  - unnest: list\n", "ts,d,t,h\n1,a,1,\n1,a,,2\n2,c,3,\n"),
                (maps, "  - unnest: { field: list, index: i }\n  - filter: i == 0\n", "ts,d,t,h,i\n1,a,1,,0\n2,c,3,,0\n"),
                (maps, "  - unnest: list\n  - select: [ts, d]\n", "ts,d\n1,a\n1,a\n2,c\n"),
                (maps, "  - unnest: list\n  - set: { list: d }\n", "ts,d,t,h,list\n1,a,1,,a\n1,a,,2,a\n2,c,3,,c\n"),
                (maps, "  - dedupe: { id: ts, ttl: 1m }\n  - unnest: list\n", "ts,d,t,h\n1,a,1,\n1,a,,2\n2,c,3,\n"),
                (maps, "  - unnest: list\n  - drop: [list]\n", "ts,d,t,h\n1,a,1,\n1,a,,2\n2,c,3,\n"),
                (maps, "  - unnest: list\n  - rename: { list: l }\n", "ts,d,t,h,l\n1,a,1,,\n1,a,,2,\n2,c,3,,\n"),
                ('{"ts":1,"list":[{"inner":[{"x":1}]},{"inner":[7]}]}\n', "  - unnest: list\n  - unnest: inner\n", "ts,x,inner\n1,1,\n1,,7\n"),
                ('{"ts":1,"list":[5,{"t":6}]}\n', "  - unnest: list\n", "ts,list,t\n1,5,\n1,,6\n")):
            desk.write("in.ndjson", rows)
            desk.write("u.yaml", begin + steps + "sink: { mqtt: { topic: out } }\n")
            desk.run("u.yaml", "-i", "in.ndjson", "-o", "out.csv")
            assert desk.read("out.csv").decode() == wanted, (steps, desk.read("out.csv"))
        # A capture that no output has is no column.
        desk.write("c.yaml", begin.replace("topic: in", 'topic: "in/{c}"') + "  - unnest: list\nsink: { mqtt: { topic: out } }\n")
        desk.run("c.yaml", "-i", "in.ndjson", "-o", "out.csv", "--topic", "in/x")
        assert desk.read("out.csv") == b"ts,list,t\n1,5,\n1,,6\n", desk.read("out.csv")


def results_without_a_column(programs):
    with Desk(programs) as desk:
        desk.write("in.ndjson", '{"ts":1,"v":"a"}\n{"ts":2,"v":"b"}\n')
        desk.write("w.yaml", "source: { mqtt: { topic: in } }\ndecode: ndjson\ntimestamp: ts\nsteps:\n"
                   "  - window: { tumbling: 1m, aggregate: { c: \"top_k(v, 2)\" } }\n  - unnest: c\nsink: { mqtt: { topic: out } }\n")
        done = desk.run("w.yaml", "-i", "in.ndjson", "-o", "out.csv", code=1)
        assert done.err.endswith("error: every result was rejected\n  hint: name all columns, `encode: { csv: { columns: "
                                 "[ts, temp] } }`, or write ndjson\n"), done.err
        desk.write("some.yaml", "source: { mqtt: { topic: in } }\ndecode: ndjson\ntimestamp: ts\nsteps:\n"
                   "  - unnest: list\n  - filter: t > 5\nsink: { mqtt: { topic: out } }\n")
        desk.write("in.ndjson", '{"ts":1,"list":[{"t":1},{"t":"x"},{"t":2}]}\n')
        desk.run("some.yaml", "-i", "in.ndjson", "-o", "out.ndjson")


def tabs_by_name(programs):
    """The names of the files say so, wherever they stand and however they are packed."""
    with Desk(programs) as desk:
        desk.write("s.yaml", "steps:\n  - filter: a > 0\n")
        desk.write("d/1.tsv", "a\tb\n1\tx,y\n")
        desk.write("d/2.tsv.gz", gzip.compress(b"a\tb\n2\tz\n"))
        desk.write("d.tsv/in.csv", "a,b\n1,x\n")
        desk.write("plain", "a\tb\n3\tx\n")
        for words, rows in ((["d"], 2), (["d/2.tsv.gz"], 1), (["plain", "d/1.tsv"], 2), (["d.tsv"], 1), (["d/*.tsv*"], 2)):
            counts = desk.ledger("s.yaml", "-i", *words, "-o", "out.ndjson", "--input-format", "csv")
            assert (counts["written"], counts["rejected"]) == (rows, 0), (words, counts)
            assert desk.read("out.ndjson").count(b'"b":') == rows, desk.read("out.ndjson")
        text = ("error: `d/1.tsv` is tsv and `d.tsv/in.csv` is csv\n  hint: run them one after the other, or say which "
                "delimiter both have, `decode: { csv: { delimiter: tab } }`\n")
        for words in (["d", "d.tsv"], ["d.tsv", "d", "--input-format", "csv"]):
            assert desk.run("s.yaml", "-i", *words, "-o", "out.ndjson", code=2).err == text
        desk.write("s.yaml", "decode: { csv: { delimiter: tab } }\nsteps:\n  - filter: a > 0\n")
        desk.write("d.tsv/in.csv", "a\tb\n1\tx\n")
        assert desk.ledger("s.yaml", "-i", "d", "d.tsv", "-o", "out.ndjson")["written"] == 3


def names_of_many_bytes(programs):
    """More of them than a message between processes takes."""
    with Desk(programs) as desk:
        desk.write("s.yaml", "steps:\n  - filter: ts > 0\n")
        names = ["ts"] + [f"{i:03d}" + "n" * 97 for i in range(999)]
        desk.write("in.ndjson", "".join(json.dumps({name: i for name in names}) + "\n" for i in (1, 2, 3)))
        counts = desk.ledger("s.yaml", "-i", "in.ndjson", "-o", "out.csv")
        assert (counts["written"], counts["worker_restarts"]) == (3, 0), counts
        assert desk.read("out.csv").decode() == "".join(
            ",".join(row) + "\n" for row in (names, ["1"] * 1000, ["2"] * 1000, ["3"] * 1000))
        # A field too many is one without a column.
        desk.write("in.ndjson", json.dumps({name: 1 for name in names + ["more"]}) + "\n" + '{"ts":1}\n')
        assert desk.ledger("s.yaml", "-i", "in.ndjson", "-o", "out.csv")["rejected"] == 1
        assert desk.read("out.csv.rejects.csv").count(b"field_without_column") == 1


if __name__ == "__main__":
    harness.main(files_with_columns_of_their_own, headers_are_as_the_rows, columns_are_of_the_last_step,
                 columns_are_in_the_items_of_a_list, results_without_a_column, tabs_by_name,
                 names_of_many_bytes)

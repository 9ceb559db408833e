"""A table of `enrich` in a file: what changes in it reaches the tasks, and a wrong one does not.

lookup_test.py PROGRAMS [TEST]
"""
import json
import os
import signal

import harness

SITES = """
name: sites
source:
  mqtt: { topic: "sensors/{device}/value", qos: 1 }
steps:
  - enrich: { file: sites.csv, key: device, fields: [site] }
  - window:
      count: 4
      key: site
      aggregate: { n: count(), last: last(v) }
  - enrich: { file: sites.csv, key: site, on: device, fields: { region: site }, unmatched: drop }
sink:
  mqtt: { topic: "out/{site}", qos: 1 }
"""


def write_table(bed, text):
    """As programs write files that others read: whole, or not at all."""
    path = os.path.join(bed.folder, "sites.csv")
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)


def said(bed, text, times=1):
    harness.wait_for(lambda: bed.log().count(text) >= times, 20, lambda: f"{text}\n{bed.log()}")


def table(sites):
    return "device,site\n" + "".join(f"{device},{site}\n" for device, site in sites.items())


def send(bed, values):
    publisher = bed.publisher()
    for value in values:
        publisher.send(f"sensors/d{value % 4}/value", json.dumps({"v": value}))
    publisher.finish()
    bed.settled("sites")


def a_changed_table(programs, workers=2):
    with harness.Bed(programs) as bed:
        bed.configure(workers=workers)
        regions = {"north": "n", "south": "s", "west": "w"}
        first = {"d0": "north", "d1": "north", "d2": "south", "d3": "south", **regions}
        write_table(bed, table(first))
        bed.start_daemon(bed.write("sites.yaml", SITES))
        bed.wait_connected()
        results = bed.collect("out/#")
        send(bed, range(8))
        write_table(bed, table({**first, "d1": "west", "d3": "west"}))
        said(bed, "goes over to its changed table")
        # A successor replays from before the change and behind it.
        for pid in bed.child("runnel-worker"):
            os.kill(pid, signal.SIGKILL)
        send(bed, range(8, 16))
        write_table(bed, "device,site\nd0,north\nd0,south\n")
        said(bed, "row 2 has the key of an earlier row")
        os.remove(os.path.join(bed.folder, "sites.csv"))
        said(bed, "no such file or directory")
        send(bed, range(16, 24))
        write_table(bed, table({device: "south" for device in first}))
        said(bed, "goes over to its changed table", 2)
        bed.kill_daemon()
        mark = bed.start_daemon(*bed.pipelines)
        bed.wait_connected(mark)
        write_table(bed, table({**{device: "south" for device in first}, "south": "all"}))
        said(bed, "goes over to its changed table", 3)
        send(bed, range(24, 32))
        harness.wait_for(lambda: len(results.ids()) >= 8, 20, lambda: results.all())
        got = sorted((topic, r["n"], r["last"], r["region"]) for topic, r in results.once())
        assert [r[0] for r in got] == ["out/north"] * 2 + ["out/south"] * 4 + ["out/west"] * 2, got
        assert all(r[1] == 4 for r in got), got
        assert {r[3] for r in got if r[2] < 24} == {"n", "s", "w"}, got
        assert {r[3] for r in got if r[2] >= 24} == {"all"}, got
        assert bed.dead_letters() == []
        bed.nothing_left_behind()
        assert bed.stop_daemon() == 0


def a_changed_table_without_workers(programs):
    with harness.Bed(programs) as bed:
        bed.configure(workers=0)
        write_table(bed, table({"d0": "a", "d1": "a", "d2": "a", "d3": "a", "a": "x"}))
        bed.start_daemon(bed.write("sites.yaml", SITES))
        bed.wait_connected()
        results = bed.collect("out/#")
        send(bed, range(4))
        write_table(bed, table({"d0": "b", "d1": "b", "d2": "b", "d3": "b", "b": "y"}))
        said(bed, "goes over to its changed table")
        send(bed, range(4, 8))
        harness.wait_for(lambda: len(results.ids()) >= 2, 20, lambda: results.all())
        assert [(t, r["region"]) for t, r in results.once()] == [("out/a", "x"), ("out/b", "y")]
        assert bed.stop_daemon() == 0


if __name__ == "__main__":
    harness.main(a_changed_table, a_changed_table_without_workers)

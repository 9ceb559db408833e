"""What happens at each limit: windows, keys, time, room, dead letters, records that kill.

limits_test.py PROGRAMS [TEST]; the last ones need executables with test hooks.
"""
import base64
import json
import os
import signal
import subprocess
import time

import harness

START = 1_700_000_040_000  # a full minute
MINUTE = 60_000


def windowed(name, options, aggregate="{ n: count() }", source="sensors/{device}/value", qos=1, more=""):
    return f"""
name: {name}
source:
  mqtt: {{ topic: "{source}", qos: {qos} }}
timestamp: ts
partitions: 1
steps:
  - window:
      tumbling: 1m
      aggregate: {aggregate}
{''.join(f'      {option}' + chr(10) for option in options)}sink:
  mqtt: {{ topic: "{name}/{{device}}", qos: 1 }}
{more}"""


def send(bed, messages):
    """Each (device, ts) or (device, ts, fields) or (topic, bytes)."""
    publisher = bed.publisher()
    for message in messages:
        if isinstance(message[1], bytes):
            publisher.send(message[0], message[1])
            continue
        fields = message[2] if len(message) > 2 else {}
        publisher.send(f"sensors/{message[0]}/value", json.dumps({"ts": message[1], **fields}))
    publisher.finish()


def run(programs, text, messages, name="p"):
    """The results, in order of their windows, and the ledger."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=1)
        bed.late_sinks[name] = 1 if "\nlate:" in text else 0
        bed.start_daemon(bed.write("p.yaml", text))
        bed.wait_connected()
        results, late = bed.collect(f"{name}/#"), bed.collect("late/#")
        send(bed, messages)
        harness.wait_for(lambda: bed.status(name)["received"] >= len(messages), 20, "received")
        entry = bed.settled(name)
        wanted = entry["results"] + entry["passed"]
        harness.wait_for(lambda: len(results.ids()) >= wanted, 20, lambda: results.all())
        harness.wait_for(lambda: len(late.ids()) >= entry["late"] * bed.late_sinks[name], 20, late.all)
        assert bed.stop_daemon() == 0
        return ([r for _, r in results.once()], entry, [r for _, r in late.once()], bed.dead_letters())


def a_full_set_of_windows_moves_on(programs):
    """A record that closes the earliest window has room, with one window at a time, too."""
    for windows_max in (1, 2, 3):
        text = windowed("p", ["key: device", f"windows_max: {windows_max}"])
        results, entry, _, _ = run(programs, text, [("a", START + i * MINUTE) for i in range(10)])
        assert [(r["start"], r["n"]) for r in results] == [(START + i * MINUTE, 1) for i in range(9)], results
        assert entry["dropped"] == 0, entry


def more_windows_than_there_may_be(programs):
    """Within the lateness nothing can close: the record is dropped, counted, and the rest goes on."""
    text = windowed("p", ["key: device", "windows_max: 3", "lateness: 5m"])
    minutes = [0, 1, 2, 3, 4, 1, 6, 7, 20]
    results, entry, _, _ = run(programs, text, [("a", START + m * MINUTE) for m in minutes])
    # 3 and 4 find no room; 6 closes 0, 7 closes 1, 20 the rest.
    assert [((r["start"] - START) // MINUTE, r["n"]) for r in results] == [
        (0, 1), (1, 2), (2, 1), (6, 1), (7, 1)], results
    assert (entry["dropped"], entry["absorbed"]) == (2, 7), entry


def more_keys_than_there_may_be(programs):
    text = windowed("p", ["key: device", "keys_max: 2", "keys_full: reject"])
    messages = [("a", START), ("b", START), ("c", START), ("a", START + 1), ("d", START),
                ("a", START + MINUTE), ("b", START + MINUTE)]
    results, entry, _, _ = run(programs, text, messages)
    assert [(r["device"], r["n"]) for r in results] == [("a", 2), ("b", 1)], results
    assert entry["dropped"] == 2, entry


def the_oldest_key_gives_way(programs):
    """Its open window comes as partial; a key that comes back counts what is not older."""
    text = windowed("p", ["key: device", "keys_max: 2", "keys_full: evict_oldest"])
    messages = [("a", START), ("b", START), ("c", START), ("a", START + 1), ("c", START + 5 * MINUTE)]
    results, entry, _, letters = run(programs, text, messages)
    got = [(r["device"], (r["start"] - START) // MINUTE, r["n"], r.get("partial")) for r in results]
    assert got == [("a", 0, 1, True), ("c", 0, 1, None)], got
    assert entry["late"] == 1 and [letter["reason"] for letter in letters] == ["late"], (entry, letters)


def ahead_of_the_clock(programs):
    future = int(time.time() * 1000) + 2 * 3_600_000
    text = windowed("p", ["key: device", "max_ahead: 1h", "ahead: clamp", "idle: 1s"], "{ n: count() }")
    results, entry, _, _ = run(programs, text, [("a", future), ("a", future + MINUTE)])
    assert entry["absorbed"] == 2 and entry["dead_lettered"] == 0, entry
    assert all(r["start"] < future - 3_600_000 for r in results), results


def late_records_have_a_way_out(programs):
    """The late sink gets the record as it came, with its captures; each is counted once."""
    text = windowed("p", ["key: device", "lateness: 1m"],
                    more='late:\n  mqtt: { topic: "late/{device}", qos: 1 }\n')
    messages = [("a", START), ("a", START + 5 * MINUTE), ("a", START + 1, {"value": 7}),
                ("a", START + 3 * MINUTE + 59_999), ("a", START + 4 * MINUTE), ("a", START + 10 * MINUTE)]
    results, entry, late, letters = run(programs, text, messages)
    assert [((r["start"] - START) // MINUTE, r["n"]) for r in results] == [(0, 1), (4, 1), (5, 1)], results
    assert entry["late"] == 2 and entry["dead_lettered"] == 0 and letters == [], (entry, letters)
    assert [r["ts"] for r in late] == [START + 1, START + 3 * MINUTE + 59_999], late
    assert late[0]["device"] == "a", late


# Payload, the reason it is set aside for.
UNREADABLE = [
    (b"", None), (b"{", None), (b"[1]", None), (b"null", None), (b"{\"ts\":1700000040000,}", None),
    (b"{\"ts\":1700000040000} x", None), (b"\xff\xfe\x00", None), (b"{\"ts\":1700000040000,\"a\":\"\xed\xa0\x80\"}", None),
    (b"\xe0\x80\x80", None), (b"\xf4\x90\x80\x80", None), (b"\xc3", None), (b"{\"a\":\x00}", None),
    (b"[" * 5000, None), (b"{\"ts\":1e400}", None), (b"{\"ts\":\"yesterday\"}", None), (b"{\"ts\":null}", None),
    (b"{}", "timestamp_is_missing"), (b"{\"ts\":99999999999999999999}", None), (b"{\"ts\":-1e18}", None),
    (b"{\"ts\":true}", None), (b"{\"ts\":9007199254740993000}", None),
]


def unreadable_payloads(programs):
    """Each is in the dead-letter file with its bytes, its topic and a reason; nothing else is."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=1)
        bed.start_daemon(bed.write("p.yaml", windowed("p", ["key: device"])))
        bed.wait_connected()
        send(bed, [(f"sensors/d{i}/value", payload) for i, (payload, _) in enumerate(UNREADABLE)])
        harness.wait_for(lambda: bed.status("p")["received"] == len(UNREADABLE), 20, "received")
        entry = bed.settled("p")
        letters = {letter["topic"]: letter for letter in bed.dead_letters()}
        for i, (payload, reason) in enumerate(UNREADABLE):
            letter = letters.get(f"sensors/d{i}/value")
            assert letter is not None, f"no dead letter for {payload[:60]}: {bed.status('p')}"
            kept = (letter["payload"].encode() if "payload" in letter
                    else base64.b64decode(letter["payload_base64"]))
            assert kept == payload, (payload[:60], letter)
            assert letter["reason"] and letter["time"] and letter["stage"], letter
            assert reason is None or letter["reason"] == reason, letter
        assert entry["dead_lettered"] == len(UNREADABLE) == len(bed.dead_letters()), entry
        print("  " + ", ".join(sorted({letter["reason"] for letter in letters.values()})), flush=True)
        assert bed.child("runnel-worker") and bed.log().count("ended with") == 0, bed.log()
        assert bed.stop_daemon() == 0


def dead_letters_are_bounded(programs):
    """The oldest give way; every line is whole, and the counters go on."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=1, limits="{ dead_letters: 64KiB }")
        bed.start_daemon(bed.write("p.yaml", windowed("p", ["key: device"])))
        bed.wait_connected()
        count = 2000
        send(bed, [("sensors/a/value", b"broken %06d " % i + b"x" * 150) for i in range(count)])
        harness.wait_for(lambda: bed.status("p")["dead_lettered"] == count, 20, lambda: bed.status("p"))
        bed.settled("p")
        letters = bed.dead_letters()
        folder = os.path.join(bed.state, "dead-letters")
        size = sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))
        assert size <= 64 * 1024, f"{size} bytes"
        assert 50 < len(letters) < count, len(letters)
        assert any("%06d" % (count - 1) in letter["payload"] for letter in letters), letters[-1]
        assert bed.stop_daemon() == 0


def what_qos_0_drops_is_counted(programs):
    """Upstream away, the journals full: QoS 0 is dropped, and the sums are still right."""
    with harness.Bed(programs) as bed, harness.Bed(programs, ["persistence true"]) as site:
        results = site.collect("p/#")
        site.stop_broker()
        bed.configure(workers=1, extra=f"upstream: {{ url: \"mqtt://127.0.0.1:{site.port}\" }}",
                      limits="{ journal: 64KiB, record: 4KiB }")
        bed.start_daemon(bed.write("p.yaml", """
name: p
source:
  mqtt: { topic: "sensors/{device}/value", qos: 0 }
partitions: 1
steps:
  - select: [device, value]
sink:
  mqtt: { broker: upstream, topic: "p/{device}", qos: 1 }
"""))
        bed.wait_connected()
        count = 20_000
        send(bed, [("a", START, {"value": i, "pad": "x" * 50}) for i in range(count)])
        harness.wait_for(lambda: bed.status("p")["received"] + bed.status("p")["overload_dropped"] == count,
                         60, lambda: bed.status("p"))
        entry = bed.status("p")
        assert 0 < entry["received"] < count, entry
        site.start_broker()
        harness.wait_for(lambda: len(results.ids()) >= entry["received"], 60,
                         lambda: f"{len(results.ids())} of {entry['received']}")
        entry = bed.settled("p")
        values = [r["value"] for _, r in results.once()]
        assert len(values) == len(set(values)) == entry["received"], entry
        print(f"  {entry['received']} of {count} were taken in", flush=True)
        assert bed.stop_daemon() == 0


def a_full_runtime_folder(programs):
    """Said at start, with the file; not a SIGBUS later."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=1)
        pipeline = bed.write("p.yaml", windowed("p", ["key: device"]))
        small = os.path.join(bed.folder, "small")
        os.mkdir(small)
        config = bed.write("small.yaml", open(bed.config).read().replace(bed.runtime, small))
        script = (f"mount -t tmpfs -o size=256k none {small} || exit 77; "
                  f"exec {os.path.join(programs, 'runnel')} run -c {config} {pipeline}")
        done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True,
                              timeout=60)
        if done.returncode == 77 or "unshare:" in done.stderr:
            print("  skipped: no file system can be mounted here")
            return
        assert done.returncode == 1 and "No space left" in done.stderr and small in done.stderr, done


def reading(i):
    return ("a", START + i * 100, {"value": i})


def poison(i):
    return ("a", START + i * 100, {"text": "DEADLY"})


def poisoned(programs, messages, killing=None, workers=1, seconds=60):
    """Runs the messages with records that kill among them; the ledger, the dead letters."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=workers)
        bed.start_daemon(bed.write("p.yaml", windowed("p", ["key: device"])),
                         env={"RUNNEL_TEST_POISON": "DEADLY"})
        bed.wait_connected()
        results = bed.collect("p/#")
        began = time.monotonic()
        send(bed, messages)
        if killing:
            killing(bed)
        send(bed, [("a", START + 10 * MINUTE)])
        harness.wait_for(lambda: bed.status("p")["received"] == len(messages) + 1, 20, "received")
        entry = bed.settled("p", seconds)
        spent = time.monotonic() - began
        harness.wait_for(lambda: results.all(), 20, "the result")
        print(f"  {entry['dead_lettered']} deadly records in {spent:.1f} s", flush=True)
        letters = bed.dead_letters()
        assert all(l["reason"] == "poison" and l["signal"] == signal.SIGABRT for l in letters), letters
        assert bed.stop_daemon() == 0
        return [r["n"] for _, r in results.once()], entry, letters


def many_deadly_records(programs):
    """More of them in a row than the journal has places for: none holds up the rest for long."""
    messages = [reading(i) for i in range(50)] + [poison(50 + i) for i in range(20)]
    messages += [reading(70 + i) for i in range(50)]
    counts, entry, letters = poisoned(programs, messages, seconds=120)
    assert counts == [100] and entry["dead_lettered"] == len(letters) == 20, (counts, entry)


def deadly_records_and_kills(programs):
    """Blame outlives the daemon; a SIGKILL of the worker blames nobody."""
    def kill(bed):
        for _ in range(3):
            for pid in bed.child("runnel-worker"):
                os.kill(pid, signal.SIGKILL)
            bed.kill_daemon()
            bed.start_daemon(*bed.pipelines, env={"RUNNEL_TEST_POISON": "DEADLY"})
    messages = [reading(i) for i in range(20)] + [poison(20)] + [reading(21 + i) for i in range(20)]
    counts, entry, letters = poisoned(programs, messages, kill)
    assert counts == [40] and entry["dead_lettered"] == len(letters) == 1, (counts, entry, letters)


def deadly_text_beside_other_tasks(programs):
    """Two workers: what the other one hosts goes on at once."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=2)
        text = windowed("p", ["key: device"]).replace("partitions: 1", "partitions: 8")
        bed.start_daemon(bed.write("p.yaml", text), env={"RUNNEL_TEST_POISON": "DEADLY"})
        bed.wait_connected()
        devices = [f"d{i}" for i in range(40)]
        send(bed, [(d, START + 10, {"text": "DEADLY"} if d == "d7" else {}) for d in devices])
        harness.wait_for(lambda: bed.status("p")["received"] == 40, 20, "received")
        entry = bed.settled("p", 60)
        assert (entry["absorbed"], entry["dead_lettered"]) == (39, 1), entry
        letter, = bed.dead_letters()
        assert letter["topic"] == "sensors/d7/value" and letter["signal"] == signal.SIGABRT, letter
        assert bed.stop_daemon() == 0


if __name__ == "__main__":
    harness.main(a_full_set_of_windows_moves_on, more_windows_than_there_may_be,
                 more_keys_than_there_may_be, the_oldest_key_gives_way, ahead_of_the_clock,
                 late_records_have_a_way_out, unreadable_payloads, dead_letters_are_bounded,
                 what_qos_0_drops_is_counted, a_full_runtime_folder, many_deadly_records,
                 deadly_records_and_kills, deadly_text_beside_other_tasks)

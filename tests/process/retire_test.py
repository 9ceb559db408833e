"""Tasks that the configuration does not have any more: they work off what they have and end."""
import json
import os
import time

import harness
from rooms import (KEYS, OTHER, START, begin, by_device, by_room, close_windows, counted, received,
                   send, stop, wait_counted)


def gone(bed, pipeline, seconds=60):
    """Until the pipeline's tasks are; then nothing of it is left."""
    harness.wait_for(lambda: not os.path.exists(f"{bed.runtime}/tasks/{pipeline}"), seconds,
                     lambda: f"{pipeline} has ended: {bed.log()[-3000:]}")
    assert bed.status(pipeline) is None, bed.status(pipeline)


def tasks_of(bed, pipeline):
    return [name for name in os.listdir(f"{bed.runtime}/tasks/{pipeline}") if name != "ended"]


def killed_and_changed(bed, path, text):
    """kill -9 of the daemon, and a start with another pipeline file. Where its log begins."""
    bed.kill_daemon()
    bed.write(os.path.basename(path), text)
    mark = bed.start_daemon(path)
    bed.wait_connected(mark)
    return mark


def whole(collector, count, field="room"):
    """Every key's window, once, with all of its readings."""
    wait_counted(collector, count)
    results = [r for _, r in collector.once()]
    assert sum(r["n"] for r in results) == count, results
    assert len(results) == KEYS and len({r[field] for r in results}) == KEYS, results
    assert all(r["partial"] is True for r in results), results


def a_removed_pipeline_ends_without_its_broker(programs):
    """Its broker is gone for good and still in the configuration."""
    with harness.Bed(programs) as bed, harness.Bed(programs) as gone_one:
        bed.configure(workers=1, extra=f'old: {{ url: "mqtt://127.0.0.1:{gone_one.port}" }}')
        other = bed.write("other.yaml", OTHER)
        rooms = bed.write("rooms.yaml", by_room().replace("mqtt: {", "mqtt: { broker: old,", 1))
        bed.start_daemon(other, rooms)
        bed.wait_connected()
        bed.wait_connected(broker=gone_one)
        stop(bed)
        gone_one.stop_broker()
        bed.start_daemon(other)
        gone(bed, "rooms")
        stop(bed)


def a_removed_pipeline_works_off_what_it_has(programs):
    """Killed with work in its journals, started without the pipeline."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=2)
        rooms, other = bed.write("rooms.yaml", by_room()), bed.write("other.yaml", OTHER)
        bed.start_daemon(rooms)
        bed.wait_connected()
        results = bed.collect("rooms/#")
        send(bed, 6_000)
        received(bed, "rooms", 6_000)
        bed.kill_daemon()
        mark = bed.start_daemon(other)
        gone(bed, "rooms")
        whole(results, 6_000)
        log = bed.log()[mark:]
        assert "`rooms` has 8 tasks that the configuration does not have any more" in log, log
        assert ("`rooms`: these tasks have ended: received 6000  filtered 0  aggregated 6000  "
                f"results {KEYS}  published {KEYS}\n") in log, log
        assert bed.dead_letters() == []
        # What is removed stays away, and so does its plan.
        stop(bed)
        assert os.listdir(f"{bed.runtime}/plans") == ["other"], os.listdir(f"{bed.runtime}/plans")
        mark = bed.start_daemon(other)
        assert "rooms" not in bed.log()[mark:], bed.log()[mark:]
        stop(bed)


def a_pipeline_removed_over_a_reboot(programs):
    """Its tasks come back from their snapshots, with their plan, and end."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=1)
        rooms, other = bed.write("rooms.yaml", by_room(2)), bed.write("other.yaml", OTHER)
        bed.start_daemon(rooms)
        bed.wait_connected()
        results = bed.collect("rooms/#")
        send(bed, 3_000)
        received(bed, "rooms", 3_000)
        stop(bed)
        bed.empty_runtime()
        bed.start_daemon(other)
        gone(bed, "rooms")
        whole(results, 3_000)
        left = [name for _, _, names in os.walk(f"{bed.state}/tasks") for name in names]
        left += [name for _, _, names in os.walk(f"{bed.state}/plans") for name in names]
        assert left == [], left
        stop(bed)


def fewer_partitions(programs):
    """The tasks that are too many end; the keys that stay go on."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=2)
        devices = bed.write("devices.yaml", by_device(4))
        bed.start_daemon(devices)
        bed.wait_connected()
        results = bed.collect("devices/#")
        send(bed, 2_400)
        received(bed, "devices", 2_400)
        killed_and_changed(bed, devices, by_device(1))
        harness.wait_for(lambda: tasks_of(bed, "devices") == ["0.0"], 60,
                         lambda: f"{os.listdir(f'{bed.runtime}/tasks/devices')}")
        received(bed, "devices", 2_400)  # with what the others had
        partial = [r for _, r in results.once()]
        assert 0 < len(partial) < KEYS and all(r["partial"] is True for r in partial), partial
        send(bed, 2_400)
        close_windows(bed)
        wait_counted(results, 4_800)
        early = {r["device"] for r in partial}
        rest = [r for _, r in results.once() if r not in partial]
        for r in rest:
            assert r["n"] == (100 if r["device"] in early else 200), r
            assert "partial" not in r, r
        assert len(rest) == KEYS, rest
        stop(bed)


def more_partitions(programs):
    """Keys go to other tasks: what is open is emitted as partial by all, and begins anew."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=2)
        devices = bed.write("devices.yaml", by_device(2))
        bed.start_daemon(devices)
        bed.wait_connected()
        results = bed.collect("devices/#")
        send(bed, 2_400)
        received(bed, "devices", 2_400)
        killed_and_changed(bed, devices, by_device(3))
        whole(results, 2_400, "device")
        first = results.once()
        send(bed, 2_400)
        close_windows(bed)
        harness.wait_for(lambda: len(results.once()) == 2 * KEYS, 60,
                         lambda: f"{len(results.once())} results")
        rest = [r for topic, r in results.once() if (topic, r) not in first]
        assert [(r["n"], r.get("partial")) for r in rest] == [(100, None)] * KEYS, rest
        stop(bed)


def fewer_and_more_partitions(programs):
    """Two stages, to and fro: tasks that are made anew are not taken for those that ended."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=2)
        rooms = bed.write("rooms.yaml", by_room(4))
        bed.start_daemon(rooms)
        bed.wait_connected()
        results = bed.collect("rooms/#")
        sent = 0
        for partitions in (2, 4, 3):
            send(bed, 1_200)
            sent += 1_200
            harness.wait_for(lambda: bed.status("rooms")["received"] >= 1_200 // 4, 60, "received")
            killed_and_changed(bed, rooms, by_room(partitions))
            harness.wait_for(lambda: len(tasks_of(bed, "rooms")) == 2 * partitions,
                             60, lambda: f"{os.listdir(f'{bed.runtime}/tasks/rooms')}")
        close_windows(bed)
        # What was sent last is in no window that another change has closed.
        wait_counted(results, sent)
        assert counted(results) + bed.status("rooms")["late"] == sent, (counted(results), sent)
        assert bed.dead_letters() == [], bed.dead_letters()
        # The ledger has what the tasks had that have ended, on both sides of the exchange.
        ledger = bed.settled("rooms")
        assert (ledger["received"], ledger["in_flight"]) == (sent + KEYS, 0), ledger
        stop(bed)


def killed_under_load(programs):
    """kill -9 with messages that the broker has no answer for, then another number of partitions:
    what comes again is known, wherever it is."""
    dice = harness.pick_seed()
    with harness.Bed(programs) as bed:
        bed.configure(workers=2)
        devices = bed.write("devices.yaml", by_device(4))
        bed.start_daemon(devices)
        bed.wait_connected()
        results = bed.collect("devices/#")
        sent = 12_000
        publisher = begin(bed, sent)
        for partitions in (6, 3, 1):  # none that has ended comes back: what was open is late then
            harness.wait_for(lambda: (bed.status("devices") or {}).get("received", 0) > 0, 30, "some")
            time.sleep(dice.uniform(0, 0.15))
            bed.kill_daemon()
            bed.write("devices.yaml", by_device(partitions))
            bed.start_daemon(devices)
        publisher.finish()
        close_windows(bed)
        wait_counted(results, sent)
        harness.wait_for(lambda: bed.status("devices")["in_flight"] == 0, 30, "all is done")
        assert counted(results) == sent, (counted(results), sent)
        stop(bed)


def a_pipeline_that_comes_back(programs):
    """Told the end while upstream is away, and back in the configuration before it is gone."""
    with harness.Bed(programs) as bed, harness.Bed(programs, ["persistence true"]) as site:
        bed.configure(workers=2, extra=f"site: {{ url: \"mqtt://127.0.0.1:{site.port}\" }}")
        rooms = bed.write("rooms.yaml", by_room(2, "broker: site, "))
        other = bed.write("other.yaml", OTHER)
        results = site.collect("rooms/#")
        bed.start_daemon(rooms)
        bed.wait_connected()
        send(bed, 1_200)
        received(bed, "rooms", 1_200)
        site.stop_broker()
        stop(bed)
        bed.start_daemon(other)
        # The first stage is gone; the second has nowhere to publish to.
        harness.wait_for(lambda: sorted(tasks_of(bed, "rooms")) == ["1.0", "1.1"],
                         60, lambda: f"{os.listdir(f'{bed.runtime}/tasks/rooms')}")
        harness.wait_for(lambda: bed.status("rooms")["results"] == KEYS, 60,
                         lambda: f"{bed.status('rooms')}")
        stop(bed)
        mark = bed.start_daemon(rooms)
        site.start_broker()
        bed.wait_connected(mark)
        whole(results, 1_200)
        first = results.once()
        publisher = bed.publisher()
        for minute, count in ((2, 3), (4, 1)):
            for i in range(KEYS * count):
                publisher.send(f"sensors/d{i % KEYS}/value", json.dumps(
                    {"ts": START + minute * 60_000, "room": f"r{i % KEYS}", "value": i}))
        publisher.finish()
        harness.wait_for(lambda: len(results.once()) == 2 * KEYS, 60,
                         lambda: f"{len(results.once())} results")
        rest = [r for topic, r in results.once() if (topic, r) not in first]
        assert [(r["n"], r.get("partial")) for r in rest] == [(3, None)] * KEYS, rest
        stop(bed)


def killed_while_they_end(programs):
    """kill -9 of the daemon again and again while the tasks end."""
    dice = harness.pick_seed()
    with harness.Bed(programs) as bed:
        bed.configure(workers=2)
        rooms, other = bed.write("rooms.yaml", by_room()), bed.write("other.yaml", OTHER)
        bed.start_daemon(rooms)
        bed.wait_connected()
        results = bed.collect("rooms/#")
        send(bed, 6_000)
        received(bed, "rooms", 6_000)
        bed.kill_daemon()
        starts = 0
        while os.path.exists(f"{bed.runtime}/tasks/rooms") and starts < 40:
            bed.start_daemon(other, ready=False)
            starts += 1
            if starts < 30:
                # At a moment between the start and the end of the last task.
                moment = time.monotonic() + dice.uniform(0.01, 0.16)
                while time.monotonic() < moment and bed.daemon.poll() is None:
                    time.sleep(0.002)
                bed.kill_daemon()
            else:
                gone(bed, "rooms")
        print(f"   {starts} starts", flush=True)
        whole(results, 6_000)
        assert bed.dead_letters() == []
        if bed.daemon is None:
            bed.start_daemon(other)
        else:
            harness.wait_for(lambda: "ready:" in bed.log(), 30, "the daemon is ready")
        stop(bed)


def kept_where_it_cannot_end(programs):
    """Its broker is gone from the configuration too: kept, said, and there when it comes back,
    over reboots."""
    with harness.Bed(programs) as bed, harness.Bed(programs) as site:
        upstream = f"site: {{ url: \"mqtt://127.0.0.1:{site.port}\" }}"
        bed.configure(workers=1, extra=upstream)
        rooms = bed.write("rooms.yaml", by_room(2, "broker: site, "))
        other = bed.write("other.yaml", OTHER)
        results = site.collect("rooms/#")
        bed.start_daemon(rooms)
        bed.wait_connected()
        send(bed, 1_200)
        received(bed, "rooms", 1_200)
        stop(bed)
        for config, names in (("", [other]), (upstream, [rooms]), (upstream, [other])):
            bed.configure(workers=1, extra=config)
            mark = bed.start_daemon(*names)
            said = bed.log()[mark:].count("it is kept as it is, with all of `rooms`: its results go "
                                          "to the broker `site`, which is not in the configuration any more")
            assert said == (1 if config == "" else 0), bed.log()[mark:]
            if names == [other] and config:
                gone(bed, "rooms")
                whole(results, 1_200)
            else:
                assert results.all() == []
            stop(bed)
            bed.empty_runtime()


if __name__ == "__main__":
    harness.main(a_removed_pipeline_works_off_what_it_has, a_removed_pipeline_ends_without_its_broker,
                 a_pipeline_removed_over_a_reboot,
                 fewer_partitions, more_partitions, fewer_and_more_partitions, killed_under_load,
                 a_pipeline_that_comes_back, killed_while_they_end, kept_where_it_cannot_end)

"""Changed pipelines: what is on its way under the earlier one goes on, and goes the right way."""
import json
import os
import time

import harness
from rooms import (KEYS, begin, by_device, by_room, close_windows, counted, received, send, stop,
                   wait_counted, windows)

RELAY = """
name: relay
source:
  mqtt: { topic: "plant/{machine}", qos: 1 }
partitions: 1
steps:
  - filter: value % 2 == REST
sink:
  mqtt: { broker: site, topic: "out/{machine}", qos: 1 }
"""


def in_one_stage(partitions, sink):
    """`rooms` by a part of the topic."""
    return windows("rooms", "device", partitions, sink)


def by_zone(partitions, sink):
    """`rooms` in two stages, but other ones."""
    return windows("rooms", "zone", partitions, sink)


def a_changed_plan_waits_for_room(programs):
    """A start with a changed pipeline while upstream is away and the journal is full."""
    with harness.Bed(programs) as bed, harness.Bed(programs, ["persistence true"]) as site:
        bed.configure(workers=1, extra=f"site: {{ url: \"mqtt://127.0.0.1:{site.port}\" }}",
                      limits="{ journal: 64KiB, record: 8KiB }")
        relay = bed.write("relay.yaml", RELAY.replace("REST", "0"))
        results = site.collect("out/#")
        site.stop_broker()
        bed.start_daemon(relay)
        bed.wait_connected()
        publisher = bed.publisher()
        for i in range(4_000):
            publisher.send("plant/a", json.dumps({"value": i, "pad": "x" * 150}))
        publisher.finish()
        harness.wait_for(lambda: bed.stands_still("relay"), 60, "back-pressure")
        bed.kill_daemon()
        bed.write("relay.yaml", RELAY.replace("REST", "1"))
        mark = bed.start_daemon(relay)
        said = "a journal of `relay` is full; its tasks go over to the changed plan when there is room"
        assert said in bed.log()[mark:], bed.log()[mark:]
        site.start_broker()

        def changed():
            publisher = bed.publisher()
            publisher.send("plant/a", json.dumps({"value": 1}))
            publisher.finish()
            return any(r["value"] % 2 == 1 for _, r in results.once())

        harness.wait_for(changed, 60, "a result of the changed plan")
        publisher = bed.publisher()
        for i in range(1_000_000, 1_000_020):
            publisher.send("plant/a", json.dumps({"value": i}))
        publisher.finish()
        harness.wait_for(lambda: [r["value"] for _, r in results.once() if r["value"] >= 1_000_000]
                         == list(range(1_000_001, 1_000_020, 2)), 60, "what came last")
        stop(bed)


def aside(bed):
    """The generations that `rooms` has tasks of."""
    return [name for name in os.listdir(f"{bed.runtime}/tasks") if name.startswith("rooms@")]


def other_stages_while_upstream_is_away(programs):
    """What is on its way under the earlier plan goes that way, and the changed one does not wait."""
    forms = {"one": in_one_stage, "two": by_room, "others": by_zone}
    for before, after in (("one", "two"), ("two", "one"), ("two", "others")):
        print(f"   from {before} to {after}", flush=True)
        with harness.Bed(programs) as bed, harness.Bed(programs, ["persistence true"]) as site:
            extra = f"site: {{ url: \"mqtt://127.0.0.1:{site.port}\" }}"
            bed.configure(workers=2, extra=extra)
            results = site.collect("rooms/#")
            path = bed.write("rooms.yaml", forms[before](2, "broker: site, "))
            bed.start_daemon(path)
            bed.wait_connected()
            site.stop_broker()
            send(bed, 2_400)
            send(bed, KEYS, 2)  # the first minute's results wait
            harness.wait_for(lambda: bed.status("rooms")["results"] == KEYS, 60,
                             lambda: f"{bed.status('rooms')}")
            send(bed, 2_400, 4)
            for how in ("a stop", "a kill", "another kill"):
                if how == "a stop":
                    received(bed, "rooms", 4_800 + KEYS)
                    stop(bed)
                    bed.empty_runtime()
                else:
                    bed.kill_daemon()
                bed.write("rooms.yaml", forms[after](2, "broker: site, "))
                mark = bed.start_daemon(path)
                bed.wait_connected(mark)
                assert aside(bed) == ["rooms@1"], bed.log()[mark:]
            send(bed, 2_400, 6)
            site.start_broker()
            wait_counted(results, 4_800 + KEYS)
            harness.wait_for(lambda: aside(bed) == [], 60, "the earlier tasks have ended")
            send(bed, KEYS, 8)
            wait_counted(results, 7_200 + KEYS)
            harness.wait_for(lambda: bed.status("rooms")["in_flight"] == 0, 30, "all is done")
            assert counted(results) == 7_200 + KEYS, (counted(results), bed.status("rooms"))
            assert bed.dead_letters() == [], bed.dead_letters()
            stop(bed)


def other_stages_and_a_renamed_broker(programs):
    """What waits goes where the sink is now, and what the broker sends again is known."""
    with harness.Bed(programs) as bed, harness.Bed(programs, ["persistence true"]) as site:
        results = site.collect("rooms/#")
        site.stop_broker()
        for name, form in (("site", by_room), ("plant", in_one_stage)):
            bed.configure(workers=2, extra=f"{name}: {{ url: \"mqtt://127.0.0.1:{site.port}\" }}")
            path = bed.write("rooms.yaml", form(2, f"broker: {name}, "))
            mark = bed.start_daemon(path)
            bed.wait_connected(mark)
            if name == "site":
                send(bed, 2_400)
                received(bed, "rooms", 2_400)
                bed.kill_daemon()
        site.start_broker()
        wait_counted(results, 2_400)
        harness.wait_for(lambda: aside(bed) == [], 60, lambda: bed.log()[mark:])
        send(bed, 2_400, 2)
        send(bed, KEYS, 4)
        wait_counted(results, 4_800)
        assert counted(results) == 4_800, (counted(results), bed.status("rooms"))
        assert bed.dead_letters() == [], bed.dead_letters()
        stop(bed)


def other_stages_under_load(programs):
    """kill -9 and other stages, again and again, with messages that the broker has no answer for."""
    dice = harness.pick_seed()
    with harness.Bed(programs) as bed:
        bed.configure(workers=2)
        path = bed.write("rooms.yaml", in_one_stage(4, ""))
        bed.start_daemon(path)
        bed.wait_connected()
        results = bed.collect("rooms/#")
        sent = 30_000
        publisher = begin(bed, sent)
        for form in (by_room, by_zone, in_one_stage, by_room):
            harness.wait_for(lambda: (bed.status("rooms") or {}).get("received", 0) > 0, 30, "some")
            time.sleep(dice.uniform(0, 0.15))
            bed.kill_daemon()
            bed.write("rooms.yaml", form(4, ""))
            bed.start_daemon(path)
        publisher.finish()
        send(bed, KEYS, 2)
        wait_counted(results, sent)
        harness.wait_for(lambda: bed.status("rooms")["in_flight"] == 0 and aside(bed) == [], 30,
                         "all is done")
        assert counted(results) == sent, (counted(results), sent)
        assert bed.dead_letters() == [], bed.dead_letters()
        stop(bed)


def other_stages_when_idle(programs):
    """Nothing is on its way: state goes on as far as it can, and no window is torn."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=2)
        results = bed.collect("rooms/#")
        path = bed.write("rooms.yaml", by_room(2))
        bed.start_daemon(path)
        bed.wait_connected()
        send(bed, 2_400)
        received(bed, "rooms", 2_400)
        stop(bed)
        # Another field that is read: other records between the stages.
        bed.write("rooms.yaml", by_room(2).replace("value >= 0", "value >= 0 && unit != 7"))
        mark = bed.start_daemon(path)
        bed.wait_connected(mark)
        assert aside(bed) == [] and "exchange other" not in bed.log()[mark:], bed.log()[mark:]
        send(bed, 2_400)
        send(bed, KEYS, 2)
        wait_counted(results, 4_800)
        assert [(r["n"], r.get("partial")) for _, r in results.once()] == [(200, None)] * KEYS
        stop(bed)


def another_spread(programs):
    """The topic says more of the key than before: records of a key go to other tasks."""
    text = by_device(4).replace("key: device", "key: [device, kind]")
    with harness.Bed(programs) as bed:
        bed.configure(workers=2)
        results = bed.collect("devices/#")
        path = bed.write("devices.yaml", text)
        bed.start_daemon(path)
        bed.wait_connected()
        send(bed, 2_400)
        received(bed, "devices", 2_400)
        stop(bed)
        bed.write("devices.yaml", text.replace("{device}/value", "{device}/{kind}"))
        mark = bed.start_daemon(path)
        bed.wait_connected(mark)
        bed.wait_unsubscribed("sensors/+/value")
        send(bed, 2_400)
        close_windows(bed)
        wait_counted(results, 4_800)
        assert counted(results) == 4_800, results.once()
        by_partial = [bool(r.get("partial")) for _, r in results.once()]
        assert sorted(by_partial) == [False] * KEYS + [True] * KEYS, results.once()
        stop(bed)


def neighbours_come_and_go(programs):
    """What others want in part or beside it takes and gives nothing to a pipeline that stays."""
    relay = RELAY.replace("  - filter: value % 2 == REST\n", "  - filter: \"true\"\n").replace("broker: site, ", "")
    with harness.Bed(programs, ["persistence true"]) as bed:
        bed.configure(workers=1)
        files = {name: bed.write(f"{name}.yaml", relay.replace("name: relay", f"name: {name}")
                                 .replace("plant/{machine}", topic).replace("out/{machine}", f"out/{name}"))
                 for name, topic in (("stays", "plant/+/value"), ("beside", "plant/m/+"), ("wide", "plant/#"))}
        sent = 0

        def send_more(count):
            publisher = bed.publisher()
            for i in range(count):
                publisher.send("plant/x/value", json.dumps({"value": i}))
            publisher.finish()
            return count

        # Who is there, and which filter is given up for it.
        phases = ((["stays"], None), (["beside", "stays"], None), (["stays"], "plant/m/+"),
                  (["wide", "beside", "stays"], "plant/+/value"), (["beside", "stays"], "plant/#"))
        for names, gone in phases:
            mark = bed.start_daemon(*[files[name] for name in names])
            bed.wait_connected(mark)
            if gone is not None:
                bed.wait_unsubscribed(gone)  # what comes in the first moment of a change may count twice
            sent += send_more(50)
            harness.wait_for(lambda: bed.status("stays")["received"] >= sent, 30,
                             lambda: f"{names}: {sent} sent, {bed.status('stays')}")
            assert bed.status("stays")["received"] == sent, (names, sent, bed.status("stays"))
            stop(bed)
            sent += send_more(50)
        assert "no pipeline needs the session" in bed.log(), bed.log()


def a_sink_that_is_gone(programs):
    """Results that wait for one go to the dead letters, those for others to theirs."""
    late = 'late:\n  mqtt: { broker: site, topic: "late/{device}" }\n'
    more = 'sinks:\n  copies:\n    mqtt: { topic: "copies/{device}" }\n'
    with harness.Bed(programs) as bed, harness.Bed(programs, ["persistence true"]) as site:
        bed.configure(workers=1, extra=f"site: {{ url: \"mqtt://127.0.0.1:{site.port}\" }}")
        text = by_device(1, "broker: site, ")
        path = bed.write("devices.yaml", text + late)
        at_site, here = site.collect("#"), bed.collect("copies/#")
        bed.start_daemon(path)
        bed.wait_connected()
        site.stop_broker()
        send(bed, KEYS)
        close_windows(bed)
        send(bed, KEYS)
        harness.wait_for(lambda: bed.status("devices")["late"] == KEYS, 60,
                         lambda: f"{bed.status('devices')}")
        for text_of_now in (text + more + late, text + more):
            bed.kill_daemon()
            bed.write("devices.yaml", text_of_now)
            mark = bed.start_daemon(path)
            bed.wait_connected(mark)
        site.start_broker()
        harness.wait_for(lambda: len(at_site.once()) == KEYS, 60, lambda: f"{at_site.once()}")
        harness.wait_for(lambda: bed.status("devices")["rejected"] == KEYS, 60,
                         lambda: f"{bed.status('devices')}")
        assert all(topic.startswith("devices/") for topic, _ in at_site.once()), at_site.once()
        letters = bed.dead_letters()
        assert len(letters) == KEYS, letters
        for letter in letters:
            assert letter["topic"].startswith("late/"), letter
            assert letter["reason"] == "the pipeline does not have its sink any more", letter
        assert here.all() == [], here.all()
        stop(bed)


if __name__ == "__main__":
    harness.main(a_changed_plan_waits_for_room, other_stages_while_upstream_is_away,
                 other_stages_and_a_renamed_broker, other_stages_under_load,
                 other_stages_when_idle, another_spread, neighbours_come_and_go, a_sink_that_is_gone)

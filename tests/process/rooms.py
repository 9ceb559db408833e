"""Pipelines over readings of devices in rooms, in one stage and in two, and their results."""
import json

import harness

START = 1_700_000_040_000  # a full minute
KEYS = 24

WINDOWS = """
name: NAME
source:
  mqtt: { topic: "sensors/{device}/value", qos: 1 }
timestamp: ts
partitions: PARTITIONS
steps:
  - filter: value >= 0
  - window:
      tumbling: 1m
      key: KEY
      aggregate: { n: count(), sum: sum(value) }
sink:
  mqtt: { SINKtopic: "NAME/{KEY}", qos: 1 }
"""
OTHER = """
name: other
source:
  mqtt: { topic: "elsewhere/{device}", qos: 1 }
sink:
  mqtt: { topic: "other/{device}", qos: 1 }
"""


def windows(name, key, partitions, sink=""):
    """A minute's readings by a key; `device` is in the topic, else there are two stages."""
    return (WINDOWS.replace("PARTITIONS", str(partitions)).replace("SINK", sink)
            .replace("NAME", name).replace("KEY", key))


def by_room(partitions=4, sink=""):
    return windows("rooms", "room", partitions, sink)


def by_device(partitions=4, sink=""):
    return windows("devices", "device", partitions, sink)


def begin(bed, count, minute=0):
    """Sends `count` readings of one minute, spread over the keys; a publisher to finish."""
    publisher = bed.publisher()
    for i in range(count):
        publisher.send(f"sensors/d{i % KEYS}/value", json.dumps(
            {"ts": START + minute * 60_000 + i * 50_000 // count, "room": f"r{i % KEYS}",
             "zone": f"z{i % KEYS}", "kind": "value", "value": i, "unit": 1}))
    return publisher


def send(bed, count, minute=0):
    begin(bed, count, minute).finish()


def received(bed, pipeline, count):
    harness.wait_for(lambda: (bed.status(pipeline) or {}).get("received", 0) == count, 60,
                     lambda: f"{bed.status(pipeline)}")


def stop(bed):
    bed.remember_children()
    assert bed.stop_daemon() == 0


def close_windows(bed):
    """A reading of every key, two minutes later."""
    send(bed, KEYS, 2)


def counted(collector):
    return sum(r["n"] for _, r in collector.once())


def wait_counted(collector, count):
    harness.wait_for(lambda: counted(collector) >= count, 60,
                     lambda: f"{counted(collector)} of {count}")

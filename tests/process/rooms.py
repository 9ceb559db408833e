"""Pipelines over readings of devices in rooms, in one stage and in two, and their results."""
import json

import harness

START = 1_700_000_040_000  # a full minute
KEYS = 24

# By a field of the payload: two stages.
BY_ROOM = """
name: rooms
source:
  mqtt: { topic: "sensors/{device}/value", qos: 1 }
timestamp: ts
partitions: PARTITIONS
steps:
  - filter: value >= 0
  - window:
      tumbling: 1m
      key: room
      aggregate: { n: count(), sum: sum(value) }
sink:
  mqtt: { SINKtopic: "rooms/{room}", qos: 1 }
"""
BY_DEVICE = """
name: devices
source:
  mqtt: { topic: "sensors/{device}/value", qos: 1 }
timestamp: ts
partitions: PARTITIONS
steps:
  - window:
      tumbling: 1m
      key: device
      aggregate: { n: count() }
sink:
  mqtt: { topic: "devices/{device}", qos: 1 }
"""
OTHER = """
name: other
source:
  mqtt: { topic: "elsewhere/{device}", qos: 1 }
sink:
  mqtt: { topic: "other/{device}", qos: 1 }
"""


def by_room(partitions=4, sink=""):
    return BY_ROOM.replace("PARTITIONS", str(partitions)).replace("SINK", sink)


def by_device(partitions=4):
    return BY_DEVICE.replace("PARTITIONS", str(partitions))


def send(bed, count, minute=0):
    """`count` readings of one minute, spread over the keys."""
    publisher = bed.publisher()
    for i in range(count):
        publisher.send(f"sensors/d{i % KEYS}/value", json.dumps(
            {"ts": START + minute * 60_000 + i * 50_000 // count, "room": f"r{i % KEYS}",
             "zone": f"z{i % KEYS}", "kind": "value", "value": i, "unit": 1}))
    publisher.finish()


def received(bed, pipeline, count):
    harness.wait_for(lambda: (bed.status(pipeline) or {}).get("received", 0) == count, 60,
                     lambda: f"{bed.status(pipeline)}")


def stop(bed):
    bed.remember_children()
    assert bed.stop_daemon() == 0


def close_windows(bed):
    """A reading of every key, two minutes later."""
    publisher = bed.publisher()
    for i in range(KEYS):
        publisher.send(f"sensors/d{i}/value", json.dumps(
            {"ts": START + 120_000, "room": f"r{i}", "kind": "value", "value": 0}))
    publisher.finish()


def counted(collector):
    return sum(r["n"] for _, r in collector.once())


def wait_counted(collector, count):
    harness.wait_for(lambda: counted(collector) >= count, 60,
                     lambda: f"{counted(collector)} of {count}")

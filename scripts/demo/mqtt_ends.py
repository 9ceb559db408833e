"""Both ends of the demo: who sends the readings, and who takes the aggregates upstream.

They count for themselves what they sent and got; the demo's verdict rests on that.
"""
import json
import socket
import threading
import time

import paho.mqtt.client as mqtt

STALE_EVERY = 23  # one reading in so many is marked as stale, for the filter
MESSAGES_PER_SECOND = 400


class Publisher:
    """Sends every sensor's reading again and again, with QoS 1, until it is stopped."""

    def __init__(self, port, sensors):
        self.sensors = sensors
        self.host = socket.gethostname().split(".")[0].lower() or "machine"
        self.sent_good = {name: 0 for name in sensors}
        self.sent_stale = 0
        self.acknowledged = 0
        self.failed = None
        self._stop = threading.Event()
        self._client = mqtt.Client(client_id="demo-publisher", clean_session=False)
        self._client.max_inflight_messages_set(500)
        self._client.on_publish = self._on_publish
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def sent(self):
        return sum(self.sent_good.values()) + self.sent_stale

    def start(self):
        self._thread.start()

    def stop(self):
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def close(self):
        self.stop()
        self._client.disconnect()
        self._client.loop_stop()

    def _on_publish(self, _client, _data, _message):
        self.acknowledged += 1

    def _run(self):
        # Sensors take turns, so that each has the same rate whatever their number is.
        names = list(self.sensors)
        start = time.monotonic()
        count = 0
        try:
            while not self._stop.is_set():
                self._send(names[count % len(names)], stale=count % STALE_EVERY == STALE_EVERY - 1)
                count += 1
                ahead = start + count / MESSAGES_PER_SECOND - time.monotonic()
                if ahead > 0:
                    self._stop.wait(ahead)
        except Exception as error:  # told by the main thread, which ends the demo
            self.failed = error

    def _send(self, name, stale):
        reading = {"ts": time.time_ns() // 1_000_000, "host": self.host, "sensor": name,
                   "value": round(self.sensors[name](), 3), "status": "stale" if stale else "ok"}
        self._client.publish(f"machine/{self.host}/{name}", json.dumps(reading), qos=1)
        if stale:
            self.sent_stale += 1
        else:
            self.sent_good[name] += 1


class Collector:
    """Takes every aggregate; one that comes again, by its runnel-id, counts once."""

    def __init__(self, port):
        self.latest = {}     # sensor: the last result
        self.counted = {}    # sensor: the sum of `n`
        self.results = 0
        self.repeated = 0
        self.anonymous = 0   # without a runnel-id
        self._ids = set()
        self._lock = threading.Lock()
        subscribed = threading.Event()
        self._client = mqtt.Client(client_id="demo-upstream", protocol=mqtt.MQTTv5)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("site/machines/#", qos=1)
        self._client.loop_start()
        if not subscribed.wait(10):
            raise RuntimeError("the broker does not answer")

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()

    def aggregated(self):
        with self._lock:
            return sum(self.counted.values())

    def table(self):
        with self._lock:
            return sorted(self.latest.items())

    def _on_message(self, _client, _data, message):
        identifier = dict(getattr(message.properties, "UserProperty", [])).get("runnel-id")
        result = json.loads(message.payload)
        with self._lock:
            if identifier is None:
                self.anonymous += 1
            elif identifier in self._ids:
                self.repeated += 1
                return
            self._ids.add(identifier)
            self.results += 1
            self.latest[result["sensor"]] = result
            self.counted[result["sensor"]] = self.counted.get(result["sensor"], 0) + result["n"]

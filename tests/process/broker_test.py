"""What brokers do to a daemon: refuse, forget, restart, repeat, cut off; and several of them.

broker_test.py PROGRAMS [TEST]
"""
import json
import os
import signal
import socket
import subprocess
import threading
import time

import harness
import paho.mqtt.client as mqtt

START = 1_700_000_040_000  # a full minute


def relay(name, source, target, qos=1, more="", retain="false"):
    """A pipeline that passes on what matches `source`."""
    return f"""
name: {name}
source:
  mqtt: {{ topic: "{source}", qos: {qos}{more} }}
steps:
  - select: [value, text]
sink:
  mqtt: {{ topic: "{target}", qos: {qos}, retain: {retain} }}
"""


COUNTING = """
name: counting
source:
  mqtt: { topic: "sensors/{device}/value", qos: 1 }
timestamp: ts
steps:
  - window:
      tumbling: 1m
      key: device
      aggregate: { n: count(), sum: sum(value) }
sink:
  mqtt: { topic: "out/{device}", qos: 1 }
"""


def send_all(bed, messages, qos=1):
    publisher = bed.publisher(20 if qos == 2 else 500)
    for topic, fields in messages:
        publisher.send(topic, json.dumps(fields), qos)
    publisher.finish()


def values(collector):
    return sorted(r["value"] for _, r in collector.once())


def wait_values(collector, wanted, seconds=30):
    harness.wait_for(lambda: len(collector.ids()) >= len(wanted), seconds,
                     lambda: f"{len(collector.ids())} of {len(wanted)}")
    assert values(collector) == sorted(wanted), (values(collector)[:20], sorted(wanted)[:20])


def log_says(bed, text, seconds=30):
    harness.wait_for(lambda: text in bed.log(), seconds, lambda: f"the log says `{text}`")


# Filters of pipelines, and the topics that come in. Some cover each other, some overlap
# in part, two are the same.
FILTERS = ["plant/#", "plant/+/raw", "+/m1/raw", "plant/m1/raw", "plant/m1/raw", "plant/m1/#",
           "+/+/raw", "other/{x}/raw", "plant/{a}/{b}"]
TOPICS = ["plant/m1/raw", "plant/m2/raw", "plant/m1/set", "plant/m1/raw/deep", "plant", "other/m1/raw"]


def matches(filter, topic):
    wanted, levels = filter.split("/"), topic.split("/")
    for i, level in enumerate(wanted):
        if level == "#":
            return True
        if i >= len(levels) or (level not in ("+", levels[i]) and level[0] != "{"):
            return False
    return len(wanted) == len(levels)


def overlapping_subscriptions(programs, version):
    with harness.Bed(programs) as bed:
        bed.configure(workers=2, version=version)
        files = [bed.write(f"p{i}.yaml", relay(f"p{i}", filter, f"got/{i}"))
                 for i, filter in enumerate(FILTERS)]
        # A retained message counts once for everybody who wants it.
        send_retained(bed, "plant/m1/raw", {"value": -1, "text": "kept"})
        bed.start_daemon(*files)
        bed.wait_connected()
        results = [bed.collect(f"got/{i}") for i in range(len(FILTERS))]
        messages = [(TOPICS[i % len(TOPICS)], {"value": i, "text": "x"}) for i in range(600)]
        for i, filter in enumerate(FILTERS):
            if matches(filter, "plant/m1/raw"):
                harness.wait_for(lambda: bed.status(f"p{i}")["received"] == 1, 20,
                                 lambda: f"the retained message at `{filter}`")
        send_all(bed, messages)
        for restart in range(2):
            for i, filter in enumerate(FILTERS):
                wanted = [f["value"] for topic, f in messages if matches(filter, topic)]
                kept = 1 if matches(filter, "plant/m1/raw") else 0
                # The result of the retained one may have come before the collector.
                harness.wait_for(lambda: len(results[i].ids()) >= len(wanted), 30,
                                 lambda: f"`{filter}`: {len(results[i].ids())} of {len(wanted)}")
                entry = bed.settled(f"p{i}")
                assert entry["received"] == len(wanted) + kept, (filter, entry, len(wanted), kept)
                got = [value for value in values(results[i]) if value >= 0]
                assert got == wanted, (filter, restart)
            if restart == 0:
                bed.remember_children()
                assert bed.stop_daemon() == 0
                mark = bed.start_daemon(*files)
                bed.wait_connected(mark)
        print(f"  MQTT {version}: {bed.log()[mark:].count('connected to')} sessions", flush=True)
        assert bed.stop_daemon() == 0


def send_retained(bed, topic, fields):
    client = mqtt.Client(protocol=mqtt.MQTTv311)
    client.connect("127.0.0.1", bed.port)
    client.loop_start()
    client.publish(topic, json.dumps(fields), qos=1, retain=True).wait_for_publish(20)
    client.loop_stop()
    client.disconnect()


def overlapping_subscriptions_mqtt_5(programs):
    overlapping_subscriptions(programs, "5")


def overlapping_subscriptions_mqtt_3_1_1(programs):
    overlapping_subscriptions(programs, "3.1.1")


def retained_messages_can_be_left_out(programs):
    with harness.Bed(programs) as bed:
        bed.configure(workers=1)
        send_retained(bed, "plant/a", {"value": 1, "text": ""})
        bed.start_daemon(bed.write("p.yaml", relay("p", "plant/+", "got", more=", retained: ignore")))
        bed.wait_connected()
        results = bed.collect("got")
        send_all(bed, [("plant/a", {"value": 2, "text": ""})])
        wait_values(results, [2])
        assert bed.status("p")["received"] == 1, bed.status("p")
        assert bed.stop_daemon() == 0


def results_can_be_retained(programs):
    with harness.Bed(programs) as bed:
        bed.configure(workers=1)
        bed.start_daemon(bed.write("p.yaml", relay("p", "plant/+", "got", retain="true")))
        bed.wait_connected()
        send_all(bed, [("plant/a", {"value": value, "text": ""}) for value in (1, 2, 3)])
        bed.settled("p")
        wait_values(bed.collect("got"), [3])
        assert bed.stop_daemon() == 0


def exactly_once(programs, version):
    """QoS 2 in and out, with kills of a worker and a stop in between: each result comes once."""
    with harness.Bed(programs, ["max_inflight_messages 20"]) as bed:  # mosquitto's default
        bed.configure(workers=2, version=version)
        pipeline = bed.write("p.yaml", relay("p", "plant/{m}/raw", "got/{value}", qos=2)
                             .replace("select: [value", "select: [m, value"))
        bed.start_daemon(pipeline)
        bed.wait_connected()
        results = bed.collect("got/#", qos=2)
        count = 3000
        for part in range(3):
            send_all(bed, [(f"plant/m{i % 5}/raw", {"value": i, "text": ""})
                           for i in range(part * count // 3, (part + 1) * count // 3)], qos=2)
            if part == 0:
                for pid in bed.child("runnel-worker"):
                    os.kill(pid, signal.SIGKILL)
            elif part == 1:
                bed.remember_children()
                assert bed.stop_daemon() == 0
                bed.start_daemon(pipeline)
        wait_values(results, range(count), 60)
        bed.settled("p")
        assert len(results.all()) == count, f"{len(results.all()) - count} results came twice"
        assert bed.stop_daemon() == 0


def exactly_once_mqtt_5(programs):
    exactly_once(programs, "5")


def exactly_once_mqtt_3_1_1(programs):
    exactly_once(programs, "3.1.1")


def refused_results_are_dead_letters(programs):
    """A topic that may not be written, a result that is too large: rejected, the rest goes on."""
    # With `max_queued_messages 0` mosquitto 2.0.11 cuts off who is refused a topic.
    bed = harness.Bed(programs, ["user root", "max_packet_size 3000", "max_queued_messages 1000000"])
    acl = bed.write("acl", "topic readwrite plant/#\ntopic readwrite good/#\ntopic write runnel/#\n")
    bed.broker_options.append(f"acl_file {acl}")
    with bed:
        bed.configure(workers=1)
        text = relay("p", "plant/+", "{place}/{value}").replace(
            "  - select: [value, text]", '  - set: { big: text + text }\n  - select: [place, value, big]')
        bed.start_daemon(bed.write("p.yaml", text))
        bed.wait_connected()
        results = bed.collect("good/#")
        messages = [("plant/a", {"value": i, "place": "bad" if i % 3 == 1 else "good",
                                 "text": "x" * (2000 if i % 3 == 2 else 10)}) for i in range(300)]
        send_all(bed, messages)
        wait_values(results, range(0, 300, 3))
        entry = bed.settled("p")
        assert (entry["published"], entry["rejected"]) == (100, 200), entry
        letters = bed.dead_letters()
        refused = [letter for letter in letters if letter["reason"] == "not authorized (0x87)"]
        large = [letter for letter in letters if "larger than the broker's maximum of 3000" in letter["reason"]]
        assert len(letters) == 200 and len(refused) == len(large) == 100, letters[0]
        assert [letter["topic"] for letter in refused] == [f"bad/{i}" for i in range(1, 300, 3)]
        assert [letter["topic"] for letter in large] == [f"good/{i}" for i in range(2, 300, 3)]
        assert json.loads(refused[0]["payload"])["place"] == "bad", refused[0]
        assert bed.stop_daemon() == 0


def refused_login(programs):
    """A wrong password is said once, plainly; the daemon tries on and ends when told to."""
    bed = harness.Bed(programs, ["user root", "allow_anonymous false"])
    passwords = bed.write("passwords", "gw:right\n")
    subprocess.run(["mosquitto_passwd", "-U", passwords], check=True)
    bed.broker_options.append(f"password_file {passwords}")
    with bed:
        bed.configure(workers=1)
        config = open(bed.config).read().replace("version: 5 }", "version: 5, username: gw, password: %s }")
        bed.write("runnel.yaml", config % "wrong")
        pipeline = bed.write("p.yaml", relay("p", "plant/+", "got"))
        bed.start_daemon(pipeline)
        log_says(bed, "warn: broker `local`: ")
        harness.wait_for(lambda: "not authorized" in bed.log().lower()
                         or "bad user name or password" in bed.log().lower(), 20, bed.log)
        assert "wrong" not in bed.log(), "the password is in the log"
        harness.wait_for(lambda: broker_log(bed).count("not authorised") >= 4, 60, "it tries on")
        assert bed.log().count("warn: broker `local`") == 1, bed.log()
        assert bed.stop_daemon() == 0
        bed.write("runnel.yaml", config % "right")
        mark = bed.start_daemon(pipeline)
        bed.wait_connected(mark)
        assert bed.stop_daemon() == 0


def broker_log(bed):
    with open(os.path.join(bed.folder, "mosquitto.log"), errors="replace") as file:
        return file.read()


def refused_subscription(programs):
    """Said as an error with the filter; other pipelines go on."""
    bed = harness.Bed(programs, ["user root", "per_listener_settings false",
                                 "plugin /usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so"])
    if not os.path.exists(bed.broker_options[-1].split()[1]):
        print("  skipped: mosquitto_dynamic_security.so is absent")
        return
    access = {"publishClientSend": True, "publishClientReceive": True, "subscribe": True, "unsubscribe": True}
    security = bed.write("security.json", json.dumps({
        "defaultACLAccess": access, "anonymousGroup": "all", "clients": [], "groups": [
            {"groupname": "all", "roles": [{"rolename": "some"}]}],
        "roles": [{"rolename": "some", "acls": [
            {"acltype": "subscribePattern", "topic": "secret/#", "priority": 1, "allow": False}]}]}))
    bed.broker_options.append(f"plugin_opt_config_file {security}")
    with bed:
        bed.configure(workers=1)
        bed.start_daemon(bed.write("a.yaml", relay("a", "secret/+", "got/a")),
                         bed.write("b.yaml", relay("b", "plant/+", "got/b")))
        log_says(bed, "error: broker `local`: subscription to `secret/+` was refused")
        assert "subscription to `plant" not in bed.log(), bed.log()
        results = bed.collect("got/#")
        send_all(bed, [("plant/a", {"value": 1, "text": ""})])
        wait_values(results, [1])
        assert bed.stop_daemon() == 0


def a_session_that_is_taken_over(programs):
    """Another client with the same id: said, and the daemon comes back."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=1)
        bed.start_daemon(bed.write("p.yaml", relay("p", "plant/+", "got")))
        bed.wait_connected()
        identity = bed.log().split("connected to ")[1].split("as `")[1].split("`")[0]
        results = bed.collect("got")
        for value in (1, 2):
            mark = len(bed.log())
            thief = mqtt.Client(client_id=identity, clean_session=False, protocol=mqtt.MQTTv311)
            gone = threading.Event()
            thief.on_disconnect = lambda *rest: gone.set()
            thief.connect("127.0.0.1", bed.port)
            thief.loop_start()
            harness.wait_for(lambda: "connection lost" in bed.log()[mark:], 20, "it is said")
            thief.disconnect()
            thief.loop_stop()
            bed.wait_connected(mark)
            send_all(bed, [("plant/a", {"value": value, "text": ""})])
            harness.wait_for(lambda: len(results.ids()) >= value, 30, lambda: results.all())
        assert values(results) == [1, 2]
        print("  " + next(line for line in bed.log().splitlines() if "connection lost" in line), flush=True)
        assert bed.stop_daemon() == 0


def a_broker_that_restarts_with_its_store(programs):
    """What the broker had for us comes after its restart, each message once."""
    with harness.Bed(programs, ["persistence true"]) as bed:
        bed.configure(workers=2)
        pipeline = bed.write("counting.yaml", COUNTING)
        bed.start_daemon(pipeline)
        bed.wait_connected()
        results = bed.collect("out/#")
        sent = 0
        for how in (signal.SIGTERM, signal.SIGTERM, "away"):
            os.kill(bed.daemon.pid, signal.SIGSTOP)  # so that the broker has something to keep
            send_all(bed, [(f"sensors/d{i % 4}/value", {"ts": START + i // 100 * 1000, "value": i})
                           for i in range(sent, sent + 1000)])
            sent += 1000
            mark = len(bed.log())
            bed.stop_broker(signal.SIGTERM)
            if how == "away":
                os.kill(bed.daemon.pid, signal.SIGCONT)
                harness.wait_for(lambda: "connection lost" in bed.log()[mark:], 20, "it is said")
            bed.start_broker()
            if how != "away":
                os.kill(bed.daemon.pid, signal.SIGCONT)
            bed.wait_connected(mark)
            harness.wait_for(lambda: bed.status("counting")["absorbed"] >= sent, 60,
                             lambda: bed.status("counting"))
        send_all(bed, [(f"sensors/d{i}/value", {"ts": START + 3_600_000, "value": 0}) for i in range(4)])
        harness.wait_for(lambda: len(results.ids()) >= 4, 30, lambda: results.all())
        bed.settled("counting")
        assert sum(r["n"] for _, r in results.once()) == sent, results.once()
        assert sum(r["sum"] for _, r in results.once()) == sum(range(sent)), results.once()
        assert bed.stop_daemon() == 0


def a_filter_that_nobody_wants_any_more(programs):
    """A changed topic: the old filter is unsubscribed, also when it was changed while stopped."""
    with harness.Bed(programs) as bed:
        bed.configure(workers=1)
        pipeline = bed.write("p.yaml", relay("p", "old/+", "got"))
        bed.start_daemon(pipeline)
        bed.wait_connected()
        results = bed.collect("got")
        assert bed.stop_daemon() == 0
        bed.write("p.yaml", relay("p", "new/+", "got"))
        mark = bed.start_daemon(pipeline)
        bed.wait_connected(mark)
        # A session that is resumed counts as subscribed; its new filter comes after that.
        with open(os.path.join(bed.folder, "mosquitto.log"), errors="replace") as log:
            harness.wait_for(lambda: log.seek(0) == 0 and " new/+" in log.read(), 30,
                             "the daemon has subscribed to the new filter")
        send_all(bed, [("new/a", {"value": 1, "text": ""})])
        wait_values(results, [1])
        send_all(bed, [("old/a", {"value": 2, "text": ""}), ("new/a", {"value": 3, "text": ""})])
        wait_values(results, [1, 3])
        assert bed.status("p")["received"] == 2, bed.status("p")
        assert bed.stop_daemon() == 0


def blocked_for_longer_than_the_keep_alive(programs):
    """Upstream away for so long that the broker cuts off a source that waits: nothing is lost."""
    with harness.Bed(programs) as bed, harness.Bed(programs, ["persistence true"]) as site:
        results = site.collect("got/#")
        site.stop_broker()
        bed.configure(workers=2, extra=f"upstream: {{ url: \"mqtt://127.0.0.1:{site.port}\" }}",
                      limits="{ journal: 64KiB, record: 4KiB }")
        config = open(bed.config).read().replace("version: 5 }", "version: 5, keep_alive: 5s }")
        bed.write("runnel.yaml", config)
        text = relay("p", "plant/{m}/raw", "got/{m}").replace('{ topic: "got', '{ broker: upstream, topic: "got')
        bed.start_daemon(bed.write("p.yaml", text.replace("[value", "[m, value")))
        bed.wait_connected()
        count = 10_000
        send_all(bed, [(f"plant/m{i % 7}/raw", {"value": i, "text": "x" * 60}) for i in range(count)])
        harness.wait_for(lambda: "has exceeded timeout" in broker_log(bed), 60, "the broker cuts it off")
        assert bed.status("p")["received"] < count, bed.status("p")
        site.start_broker()
        harness.wait_for(lambda: len(results.ids()) >= count, 120,
                         lambda: f"{len(results.ids())} of {count}: {bed.status('p')}")
        assert values(results) == list(range(count))
        print(f"  {bed.settled('p')['redelivered']} redelivered", flush=True)
        assert bed.stop_daemon() == 0


def two_source_brokers(programs):
    """Pipelines from two brokers, results to the other one each; ids tell them apart."""
    with harness.Bed(programs) as bed, harness.Bed(programs) as other:
        bed.configure(workers=2, extra=f"other: {{ url: \"mqtt://127.0.0.1:{other.port}\" }}")
        here = relay("here", "plant/+", "got").replace('sink:\n  mqtt: { topic', 'sink:\n  mqtt: { broker: other, topic')
        there = relay("there", "plant/+", "got", more=", broker: other")
        bed.start_daemon(bed.write("here.yaml", here), bed.write("there.yaml", there))
        bed.wait_connected()
        bed.wait_connected(broker=other)
        at_other, at_home = other.collect("got"), bed.collect("got")
        send_all(bed, [("plant/a", {"value": i, "text": ""}) for i in range(100)])
        send_all(other, [("plant/a", {"value": 1000 + i, "text": ""}) for i in range(100)])
        wait_values(at_other, range(100))
        wait_values(at_home, range(1000, 1100))
        # One of them away: the other way goes on.
        other.stop_broker()
        send_all(bed, [("plant/a", {"value": 100, "text": ""})])
        harness.wait_for(lambda: bed.status("here")["received"] == 101, 20, "taken in")
        assert bed.stop_daemon(40) == 0


def status_topic(programs):
    with harness.Bed(programs) as bed:
        bed.configure(workers=1)
        pipeline = bed.write("p.yaml", relay("p", "plant/+", "got"))
        said = bed.collect("runnel/+/status")
        for end in ("stop", "kill"):
            count = len(said.all())
            bed.start_daemon(pipeline)
            harness.wait_for(lambda: len(said.all()) > count and said.all()[-1][1] == b"online", 20, said.all)
            if end == "stop":
                assert bed.stop_daemon() == 0
            else:
                bed.kill_daemon()
            harness.wait_for(lambda: said.all()[-1][1] == b"offline", 20, said.all)


def packets_of(client):
    """(first byte, content) of what comes until nothing does for a second. CONNECT, which Paho may send a second
    behind the connection, and SUBSCRIBE are answered."""
    buffer, found = b"", []
    while True:
        client.settimeout(1 if found else 5)
        try:
            more = client.recv(4096)
        except socket.timeout:
            return found
        if not more:
            return found
        buffer += more
        while len(buffer) > 1 and len(buffer) >= 2 + buffer[1]:  # all are short
            found.append((buffer[0], buffer[2:2 + buffer[1]]))
            buffer = buffer[2 + buffer[1]:]
            if found[-1][0] >> 4 == 1:
                client.sendall(b"\x20\x02\x00\x00")
            elif found[-1][0] >> 4 == 8:
                client.sendall(b"\x90\x03" + found[-1][1][:2] + b"\x01")


def status_is_never_left_over(programs):
    """A broker that confirms no message and goes: each connection says `online` once, with QoS 0."""
    with harness.Bed(programs) as bed, socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        bed.configure(workers=1, extra=f'away: {{ url: "mqtt://127.0.0.1:{listener.getsockname()[1]}", version: 3.1.1 }}')
        bed.start_daemon(bed.write("a.yaml", "source: { mqtt: { broker: away, topic: in/# } }\n"
                                             "sink: { mqtt: { broker: local, topic: out } }\n"))
        sessions = 0
        while sessions < 3:
            client, _ = listener.accept()
            with client:
                packets = packets_of(client)
            if not packets:  # it looked only whether somebody listens
                continue
            sessions += 1
            published = [(first & 0xf, body) for first, body in packets if first >> 4 == 3]
            assert len(published) == 1, packets
            flags, body = published[0]
            assert flags == 1 and body.endswith(b"/statusonline"), published  # QoS 0, retained


if __name__ == "__main__":
    harness.main(overlapping_subscriptions_mqtt_5, overlapping_subscriptions_mqtt_3_1_1,
                 retained_messages_can_be_left_out, results_can_be_retained, exactly_once_mqtt_5,
                 exactly_once_mqtt_3_1_1, refused_results_are_dead_letters, refused_login,
                 refused_subscription, a_session_that_is_taken_over,
                 a_broker_that_restarts_with_its_store, a_filter_that_nobody_wants_any_more,
                 blocked_for_longer_than_the_keep_alive, two_source_brokers, status_topic,
                 status_is_never_left_over)

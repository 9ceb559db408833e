"""Results that a broker does not take: the others go out all the same."""
import json

import harness

RELAY = """
name: NAME
source: { mqtt: { topic: "NAME/in" } }
sink: { mqtt: { topic: "NAME/out/{to}", broker: up } }
"""


def relay(bed, name):
    return bed.write(f"{name}.yaml", RELAY.replace("NAME", name))


def topics_with_what_no_broker_takes(programs):
    """What would end the connection is percent-encoded in the topic."""
    with harness.Bed(programs) as bed, harness.Bed(programs) as up:
        bed.configure(workers=1, extra=f'up: {{ url: "mqtt://127.0.0.1:{up.port}" }}')
        mark = bed.start_daemon(relay(bed, "one"))
        bed.wait_connected(mark)
        results = up.collect("one/out/#")
        publisher = bed.publisher()
        for to in ("a\u0085b", "c\ufffed", "e\tf", "g/h"):
            publisher.send("one/in", json.dumps({"to": to}))
        publisher.finish()
        harness.wait_for(lambda: len(results.all()) >= 4, 30, lambda: results.all())
        assert [topic for topic, *_ in results.all()] == [
            "one/out/a%C2%85b", "one/out/c%EF%BF%BEd", "one/out/e%09f", "one/out/g%2Fh"], results.all()
        assert bed.stop_daemon() == 0


def a_result_that_ends_the_connection(programs):
    """MQTT 3.1.1 does not say how large a packet may be; mosquitto ends the connection for one."""
    with harness.Bed(programs) as bed, harness.Bed(programs, ["max_packet_size 2000"]) as up:
        bed.configure(workers=1, extra=f'up: {{ url: "mqtt://127.0.0.1:{up.port}", version: "3.1.1" }}')
        mark = bed.start_daemon(relay(bed, "one"), relay(bed, "two"))
        bed.wait_connected(mark)
        results = up.collect("+/out/#")
        publisher = bed.publisher()
        publisher.send("one/in", json.dumps({"to": "a"}))
        publisher.send("one/in", json.dumps({"to": "b", "text": "x" * 5_000}))
        for i in range(20):
            publisher.send("one/in", json.dumps({"to": f"c{i}"}))
            publisher.send("two/in", json.dumps({"to": f"d{i}"}))
        publisher.finish()
        wanted = {"one/out/a"} | {f"{name}/out/{letter}{i}" for i in range(20)
                                  for name, letter in (("one", "c"), ("two", "d"))}
        harness.wait_for(lambda: {topic for topic, *_ in results.all()} == wanted, 150,
                         lambda: f"{len(results.all())} results: {bed.log()[-2000:]}")
        harness.wait_for(lambda: bed.dead_letters(), 10, "the dead letter")
        letters = bed.dead_letters()
        assert [letter["reason"] for letter in letters] == [
            "the broker ends the connection each time it comes"], letters
        assert bed.status("one")["rejected"] == 1 and bed.status("two")["rejected"] == 0
        assert bed.stop_daemon() == 0


if __name__ == "__main__":
    harness.main(topics_with_what_no_broker_takes, a_result_that_ends_the_connection)

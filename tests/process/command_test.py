"""The command line as a newcomer meets it: help, mistakes, check, explain, status.

command_test.py PROGRAMS [TEST]
"""
import json
import os
import re
import subprocess
import tempfile
import xml.etree.ElementTree

import jsonschema
import yaml

import harness

GOOD = """
source:
  mqtt: { topic: "sensors/{device}/climate", qos: 1 }
timestamp: ts
steps:
  - filter: temp > -40 && temp < 85
  - window:
      tumbling: 10s
      key: device
      lateness: 2s
      aggregate: { n: count(), mean: mean(temp), p95: quantile(temp, 0.95) }
sink:
  mqtt: { topic: "site/a/climate/{device}", qos: 1 }
"""


VERBS = ("run", "check", "explain", "test", "try", "list", "describe", "schema", "reference", "status")


class Shell:
    """A folder with files, and the program run in it."""

    def __init__(self, programs):
        self.program = os.path.join(programs, "runnel")
        self.folder = tempfile.TemporaryDirectory(prefix="runnel-test-")

    def __enter__(self):
        return self

    def __exit__(self, *rest):
        self.folder.cleanup()

    def write(self, name, text):
        path = os.path.join(self.folder.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb" if isinstance(text, bytes) else "w") as file:
            file.write(text)
        return path

    def run(self, *words, code):
        done = subprocess.run([self.program, *words], capture_output=True, timeout=30,
                              cwd=self.folder.name, stdin=subprocess.DEVNULL,
                              env={**os.environ, "RUNNEL_TEST_HOST": "example.org"})
        done.stdout = done.stdout.decode("utf-8", "replace")
        done.stderr = done.stderr.decode("utf-8", "replace")
        assert done.returncode == code, f"{words}: {done.returncode}, wanted {code}\n{done}"
        return done


def help_and_version(programs):
    with Shell(programs) as shell:
        for word in ("--help", "-h", "help"):
            done = shell.run(word, code=0)
            assert done.stderr == "" and done.stdout.count("usage: runnel") == 1, done
            for verb in VERBS:
                assert re.search(rf"^  {verb} +\w", done.stdout, re.M), (verb, done.stdout)
        for verb in VERBS:
            done = shell.run(verb, "--help", code=0)
            assert done.stdout.startswith(f"runnel {verb}: ") and done.stderr == "", done
            assert shell.run("help", verb, code=0).stdout == done.stdout
            assert max(map(len, done.stdout.splitlines())) <= 80, done.stdout
        done = shell.run("--version", code=0)
        assert re.fullmatch(r"runnel \d+\.\d+\.\d+.*\n", done.stdout), done


# Words, what stderr has to say. The exit code is 2.
WRONG_USAGE = [
    ([], "no command given"),
    (["rnu"], "unknown command `rnu`\n  hint: did you mean `run`?"),
    (["chekc"], "did you mean `check`?"),
    (["--hlep"], "unknown option `--hlep`\n  hint: did you mean `--help`?"),
    (["--verison"], "did you mean `--version`?"),
    (["status", "--jsno"], "unknown option `--jsno`\n  hint: did you mean `--json`?"),
    (["run", "--confg", "x"], "did you mean `--config`?"),
    (["check", "-c"], "`-c` needs the name of a file"),
    (["help", "tset"], "unknown command `tset`\n  hint: did you mean `test`?"),
    (["-c", "x.yaml", "check"], "`-c` stands behind the command\n  hint: such as `runnel check -c FILE`"),
    (["xyzzy"], "unknown command `xyzzy`"),
    (["check", "absent.yaml"], "absent.yaml"),
    (["check", "-c", "absent.yaml"], "absent.yaml"),
    (["run", "-c", "absent.yaml"], "absent.yaml"),
]


def wrong_usage(programs):
    with Shell(programs) as shell:
        for words, says in WRONG_USAGE:
            done = shell.run(*words, code=2)
            assert says in done.stderr and done.stdout == "", (words, done.stderr)


# What is changed in the good pipeline, to what, what is said about it.
WRONG_PIPELINES = [
    ("tumbling: 10s", "tumblign: 10s", "did you mean `tumbling`?"),
    ("tumbling: 10s", "tumbling: 10 seconds", "is not a duration, such as 250ms or 10s"),
    ("tumbling: 10s", "tumbling: 0s", "tumbling"),
    ("lateness: 2s", "latenes: 2s", "did you mean `lateness`?"),
    ("window:", "windwo:", "unknown operator `windwo`"),
    ("mean(temp)", "maen(temp)", "did you mean `mean`?"),
    ("quantile(temp, 0.95)", "quantile(temp, 95)", "quantile"),
    ("temp < 85", "temp <", "filter"),
    ("temp < 85", "temp < 85)", "filter"),
    ("source:", "sources:", "did you mean `source`?"),
    ("mqtt: { topic: \"sensors", "mqtt: { topci: \"sensors", "did you mean `topic`?"),
    ("qos: 1 }\ntimestamp", "qos: 3 }\ntimestamp", "qos"),
    ("sensors/{device}/climate", "sensors/{device/climate", "{device/climate"),
    ("sensors/{device}/climate", "sensors/a#/climate", "#"),
    ("climate/{device}", "climate/{devcie}", "did you mean `device`?"),
    ("timestamp: ts", "timestamp: { field: ts, unti: s }", "did you mean `unit`?"),
    ("timestamp: ts", "decode: jsno\ntimestamp: ts", "did you mean `json`?"),
    ("timestamp: ts", "timestamp: ts\ntimestamp: t", "duplicate key"),
    ("sink:", "sink: &a\n  <<: *a", ""),
    ("timestamp: ts", "\ttimestamp: ts", "tab"),
    ("key: device", "key: [device", ""),
    ("key: device", "key: *device", ""),
]


def wrong_pipelines(programs):
    """Each mistake is shown with file, line, column, the line itself and a caret below it."""
    with Shell(programs) as shell:
        shell.run("check", shell.write("good.yaml", GOOD), code=0)
        for part, wrong, says in WRONG_PIPELINES:
            assert GOOD.count(part) == 1, part
            shell.write("bad.yaml", GOOD.replace(part, wrong))
            text = shell.run("check", "bad.yaml", code=2).stderr
            assert says in text, (wrong, says, text)
            shown = re.search(r"bad\.yaml:(\d+):(\d+): error: [^\n]+\n +(\d+) \| ([^\n]*)\n +\| ( *)\^", text)
            assert shown, f"no place is shown for `{wrong}`:\n{text}"
            line, column = int(shown[1]), int(shown[2])
            source = GOOD.replace(part, wrong).splitlines()[line - 1]
            assert int(shown[3]) == line and shown[4].expandtabs(1).rstrip() == source.expandtabs(1).rstrip(), text
            assert len(shown[5]) == column - 1, f"the caret is not at column {column}:\n{text}"


def all_mistakes_at_once(programs):
    with Shell(programs) as shell:
        shell.write("a.yaml", GOOD.replace("tumbling", "tumblign").replace("temp < 85", "temp <"))
        shell.write("b.yaml", GOOD.replace("sink:", "snik:"))
        shell.write("runnel.yaml", "workers: many\nlimits: { jurnal: 1MiB }\n")
        done = shell.run("check", "-c", "runnel.yaml", "a.yaml", "b.yaml", code=2)
        for says in ("a.yaml:", "b.yaml:", "runnel.yaml:1:", "`journal`?", "`tumbling`?", "`sink`?"):
            assert says in done.stderr, (says, done.stderr)
        assert shell.run("run", "-c", "runnel.yaml", "a.yaml", code=2).stderr.count("error:") >= 3
        assert shell.run("explain", "-c", "runnel.yaml", "a.yaml", code=2).stdout == ""


def suspicious_pipelines(programs):
    """What is allowed and hardly meant is said, and the pipeline runs."""
    looped = "source: { mqtt: { topic: \"a/#\" } }\nsink: { mqtt: { topic: \"a/{m}/out\" } }\n"
    with Shell(programs) as shell:
        done = shell.run("check", shell.write("p.yaml", looped), code=0)
        assert "p.yaml:2:24: warning: the source takes in what goes to `a/{m}/out`" in done.stderr, done
        for other in ("b/{m}/out", "{m}", "ab/x"):
            done = shell.run("check", shell.write("p.yaml", looped.replace("a/{m}/out", other)), code=0)
            assert done.stderr == "", done
        shell.write("runnel.yaml", "brokers: { here: mqtt://h, there: mqtt://t }\n")
        elsewhere = looped.replace("{ topic: \"a/{m}", "{ broker: there, topic: \"a/{m}")
        done = shell.run("check", "-c", "runnel.yaml", shell.write("p.yaml", elsewhere), code=0)
        assert done.stderr == "", done
        defaulted = looped.replace("{ topic: \"a/#", "{ broker: here, topic: \"a/#")
        done = shell.run("check", "-c", "runnel.yaml", shell.write("p.yaml", defaulted), code=0)
        assert "warning: the source takes in" in done.stderr, done
        nowhere = shell.write("p.yaml", elsewhere.replace("there,", "site-b,"))
        done = shell.run("check", "-c", "runnel.yaml", nowhere, code=2)
        assert "no broker `site-b` in runnel.yaml" in done.stderr and "it has `here`, `there`" in done.stderr, done


def loops_over_several_pipelines(programs):
    """Each on the way round is told; a chain, and who only feeds the loop, are not."""
    with Shell(programs) as shell:
        for name, source, sink in (("a", "a/+", "b/{n}"), ("b", "b/#", "c/x"), ("c", "c/{n}", "a/{n}"),
                                   ("feeds", "in/+", "a/y"), ("ends", "c/#", "out")):
            shell.write(name + ".yaml", f'source: {{ mqtt: {{ topic: "{source}" }} }}\nsink: {{ mqtt: {{ topic: "{sink}" }} }}\n'
                        .replace("b/{n}", "b/1"))
        done = shell.run("check", "a.yaml", "b.yaml", "c.yaml", "feeds.yaml", "ends.yaml", code=0)
        for file, to, topic, matches in (("a", "b", "b/1", "b/#"), ("b", "c", "c/x", "c/{n}"), ("c", "a", "a/{n}", "a/+")):
            assert (f"{file}.yaml:2:24: warning: pipeline `{to}` takes in what goes to `{topic}`, and what it makes of it "
                    f"comes back to this one\n") in done.stderr, done.stderr
            assert f"hint: publish to topics that `{matches}` does not match\n" in done.stderr, done.stderr
        assert done.stderr.count("warning:") == 3, done.stderr
        assert shell.run("check", "a.yaml", "b.yaml", "feeds.yaml", "ends.yaml", code=0).stderr == ""


# Contents of a pipeline file that is no pipeline: an answer or a clear error, never a crash.
HOSTILE = {
    "empty": b"",
    "only a comment": b"# nothing\n",
    "a list": b"- a\n- b\n",
    "a scalar": b"hello\n",
    "two documents": GOOD.encode() + b"---\n" + GOOD.encode(),
    "bad UTF-8": GOOD.encode().replace(b"climate", b"clim\xff\xfete"),
    "a zero byte": GOOD.encode().replace(b"climate", b"clim\0te"),
    "a byte order mark and UTF-16": GOOD.encode("utf-16"),
    "deep nesting": b"a: " + b"[" * 100_000,
    "deep nesting, closed": b"a: " + b"[" * 5_000 + b"]" * 5_000,
    "deep maps": b"".join(b" " * i + b"a:\n" for i in range(2_000)),
    "aliases that grow": b"a: &a [1,2,3,4,5,6,7,8,9]\n" + b"".join(
        b"%c: &%c [%s]\n" % (c + 1, c + 1, b",".join([b"*%c" % c] * 9)) for c in range(97, 110)),
    "a huge line": b"name: " + b"x" * 5_000_000 + b"\n",
    "many lines": b"".join(b"k%d: 1\n" % i for i in range(200_000)),
    "a deep expression": GOOD.replace("temp < 85", "(" * 10_000 + "temp" + ")" * 10_000).encode(),
    "a long expression": GOOD.replace("temp < 85", " && ".join(["temp < 85"] * 20_000)).encode(),
    "many minus signs": GOOD.replace("temp < 85", "-" * 50_000 + "temp < 85").encode(),
}


def hostile_files(programs):
    with Shell(programs) as shell:
        for name, contents in HOSTILE.items():
            shell.write("bad.yaml", contents)
            done = shell.run("check", "bad.yaml", code=2)
            assert "bad.yaml" in done.stderr and "error: " in done.stderr, (name, done.stderr[:500])
            assert len(done.stderr) < 20_000, f"{name}: {len(done.stderr)} bytes are printed"


def environment_and_credentials(programs):
    with Shell(programs) as shell:
        config = shell.write("runnel.yaml", """brokers:
  local: { url: "mqtt://${RUNNEL_TEST_HOST}:${RUNNEL_TEST_PORT:-1883}", password: "${cred:local}", username: a }
""")
        good = shell.write("good.yaml", GOOD)
        text = shell.run("check", "-c", config, good, code=2).stderr
        assert "cred" in text and "local" in text, text
        shell.write("credentials/local", "s3cret\n")
        os.environ["CREDENTIALS_DIRECTORY"] = os.path.join(shell.folder.name, "credentials")
        try:
            done = shell.run("check", "-c", config, good, code=0)
            assert "s3cret" not in done.stdout + done.stderr
        finally:
            del os.environ["CREDENTIALS_DIRECTORY"]
        shell.write("runnel.yaml", "brokers: { local: \"${RUNNEL_TEST_ABSENT:?set it in the unit}\" }\n")
        assert "set it in the unit" in shell.run("check", "-c", config, good, code=2).stderr


def missing_files(programs):
    """They may come, so it is a warning; with its place."""
    with Shell(programs) as shell:
        config = shell.write("runnel.yaml", "brokers:\n  up:\n    url: mqtts://127.0.0.1\n    ca: /absent/ca.pem\n    cert: /tmp\n"
                                            "    key: /absent/key.pem\n")
        text = shell.run("check", "-c", config, shell.write("good.yaml", GOOD.replace("mqtt: {", "mqtt: { broker: up,")), code=0).stderr
        for says in ("runnel.yaml:4:9: warning: there is no file `/absent/ca.pem`", "runnel.yaml:5:11: warning: `/tmp` is a folder",
                     "runnel.yaml:6:10: warning: there is no file `/absent/key.pem`"):
            assert says in text, text


def explain(programs):
    """The plan, the guarantee that results, and a sum of memory that adds up."""
    with Shell(programs) as shell:
        config = shell.write("runnel.yaml", "workers: 2\n")
        good = shell.write("good.yaml", GOOD)
        text = shell.run("explain", "-c", config, good, code=0).stdout
        for says in ("pipeline good", "guarantee", "every message once in the windows", "memory, worst case",
                     "worker 1  good 0.0, 0.2\n", "worker 2  good 0.1, 0.3\n", "bytes a key"):
            assert says in text, (says, text)
        parts = [int(n) * (1024 if unit == "MiB" else 1) for n, unit in
                 re.findall(r" (\d+) (KiB|MiB)$", text[text.index("memory, worst case"):], re.M)]
        assert len(parts) >= 3 and abs(sum(parts[:-1]) - parts[-1]) <= 2048, parts
        weak = GOOD.replace("qos: 1 }\ntimestamp", "qos: 0 }\ntimestamp")
        shell.write("weak.yaml", weak)
        assert "at most once" in shell.run("explain", "-c", config, "weak.yaml", code=0).stdout
        by_payload = GOOD.replace("key: device", "key: room").replace("{device}\",", "{room}\",")
        shell.write("room.yaml", by_payload)
        text = shell.run("explain", "-c", config, "room.yaml", code=0).stdout
        assert "exchange" in text and "stage 1" in text, text
        shell.write("alone.yaml", "workers: 0\n")
        text = shell.run("explain", "-c", "alone.yaml", good, code=0).stdout
        assert "workers: 0" in text and "the daemon  good 0.0, 0.1, 0.2, 0.3\n" in text, text
        shell.write("hopping.yaml", GOOD.replace("tumbling: 10s", "hopping: { size: 1m, every: 10s }"))
        text = shell.run("explain", "-c", config, "hopping.yaml", code=0).stdout
        assert "merges 6 panes to a window\n" in text, text


def status(programs):
    with harness.Bed(programs) as bed:
        bed.configure(workers=1)
        bed.start_daemon(bed.write("climate.yaml", GOOD))
        bed.wait_connected()
        publisher = bed.publisher()
        for i in range(10):
            publisher.send("sensors/a/climate", json.dumps({"ts": 1_700_000_000_000 + i, "temp": 20 * i}))
        publisher.finish()
        entry = bed.settled("climate")
        assert (entry["received"], entry["filtered"], entry["absorbed"]) == (10, 5, 5), entry
        plain = subprocess.run([os.path.join(programs, "runnel"), "status", "-c", bed.config],
                               capture_output=True, text=True, timeout=30)
        assert plain.returncode == 0 and "climate: received 10  filtered 5" in plain.stdout, plain
        for words, code, says in ((["climate"], 0, "climate: "), (["other/climate.yaml"], 0, "climate: "),
                                  (["climate", "other"], 1, "error: no pipeline `other` has run here\n")):
            one = subprocess.run([os.path.join(programs, "runnel"), "status", "-c", bed.config, *words],
                                 capture_output=True, text=True, timeout=30)
            assert one.returncode == code and says in one.stdout + one.stderr, one
        assert bed.stop_daemon() == 0
        # Also of a daemon that has stopped; and without any journal it says so.
        assert bed.status("climate")["received"] == 10
        empty = bed.write("empty.yaml", f"runtime: {bed.folder}/nowhere\nstate: {bed.folder}/state\n")
        none = subprocess.run([os.path.join(programs, "runnel"), "status", "-c", empty],
                              capture_output=True, text=True, timeout=30)
        assert none.returncode == 1 and none.stderr == (
            f"error: no daemon has run with `runtime: {bed.folder}/nowhere`\n"
            "  hint: give its configuration with `-c FILE`\n"), none


TESTED = GOOD + """tests:
  - name: one mean
    send:
      - { topic: sensors/a/climate, at: 0s, json: { ts: 1700000000000, temp: 20 } }
      - { topic: sensors/a/climate, at: 1s, json: { ts: 1700000001000, temp: 21 } }
    expect:
      - { topic: site/a/climate/a, json: { n: 2, mean: 20.5 } }
  - name: nothing
    send: []
    expect: []
"""


def tests_in_files(programs):
    """`runnel test`: what differs is said and updated; JUnit; wrong tests."""
    with Shell(programs) as shell:
        good = shell.write("good.yaml", TESTED)
        done = shell.run("test", good, code=0)
        assert "ok    good: one mean" in done.stdout and "2 passed, 0 failed" in done.stdout, done
        wrong = shell.write("wrong.yaml", TESTED.replace("mean: 20.5", "mean: 99, x: 1"))
        done = shell.run("test", "--junit", "out.xml", wrong, code=1)
        for says in ("FAIL  wrong: one mean", "`mean`: expected 99, got 20.5",
                     "`x`: expected 1, got no such field", "1 passed, 1 failed"):
            assert says in done.stdout, (says, done.stdout)
        with open(os.path.join(shell.folder.name, "out.xml")) as file:
            suite = xml.etree.ElementTree.parse(file).getroot().find("testsuite")
        assert suite.get("tests") == "2" and suite.get("failures") == "1", suite.attrib
        assert "20.5" in suite.find("testcase/failure").text
        shell.run("test", "--update", wrong, code=0)
        shell.run("test", wrong, code=0)
        assert not os.path.exists(wrong + ".new")
        updated = yaml.safe_load(open(wrong))["tests"]
        assert updated[0]["expect"][0]["json"]["mean"] == 20.5 and updated[1]["expect"] == []
        bad = shell.write("bad.yaml", TESTED.replace("at: 1s", "att: 1s"))
        assert "did you mean `at`?" in shell.run("test", bad, code=2).stderr
        late = shell.write("late.yaml", TESTED.replace("at: 0s", "at: 5s"))
        other = shell.write("other.yaml", TESTED.replace("topic: sensors/a/climate, at: 0s", "topic: rooms/a/climate, at: 0s"))
        for verb in ("test", "check"):
            assert "`at` goes back" in shell.run(verb, late, code=2).stderr
            assert "it gets no message with `rooms/a/climate`" in shell.run(verb, other, code=2).stderr


def manual(programs):
    """`list`, `describe`, `reference`, `try`: names are found, or the nearest is."""
    with Shell(programs) as shell:
        everything = json.loads(shell.run("list", "--json", code=0).stdout)
        assert len(everything) > 150 and {"kind", "name", "description"} == set(everything[0])
        for kind in ("operators", "aggregates", "codecs", "functions"):
            names = shell.run("list", kind, code=0).stdout
            assert names.count("\n") >= 7, names
        assert "did you mean `codecs`?" in shell.run("list", "codec", code=2).stderr
        for entry in everything:
            done = shell.run("describe", entry["name"], code=0)
            assert done.stdout.startswith(entry["name"]), done
        assert "did you mean `median`?" in shell.run("describe", "meidan", code=2).stderr
        assert shell.run("reference", code=0).stdout.startswith("# Reference")
        tried = shell.run("try", "temp * 9 / 5 + 32 > 90", "--record", '{"temp": 33}', code=0)
        assert tried.stdout == "true  (bool)\n", tried
        assert "no_such_field" in shell.run("try", "temp > 1", code=1).stderr
        record = ("--record", '{"temp": 33}')
        assert "does not go with int and string" in shell.run("try", "temp > 'a'", *record, code=1).stderr
        assert "did you mean `temp`?" in shell.run("try", "tmp > 3", *record, code=1).stderr
        assert shell.run("try", "temp / 0.0", *record, code=0).stdout == "Infinity, null in JSON  (double)\n"
        assert shell.run("try", "-temp", *record, code=0).stdout == shell.run("try", "0 - temp", *record, code=0).stdout
        assert shell.run("try", "has(tmp)", *record, code=0).stdout == "false  (bool)\n"
        wrong = shell.run("try", "temp >", code=2).stderr
        assert "expression:1:7: error" in wrong and "^" in wrong, wrong
        assert "JSON" in shell.run("try", "1", "--record", "{", code=2).stderr


def schemas(programs):
    """The JSON Schemas take what `check` takes, and not what it refuses."""
    with Shell(programs) as shell:
        pipeline = json.loads(shell.run("schema", code=0).stdout)
        device = json.loads(shell.run("schema", "runnel", code=0).stdout)
        for schema in (pipeline, device):
            jsonschema.Draft7Validator.check_schema({**schema, "$schema": ""})
        check = jsonschema.Draft7Validator(pipeline)
        examples = os.path.join(os.path.dirname(__file__), "..", "..", "examples")
        files = [os.path.join(examples, name) for name in sorted(os.listdir(examples))
                 if name.endswith(".yaml")]
        assert len(files) >= 6
        for path in files:
            with open(path) as file:
                errors = [error.message for error in check.iter_errors(yaml.safe_load(file))]
            assert not errors, (path, errors)
            shell.run("check", path, code=0)
        for part, wrong, _ in WRONG_PIPELINES[:6]:
            tree = yaml.safe_load(GOOD.replace(part, wrong))
            if wrong not in ("tumbling: 0s", "maen(temp)"):
                assert list(check.iter_errors(tree)), wrong
        text = json.dumps(pipeline)
        assert text.count('"description"') > 100, text.count('"description"')
        jsonschema.Draft7Validator(device).validate(
            {"workers": "auto", "brokers": {"local": {"url": "mqtt://127.0.0.1", "version": 5},
                                            "short": "mqtt://127.0.0.1"},
             "limits": {"journal": "256KiB", "record_timeout": "5s"}})
        for wrong in ({"local": [5]}, {"local": {"url": "mqtt://h", "version": 4}}, {"local": {}}):
            assert list(jsonschema.Draft7Validator(device).iter_errors({"brokers": wrong})), wrong


def internal_programs(programs):
    """Started by hand they say what they are."""
    for name in ("runnel-worker", "runnel-uplink"):
        for words in ([], ["--help"], ["1"]):
            done = subprocess.run([os.path.join(programs, name), *words], capture_output=True,
                                  text=True, timeout=30, stdin=subprocess.DEVNULL)
            assert done.returncode in (1, 2), done
            if words != ["1"]:
                assert "is started by `runnel run`" in done.stderr, done


if __name__ == "__main__":
    harness.main(help_and_version, wrong_usage, wrong_pipelines, all_mistakes_at_once, suspicious_pipelines, loops_over_several_pipelines, hostile_files,
                 environment_and_credentials, missing_files, explain, status, tests_in_files, manual, schemas,
                 internal_programs)

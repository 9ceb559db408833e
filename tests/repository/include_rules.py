"""Who may include what: folders, libraries, own header first, from the root."""
import os

import tree

BASE = {"pipelines/base"}
ENGINE = BASE | {"pipelines/spec", "pipelines/value", "pipelines/expr"}

# Folder of pipelines/: the folders that it may include beside itself.
INSIDE_PIPELINES = {
    "pipelines/base": set(),
    "pipelines/spec": BASE,
    "pipelines/value": BASE,
    "pipelines/expr": BASE | {"pipelines/spec", "pipelines/value"},
    "pipelines/codecs": ENGINE,
    "pipelines/aggregates": ENGINE,
    # A step may keep a record, encoded, in its state.
    "pipelines/operators": ENGINE | {"pipelines/codecs"},
    # A window is an operator, and holds aggregates.
    "pipelines/windows": ENGINE | {"pipelines/aggregates", "pipelines/operators"},
    "pipelines/plan": ENGINE | {"pipelines/codecs", "pipelines/aggregates",
                                "pipelines/operators", "pipelines/windows"},
    "pipelines/batch": ENGINE | {"pipelines/codecs", "pipelines/aggregates", "pipelines/operators",
                                 "pipelines/windows", "pipelines/plan"},
}
# Every component registers itself by it.
FOR_ALL_OF_PIPELINES = {"pipelines/plan/registry.h"}

# Folder of daemon/: the folders of daemon/ and config/ that it may include beside itself.
# pipelines/ is open to all of them.
INSIDE_DAEMON = {
    "daemon/posix": set(),
    "daemon/journal": {"daemon/posix"},
    "daemon/workers": {"daemon/posix", "daemon/journal"},
    "daemon/ingest": {"daemon/posix", "daemon/journal"},
    "daemon/mqtt": {"daemon/posix", "config"},
    "daemon/uplink": {"daemon/posix", "daemon/journal", "daemon/mqtt"},
    "daemon/batch": {"daemon/posix", "daemon/workers", "config"},
    "daemon/service": {"daemon/posix", "daemon/journal", "daemon/workers", "daemon/ingest",
                       "daemon/mqtt", "daemon/uplink", "config"},
}

# Beginning of an angle include: where it may stand. Tests and bench may have any.
LIBRARIES = {
    "yaml-cpp/": ["config/yaml.cc"],
    "mqtt/": ["daemon/mqtt/"],
    "MQTT": ["daemon/mqtt/"],
    "openssl/": ["daemon/mqtt/"],
    "zlib": ["daemon/batch/byte_source.cc"],
    "zstd": ["daemon/batch/byte_source.cc"],
    "asio": ["daemon/service/", "daemon/commands/"],
    "re2/": ["pipelines/expr/"],
    "simdjson": [],
}
# Of the operating system, in pipelines/: instructions for checksums and for scanning.
SYSTEM_IN_PIPELINES = {
    "pipelines/base/crc32c.cc": {"nmmintrin.h", "arm_acle.h", "sys/auxv.h"},
    "pipelines/base/scan.h": {"emmintrin.h", "arm_neon.h"},
}


def area_of(path):
    """`pipelines/expr`, `daemon/mqtt`, `config`, `tests`: what the rules are about."""
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] in ("pipelines", "daemon") and len(parts) > 2 else parts[0]


def check_quoted(path, name):
    area, target = area_of(path), area_of(name)
    if not os.path.exists(os.path.join(tree.ROOT, name)):
        return f"`{name}` is not a path from the root"
    if area in ("tests", "bench", target):
        return None
    if target in ("tests", "bench"):
        return f"{area} includes `{name}`"
    if area in INSIDE_PIPELINES:
        allowed = INSIDE_PIPELINES[area]
        if target not in allowed and name not in FOR_ALL_OF_PIPELINES:
            return f"{area} includes `{name}`; it may include {', '.join(sorted(allowed)) or 'nothing'}"
    elif area == "pipelines" or area.startswith("pipelines/"):
        return f"the folder {area} is not in the rules (include_rules.py)"
    elif area == "config":
        if not target.startswith("pipelines/"):
            return f"config includes `{name}`; it may include pipelines/"
    elif area in INSIDE_DAEMON:
        if not target.startswith("pipelines/") and target not in INSIDE_DAEMON[area]:
            return f"{area} includes `{name}`; of daemon/ and config/ it may include " \
                   f"{', '.join(sorted(INSIDE_DAEMON[area])) or 'nothing'}"
    return None


def check_angle(path, name):
    if path.startswith(("tests/", "bench/")):
        return None
    for library, places in LIBRARIES.items():
        if name.startswith(library):
            if not path.startswith(tuple(places) or "/"):
                return f"<{name}> belongs into {' and '.join(places) or 'tests and bench'} alone"
            return None
    standard = name.replace("_", "").isalnum()
    if path.startswith("pipelines/") and not standard:
        if name not in SYSTEM_IN_PIPELINES.get(path, set()):
            return f"<{name}> is not of the standard library"
    return None


def check_includes():
    for path in tree.files(*tree.CPP):
        listed = list(tree.includes(path))
        for line, kind, name in listed:
            problem = (check_quoted if kind == '"' else check_angle)(path, name)
            if problem:
                yield path, line, problem
        own = path[:-3] + ".h"
        if path.endswith(".cc") and os.path.exists(os.path.join(tree.ROOT, own)):
            if not listed or listed[0][2] != own:
                yield path, listed[0][0] if listed else 1, f"the own header `{own}` does not come first"


RULES = {"includes": check_includes}

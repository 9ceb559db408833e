"""What only a tool can tell: formatting, headers that compile alone, what the worker links."""
import concurrent.futures
import os
import re
import subprocess

import tree

COMPILER = ["g++", "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-DASIO_STANDALONE",
            "-DASIO_NO_DEPRECATED", "-I", tree.ROOT, "-x", "c++", "-"]
NOT_IN_WORKER = re.compile(r"asio|MQTTAsync|MQTTClient|SSL_|EVP_|YAML::|mqtt::")
LIBRARIES_NOT_IN_WORKER = re.compile(r"paho|ssl|crypto|yaml|re2")


def check_format():
    paths = list(tree.files(".h", ".cc"))
    result = subprocess.run(["clang-format-14", "--dry-run", *paths], cwd=tree.ROOT,
                            capture_output=True, text=True, timeout=300, check=False)
    places = sorted(set(re.findall(r"^(\S+?):(\d+):\d+: (?:warning|error)", result.stderr, re.M)))
    for path, line in places:
        yield path, int(line), "not as clang-format-14 writes it"
    if result.returncode != 0 and not places:
        yield ".clang-format", 1, result.stderr.strip()


def compile_alone(path):
    # Twice: what a header needs is there, and it may be included again.
    source = f'#include "{path}"\n#include "{path}"\n'
    result = subprocess.run(COMPILER, input=source, capture_output=True, text=True, timeout=300,
                            check=False)
    return path, result.stderr if result.returncode != 0 or result.stderr else ""


def check_headers_alone():
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for path, problem in pool.map(compile_alone, tree.files(".h")):
            if problem:
                yield path, 1, "it does not compile alone:\n" + problem


def check_worker(build):
    """The sandboxed process has none of the libraries that parse what the network brings."""
    worker = os.path.join(build, "daemon", "runnel-worker")
    dynamic = subprocess.run(["readelf", "-d", worker], capture_output=True, text=True, timeout=60,
                             check=True).stdout
    for library in re.findall(r"NEEDED.*\[(.*)\]", dynamic):
        if LIBRARIES_NOT_IN_WORKER.search(library):
            yield worker, 1, f"is linked with {library}"
    names = subprocess.run(["nm", "-C", worker], capture_output=True, text=True, timeout=60,
                           check=True).stdout
    found = NOT_IN_WORKER.search(names)
    if found:
        yield worker, 1, f"has code with the name `{found[0]}` in it"


RULES = {"format": check_format, "headers_alone": check_headers_alone}
BUILD_RULES = {"worker": check_worker}

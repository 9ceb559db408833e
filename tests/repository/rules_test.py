"""Each rule finds what it forbids, and nothing in what it allows; on made-up trees."""
import os
import sys
import tempfile

import folder_rules
import include_rules
import shape_rules
import tree

BODY = "  work();\n" * 70

CASES = [
    # rule, file, contents, the problem (empty: allowed)
    ("includes", "pipelines/base/a.h", '#include "pipelines/base/b.h"\n#include <vector>\n', ""),
    ("includes", "pipelines/base/a.h", '#include "pipelines/expr/b.h"\n', "may include nothing"),
    ("includes", "pipelines/expr/a.cc", '#include "pipelines/plan/plan.h"\n', "may include"),
    ("includes", "pipelines/windows/a.cc", '#include "pipelines/plan/registry.h"\n', ""),
    ("includes", "pipelines/new/a.cc", '#include "pipelines/base/b.h"\n', "not in the rules"),
    ("includes", "pipelines/base/a.cc", "#include <unistd.h>\n", "not of the standard library"),
    ("includes", "pipelines/codecs/a.cc", "#include <re2/re2.h>\n", "belongs into pipelines/expr/"),
    ("includes", "pipelines/expr/a.cc", "#include <re2/re2.h>\n", ""),
    ("includes", "config/a.cc", "#include <yaml-cpp/parser.h>\n", "belongs into config/yaml.cc"),
    ("includes", "config/a.cc", '#include "daemon/journal/ring.h"\n', "may include pipelines/"),
    ("includes", "daemon/workers/a.cc", '#include "daemon/mqtt/client.h"\n', "daemon/workers includes"),
    ("includes", "daemon/workers/a.cc", '#include "config/config.h"\n', "daemon/workers includes"),
    ("includes", "daemon/uplink/a.cc", "#include <asio.hpp>\n", "belongs into daemon/service/"),
    ("includes", "daemon/uplink/a.cc", "#include <MQTTAsync.h>\n", "belongs into daemon/mqtt/"),
    ("includes", "daemon/service/a.cc", '#include "bench/tool.h"\n', "daemon/service includes"),
    ("includes", "tests/a.cc", '#include "daemon/mqtt/client.h"\n#include <simdjson.h>\n', ""),
    ("includes", "daemon/mqtt/a.cc", '#include "client.h"\n', "not a path from the root"),
    ("includes", "pipelines/base/b.cc", '#include <vector>\n#include "pipelines/base/b.h"\n',
     "does not come first"),
    ("includes", "pipelines/base/b.cc", '// #include "daemon/x.h"\n#include "pipelines/base/b.h"\n', ""),
    ("file_length", "config/a.cc", "\n" * 500, ""),
    ("file_length", "config/a.cc", "\n" * 501, "501 lines, at most 500"),
    ("function_length", "config/a.cc", "void F() {\n" + "  x();\n" * 58 + "}\n", ""),
    ("function_length", "config/a.cc", "void F() {\n" + "  x();\n" * 59 + "}\n", "61 lines"),
    ("function_length", "config/a.cc", "namespace a {\nclass B : public C<D> {\n int F(int x = 1,\n"
     "  int y = {}) const override {\n" + BODY + "}\n};\n}\n", "73 lines"),
    ("function_length", "config/a.cc", "A::A(int b)\n    : b_(b), c_{1, 2} {\n" + BODY + "}\n",
     "73 lines"),
    ("function_length", "config/a.cc", "auto F() -> std::vector<int> {\n" + BODY + "}\n", "72 lines"),
    ("function_length", "config/a.cc", "TEST(A, B) {\n" + BODY + "}\n", "72 lines"),
    ("function_length", "config/a.cc", "int k = 1;\n#define X {\nvoid F() {\n" + BODY + "}\n", "72 lines"),
    ("function_length", "config/a.cc", 'void F() {\n  s = "}";  // }\n' + BODY + "}\n", "73 lines"),
    ("function_length", "config/a.cc", "constexpr A k[] = {\n" + "  {1, 2},\n" * 70 + "};\n", ""),
    ("function_length", "config/a.h", "struct A {\n" + "  int f() { return 1; }\n" * 70 + "};\n", ""),
    ("function_length", "tests/a.py", "def f():\n" + "    x()\n" * 60, "61 lines"),
    ("headers", "config/a.h", "// A: is.\n#pragma once\n", ""),
    ("headers", "config/a.h", "// A: is.\n", "#pragma once"),
    ("headers", "config/a.h", "#pragma once\n", "does not open with what it is"),
    ("purity", "pipelines/base/a.cc", "int x = time(nullptr);\n", "`time(nullptr)`"),
    ("purity", "pipelines/base/a.cc", "// time(nullptr)\nauto y = record.time();  // clock\n", ""),
    ("purity", "pipelines/base/a.cc", "auto x = std::chrono::steady_clock::now();\n", "`steady_clock`"),
    ("purity", "pipelines/base/a.cc", "#include <random>\n", "<random>"),
    ("purity", "daemon/a.cc", "auto x = getenv(name);\n", ""),
    ("readmes", "config/README.md", "It is `a`.\n", "`a.cc` is not named"),
    ("readmes", "config/README.md", "- `a.cc`, `c.cc`: both.\n", "`c.cc` is not in the folder"),
    ("readmes", "config/README.md", "- `a.cc`: see `other.cc` of Paho.\n", ""),
    ("readmes", "bench/a.cc", "", "has code and no README.md"),
    ("names", "config/CamelCase.cc", "", "not snake_case"),
    ("names", "config/kebab-case.py", "", "not snake_case"),
    ("links", "docs/a.md", "see [b](b.md) and [c](https://example.org)\n", "leads nowhere: b.md"),
    ("links", "docs/a.md", "see [a](a.md#there)\n", ""),
    ("nothing_left", "config/a.cc", "// TO" "DO: later\n", "an open end"),
]

RULES = {**include_rules.RULES, **shape_rules.RULES, **folder_rules.RULES}
ALWAYS_THERE = ("pipelines/base/b.h", "pipelines/expr/b.h", "pipelines/plan/plan.h",
                "pipelines/plan/registry.h", "daemon/journal/ring.h", "daemon/mqtt/client.h",
                "config/config.h", "bench/tool.h")


def write(root, path, contents):
    os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
    with open(os.path.join(root, path), "w", encoding="utf-8") as file:
        file.write(contents)


def violations(rule, path, contents):
    with tempfile.TemporaryDirectory() as root:
        tree.ROOT = root
        if rule == "includes":
            for header in ALWAYS_THERE:
                write(root, header, "")
        if rule == "readmes" and path.endswith("README.md"):
            write(root, os.path.dirname(path) + "/a.cc", "")
        write(root, path, contents)
        return [problem for _, _, problem in RULES[rule]()]


def main():
    wrong = 0
    for rule, path, contents, expected in CASES:
        found = violations(rule, path, contents)
        good = not found if expected == "" else len(found) == 1 and expected in found[0]
        if not good:
            wrong += 1
            print(f"{rule} on {path}: {contents[:60]!r}\n  expected: {expected!r}\n  found: {found}")
    print(f"{len(CASES) - wrong} passed, {wrong} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

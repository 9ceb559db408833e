"""The files of the repository, and C++ without its comments and literals."""
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED = {".git", "build", "__pycache__", "corpus"}
CPP = (".h", ".cc", ".def")
CODE = (*CPP, ".py", ".sh")


def folders():
    """(path from the root, names of folders, names of files) of every folder."""
    for at, inner, names in os.walk(ROOT):
        inner[:] = sorted(name for name in inner
                          if name not in SKIPPED and not name.startswith("."))
        yield os.path.relpath(at, ROOT), inner, sorted(names)


def files(*endings):
    """Paths from the root of all files with one of the endings."""
    for at, _, names in folders():
        for name in names:
            if name.endswith(endings):
                yield os.path.normpath(os.path.join(at, name))


def text(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


LITERALS = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"([^(\n]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""", re.S)


def code(path):
    """The C++ of a file with comments gone and literals empty; every line stays in place."""
    source = text(path)

    def blank(match):
        # The separators of 10'000 are no literal.
        if match[0][0] == "'" and re.search(r"\w$", source[:match.start()][-1:]):
            return match[0]
        lines = "\n" * match[0].count("\n")
        return lines if match[0][0] == "/" else '""' + lines

    # Where a quote only separates digits, matching goes on behind it.
    source = re.sub(r"(?<=\d)'(?=\d)", "", source)
    return LITERALS.sub(blank, source)


INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)


def includes(path):
    """(line, `"` or `<`, name) of each #include."""
    source = text(path)
    for match in INCLUDE.finditer(source):
        yield source.count("\n", 0, match.start(2)) + 1, match[1], match[2]

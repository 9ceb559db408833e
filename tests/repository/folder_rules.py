"""Names of files, READMEs that name every file, links that lead somewhere, nothing left to do."""
import os
import re

import tree

# A README need not name these.
NOT_NAMED = {"README.md", "CMakeLists.txt"}
PLACES_OF_READMES = tuple(tree.CODE)


def has_code(names):
    return any(name.endswith(PLACES_OF_READMES) for name in names)


def check_readmes():
    for at, _, names in tree.folders():
        if at == "." or not has_code(names):
            continue
        readme = os.path.join(at, "README.md")
        if "README.md" not in names:
            yield readme, 1, "the folder has code and no README.md"
            continue
        text = tree.text(readme)
        for name in names:
            if name not in NOT_NAMED and f"`{name}`" not in text:
                yield readme, 1, f"`{name}` is not named"
        for match in re.finditer(r"^\s*(?:-|\|)\s*((?:`[^`]+`(?:, )?)+)", text, re.M):
            for name in re.findall(r"`([^`/]+\.(?:h|cc|def|py|sh))`", match[1]):
                if name not in names:
                    line = text.count("\n", 0, match.start(1)) + 1
                    yield readme, line, f"`{name}` is not in the folder"


def check_names():
    for at, inner, names in tree.folders():
        for name in inner:
            if not re.fullmatch(r"[a-z0-9_]+", name) and has_code(os.listdir(
                    os.path.join(tree.ROOT, at, name))):
                yield os.path.join(at, name), 1, "the name of the folder is not snake_case"
        for name in names:
            if name.endswith(tree.CODE) and not re.fullmatch(r"[a-z0-9_]+\.[a-z]+", name):
                yield os.path.join(at, name), 1, "the name of the file is not snake_case"


def check_links():
    for path in tree.files(".md"):
        text = tree.text(path)
        for match in re.finditer(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if re.match(r"[a-z]+:", match[1]):
                continue
            target = os.path.join(tree.ROOT, os.path.dirname(path), match[1])
            if not os.path.exists(target):
                yield path, text.count("\n", 0, match.start()) + 1, f"the link leads nowhere: {match[1]}"


# In two parts, or this file would be found.
LEFT = re.compile(r"\b(TO" r"DO|FIX" r"ME)\b")


def check_nothing_left():
    for path in tree.files(*tree.CODE, ".txt", ".cmake", ".yaml", ".in", ".md", ".json"):
        for number, line in enumerate(tree.text(path).split("\n"), 1):
            if LEFT.search(line):
                yield path, number, "an open end; finish it or file an issue"


RULES = {"readmes": check_readmes, "names": check_names, "links": check_links,
         "nothing_left": check_nothing_left}

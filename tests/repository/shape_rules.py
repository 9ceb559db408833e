"""How long files and functions may be, how headers begin, what pipelines/ may not call."""
import ast
import re

import tree

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60


def check_files():
    for path in tree.files(*tree.CODE):
        lines = tree.text(path).count("\n")
        if lines > FILE_LINES_MAX:
            yield path, lines, f"{lines} lines, at most {FILE_LINES_MAX}"


SCOPE = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b[^()=]*$")
NO_FUNCTION = re.compile(r"(=|,|\(|\[|return|\belse|\bdo|\btry)\s*$")
# The end of a signature, or of the initializers of members behind it.
SIGNATURE = re.compile(r"(\)|\)\s*:[^;]*\})\s*(const|override|final|noexcept|mutable|&|\s|->[\s\w:<>,*&]+"
                       r"|requires[^{]*)*$")


def cpp_functions(source):
    """(first line, last line) of each function body at namespace or class scope."""
    stack = []      # of (is a scope for functions, line where a function began or None)
    begin = 0       # where the text in front of the next brace begins
    for match in re.finditer(r"[{};]|^\s*#(?:[^\n]*\\\n)*[^\n]*|^\s*(?:public|private|protected)\s*:",
                             source, re.M):
        token, at = match[0], match.start()
        in_scope = all(is_scope for is_scope, _ in stack)
        if token == "{":
            head = source[begin:at]
            function_line = None
            is_scope = bool(SCOPE.search(head))
            if in_scope and not is_scope and not NO_FUNCTION.search(head) and SIGNATURE.search(head):
                first = begin + len(head) - len(head.lstrip())
                function_line = source.count("\n", 0, first) + 1
            stack.append((is_scope, function_line))
        elif token == "}":
            is_scope, function_line = stack.pop() if stack else (True, None)
            if function_line is not None:
                yield function_line, source.count("\n", 0, at) + 1
            elif not is_scope:
                continue  # of an initializer: the head goes on
        if all(is_scope for is_scope, _ in stack):
            begin = match.end()


def check_functions():
    for path in tree.files(*tree.CPP):
        for first, last in cpp_functions(tree.code(path)):
            if last - first + 1 > FUNCTION_LINES_MAX:
                yield path, first, f"a function of {last - first + 1} lines, at most {FUNCTION_LINES_MAX}"
    for path in tree.files(".py"):
        for node in ast.walk(ast.parse(tree.text(path))):
            if isinstance(node, ast.FunctionDef):
                lines = node.end_lineno - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    yield path, node.lineno, f"a function of {lines} lines, at most {FUNCTION_LINES_MAX}"


def check_headers():
    for path in tree.files(".h"):
        source = tree.text(path)
        if source.count("#pragma once") != 1:
            yield path, 1, "`#pragma once` does not stand in it once"
        if not source.startswith("//"):
            yield path, 1, "it does not open with what it is"


IMPURE = re.compile(
    r"\b(system_clock|steady_clock|high_resolution_clock|gettimeofday|clock_gettime|localtime|getenv"
    r"|random_device|mt19937(?:_64)?|srand|getrandom|fopen|ifstream|ofstream|std::thread|std::mutex"
    r"|std::filesystem|thread_local)\b|(?<![.>\w])(?:time\(\s*(?:nullptr|NULL|0)\s*\)|(?:rand|clock)\(\s*\))")
IMPURE_HEADERS = {"random", "thread", "mutex", "fstream", "iostream", "filesystem", "ctime", "future",
                  "condition_variable", "unistd.h"}


def check_purity():
    """pipelines/ reads no clock, no random number, no file, no environment, and has no threads."""
    for path in tree.files(*tree.CPP):
        if not path.startswith("pipelines/"):
            continue
        for number, line in enumerate(tree.code(path).split("\n"), 1):
            found = IMPURE.search(line)
            if found:
                yield path, number, f"`{found[0]}` in pipelines/"
        for number, kind, name in tree.includes(path):
            if kind == "<" and name in IMPURE_HEADERS:
                yield path, number, f"<{name}> in pipelines/"


RULES = {"file_length": check_files, "function_length": check_functions, "headers": check_headers,
         "purity": check_purity}

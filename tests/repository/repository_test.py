"""Keeps the rules of the folders and of the style guide. Prints file:line of each violation.

usage: repository_test.py BUILD_FOLDER RULE...
"""
import sys

import folder_rules
import include_rules
import shape_rules
import tool_rules

RULES = {**include_rules.RULES, **shape_rules.RULES, **folder_rules.RULES, **tool_rules.RULES}


def main():
    known = {*RULES, *tool_rules.BUILD_RULES}
    if len(sys.argv) < 3 or not set(sys.argv[2:]) <= known:
        print(__doc__ + "rules: " + " ".join(sorted(known)), file=sys.stderr)
        return 2
    wrong = 0
    for rule in sys.argv[2:]:
        violations = RULES[rule]() if rule in RULES else tool_rules.BUILD_RULES[rule](sys.argv[1])
        for path, line, problem in violations:
            print(f"{path}:{line}: {rule}: {problem}")
            wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""No file of ours grows past what one sitting can read: 800 lines, 600 for an ODS file. From 500 lines on the file is
named, without failing, as one to split."""

import sys

from common import files, run, text_of

LIMIT = 800
LIMIT_TD = 600
WATCHED = 500
ENDINGS = (".c", ".cpp", ".h", ".hpp", ".py", ".sh", ".td", ".def", ".cmake", "CMakeLists.txt")


def check(root):
    messages = []
    for path in files(root, *ENDINGS):
        count = len(text_of(path).splitlines())
        limit = LIMIT_TD if path.suffix == ".td" else LIMIT
        if count > limit:
            messages.append(f"{path.relative_to(root)}: {count} lines, the limit is {limit}: split it by what it does")
        elif count >= WATCHED:
            print(f"note: {path.relative_to(root)} has {count} lines", file=sys.stderr)
    return messages


CASES = [
    ("at the limit", {"lib/a.cpp": "x\n" * 800, "dialects/a.td": "x\n" * 600}, []),
    ("one line over", {"lib/a.cpp": "x\n" * 801, "lib/b.td": "x\n" * 601}, ["a.cpp: 801 lines", "b.td: 601 lines"]),
    ("build folders are not ours", {"build-dev/a.cpp": "x\n" * 900}, []),
]

if __name__ == "__main__":
    run(check, CASES)

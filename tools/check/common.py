"""What the checks share: walking the tree, reporting, and the self-test that shows that a check can fail.

A check is a function `check(root) -> list of messages`; an empty list is a pass. `run` makes it a program:
  CHECK.py [--self-test] [ROOT]
With --self-test it builds the small trees of `cases` and demands exactly the messages that each of them names.
"""

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Folders that hold no source of ours.
SKIPPED = {".git", "__pycache__", "golden", "data", "generated", "results"}


def files(root, *endings):
    """Every file of ours whose name ends so, in a fixed order; build folders are left out."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIPPED and not f.startswith("build"))
        for name in sorted(names):
            if name.endswith(endings):
                yield Path(folder, name)


def text_of(path):
    return path.read_text(encoding="utf-8", errors="replace")


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def self_test(check, cases):
    """cases: (name, {path: text}, [part of each expected message]). Returns messages about what went wrong."""
    wrong = []
    for name, tree, expected in cases:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for path, text in tree.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
                (root / path).chmod(0o755 if text.startswith("#!") else 0o644)
            found = check(root)
        if len(found) != len(expected) or any(part not in message for part, message in zip(expected, found)):
            wrong.append(f"self-test '{name}': expected {expected}, found {found}")
    return wrong


def run(check, cases):
    arguments = sys.argv[1:]
    if "--self-test" in arguments:
        messages = self_test(check, cases)
    else:
        messages = check(Path(arguments[0]).resolve() if arguments else ROOT)
    print("\n".join(messages), end="\n" if messages else "")
    sys.exit(bool(messages))

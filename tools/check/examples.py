"""Every ```mlir fence of the documentation is a whole text that sparse-attn-opt parses and verifies: the examples of
the ops (through docs/generated, which is made from the .td files), the hand-written pages and the README. Fragments
belong in fences without a language; only passes show their Before and After in excerpts, and their tests the whole.
Every op of the pattern language has such an example.
"""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from common import line_of, run, text_of

FENCE = re.compile(r"^```mlir\n(.*?)^```", re.DOTALL | re.MULTILINE)
OP = re.compile(r"^### `(sattn\.\w+)`(.*?)(?=^### |^## |\Z)", re.DOTALL | re.MULTILINE)
TOOL = "build/bin/sparse-attn-opt"
LANGUAGE = "docs/generated/pattern.md"
PASSES = "docs/generated/passes.md"


def pages(root):
    yield from (path for path in [root / "README.md", root / "CONTRIBUTING.md"] if path.exists())
    yield from (path for path in sorted((root / "docs").rglob("*.md")) if path != root / PASSES)


def verify(tool, place, text):
    result = subprocess.run([tool, "-"], input=text, capture_output=True, text=True, timeout=60)
    if result.returncode == 0:
        return None
    error = next((line for line in result.stderr.splitlines() if "error:" in line), f"exit {result.returncode}")
    return f"{place}: the example does not verify: {error}"


def without_example(root):
    page = root / LANGUAGE
    for name, section in OP.findall(text_of(page)) if page.exists() else ():
        if "```mlir\n" not in section:
            yield f"{LANGUAGE}: op '{name}' has no example in an mlir fence"


def check(root):
    tool = root / TOOL
    if not tool.exists():
        return [f"{TOOL} is missing: run tools/setup.sh first"]
    fences = []
    for path in pages(root):
        text = text_of(path)
        for match in FENCE.finditer(text):
            fences.append((f"{path.relative_to(root)}:{line_of(text, match.start())}", match.group(1)))
    if not fences:
        return ["no example was found in docs/"]
    with ThreadPoolExecutor() as pool:
        messages = [message for message in pool.map(lambda fence: verify(tool, *fence), fences) if message]
    return messages + list(without_example(root))


FAKE = "#!/bin/sh\nif grep -q bad; then echo '<stdin>:1:1: error: no' >&2; exit 1; fi\n"
CASES = [
    ("good examples", {TOOL: FAKE, "docs/generated/a.md": "x\n```mlir\ngood\n```\n```\nbad\n```\n"}, []),
    (
        "a bad example among good ones",
        {TOOL: FAKE, "docs/a.md": "```mlir\ngood\n```\n```mlir\nbad\n```\n", "README.md": "```mlir\nbad\n```\n"},
        ["README.md:1: the example does not verify: <stdin>:1:1: error: no", "docs/a.md:4"],
    ),
    (
        "an op without an example",
        {TOOL: FAKE, LANGUAGE: "### `sattn.a` (::A)\ntext\n```mlir\ngood\n```\n### `sattn.b` (::B)\ntext\n## Types\n"
                               "```mlir\ngood\n```\n"},
        ["op 'sattn.b' has no example"],
    ),
    (
        "excerpts of passes",
        {TOOL: FAKE, PASSES: "```mlir\nbad\n```\n", "docs/a.md": "```mlir\ngood\n```\n"},
        [],
    ),
    ("no example at all", {TOOL: FAKE, "docs/a.md": "text\n"}, ["no example was found"]),
    ("no tool", {"docs/a.md": "```mlir\ngood\n```\n"}, ["run tools/setup.sh first"]),
]

if __name__ == "__main__":
    run(check, CASES)

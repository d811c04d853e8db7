"""Every ```mlir fence of the documentation is a whole text that sparse-attn-opt parses and verifies: the examples of
the ops and passes (through docs/generated, which is made from the .td files), the hand-written pages and the README.
Fragments belong in fences without a language.
"""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from common import line_of, run, text_of

FENCE = re.compile(r"^```mlir\n(.*?)^```", re.DOTALL | re.MULTILINE)
TOOL = "build/bin/sparse-attn-opt"


def pages(root):
    yield from (path for path in [root / "README.md", root / "CONTRIBUTING.md"] if path.exists())
    yield from sorted((root / "docs").rglob("*.md"))


def verify(tool, place, text):
    result = subprocess.run([tool, "-"], input=text, capture_output=True, text=True, timeout=60)
    if result.returncode == 0:
        return None
    error = next((line for line in result.stderr.splitlines() if "error:" in line), f"exit {result.returncode}")
    return f"{place}: the example does not verify: {error}"


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
        return [message for message in pool.map(lambda fence: verify(tool, *fence), fences) if message]


FAKE = "#!/bin/sh\nif grep -q bad; then echo '<stdin>:1:1: error: no' >&2; exit 1; fi\n"
CASES = [
    ("good examples", {TOOL: FAKE, "docs/generated/a.md": "x\n```mlir\ngood\n```\n```\nbad\n```\n"}, []),
    (
        "a bad example among good ones",
        {TOOL: FAKE, "docs/a.md": "```mlir\ngood\n```\n```mlir\nbad\n```\n", "README.md": "```mlir\nbad\n```\n"},
        ["README.md:1: the example does not verify: <stdin>:1:1: error: no", "docs/a.md:4"],
    ),
    ("no example at all", {TOOL: FAKE, "docs/a.md": "text\n"}, ["no example was found"]),
    ("no tool", {"docs/a.md": "```mlir\ngood\n```\n"}, ["run tools/setup.sh first"]),
]

if __name__ == "__main__":
    run(check, CASES)

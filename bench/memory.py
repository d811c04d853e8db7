"""How much memory a call takes beyond its inputs and output: the growth of the resident set at its highest, compiler
and kernel included.

    build/venv/bin/python3 bench/memory.py [--tokens 65536] [PATTERN ...]
"""

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

import numpy as np  # noqa: E402

import native  # noqa: E402

HEADS, KV_HEADS, WIDTH = 16, 4, 64


def resident(field):
    """VmRSS (now) or VmHWM (highest so far) of this process in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


def growth(pattern, tokens):
    """Bytes that the first call of `pattern` adds; every page of its arrays is resident before."""
    random = np.random.default_rng(1)
    inputs = {name: random.standard_normal((1, tokens, heads, WIDTH), np.float32)
              for name, heads in (("q", HEADS), ("k", KV_HEADS), ("v", KV_HEADS))}
    if pattern.startswith("nsa"):
        inputs["g"] = np.full((1, tokens, HEADS, 3), 1 / 3, np.float32)
    outputs = {"o": np.full((1, tokens, HEADS, WIDTH), 1, np.float32)}
    before = resident("VmRSS")
    kernel = native.Context().kernel(pattern, dict(D=WIDTH, Dv=WIDTH, dtype="f32", group=HEADS // KV_HEADS))
    kernel.bound(inputs, outputs)()
    return resident("VmHWM") - before


def main():
    parser = argparse.ArgumentParser(description="resident memory beyond inputs and output")
    parser.add_argument("patterns", nargs="*", default=["topk_blocks", "nsa"])
    parser.add_argument("--tokens", type=int, default=65536)
    options = parser.parse_args()
    if len(options.patterns) > 1:  # the highest mark is of a process, so that each pattern needs one of its own
        for pattern in options.patterns:
            subprocess.run([sys.executable, __file__, pattern, "--tokens", str(options.tokens)], check=True)
        return
    try:
        bytes_added = growth(options.patterns[0], options.tokens)
    except native.NativeError as error:
        sys.exit(f"memory.py: {error}")
    print(f"{options.patterns[0]:12} {options.tokens} tokens, {HEADS}:{KV_HEADS} heads, D = {WIDTH}: "
          f"{bytes_added / 2**20:.0f} MiB beyond inputs and output")


if __name__ == "__main__":
    main()

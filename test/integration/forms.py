#!/usr/bin/env python3
"""One text, every form of a call: the rows of a prefill, whatever brings them.

usage: forms.py [--pattern NAME] [--tool PATH]
For every shipped pattern whose rows can be computed a part at a time: rows token by token, up to 8 of them and in longer
chunks, behind a cache that is longer than what lives in it and holds NaN there, are the rows of the whole. In pages, which
lie in an order of their own, they have the bits of keys in one piece. Ends with `N passed, N failed`.
"""

import argparse
import os
import re
import shlex
import sys
import tempfile
from pathlib import Path

import numpy as np

from matrix import PATTERNS, ROOT, TOOL, WHOLE
from verdict import judge

sys.path.insert(0, str(ROOT / "tools"))
import native  # noqa: E402

BATCH, KEYS, HEADS, KEY_HEADS = 2, 210, 4, 2
# Other params than in the matrix, where a list or a mask is one of a row.
PARAMS = {"block_lists": {"b": 32, "qblock": 1, "D2": 3}, "block_bitmap": {"b": 32, "qblock": 1, "D2": 7},
          "dilated": {"W": 9, "dil": 4}}
# What is no form of the pattern: a summary of keys alone, rows that the whole sequence chooses, keys that the last rows
# choose, and compressed lists, of which the last one of a call ends with the lists.
LEFT_OUT = WHOLE | {"compressed", "snapkv", "block_sparse"}
# Rows that see later keys have all of them.
BOTH_WAYS = {"dense", "longformer", "prefix_lm", "bigbird", "streaming_llm"}
# Where rows choose together, parts begin with a block of them.
UNITS = {"seer": 32}
# Blocks of keys with the last one, which need not be complete.
RAGGED = {"seer"}
PARTS = [(0, 1), (0, 8), (31, 2), (32, 1), (33, 1), (63, 1), (64, 7), (64, 40), (96, 114), (127, 3), (128, 5), (160, 6),
         (192, 18), (207, 3), (208, 1), (209, 1)]
PAGED = ["B=2,T=300,Tq=37", "B=2,T=257,Tq=1"]
ROLE = re.compile(r"%(\w+): (int)?\[(.*?)\](?=[,)])")
BLOCKS = re.compile(r"([cu])\((\w+)(?:, (\w+))?\)")


class Form:
    """The operands of a pattern, and what calls of its kernel need."""

    def __init__(self, context, name):
        self.name, self.r = name, np.random.default_rng(5)
        text = (ROOT / "examples" / "patterns" / f"{name}.mlir").read_text()
        head = text[text.index("sattn.pattern"):text.index("->")]
        statics = {n: v for n, v in re.findall(r"static (\w+): int = (\w+)", head)}
        given = PARAMS.get(name, PATTERNS[name])
        self.sizes = {"D": 32, "Dv": 32, "D2": 16} | {n: v for n, v in given.items() if n.startswith("D")}
        bound = {n: int(given.get(n, v)) if str(given.get(n, v)).isdigit() else None for n, v in statics.items()}
        self.bound = {n: v if v is not None else bound[statics[n]] for n, v in bound.items()}
        self.params = {n: v for n, v in given.items() if n not in statics and not n.startswith("D")}
        self.axes, self.whole = {}, {}
        for role, is_int, axes in ROLE.findall(head[head.index("("):]):
            self.axes[role] = self.split(axes)
            self.whole[role] = self.make(self.axes[role], bool(is_int), name)
        used = {axis for axes in self.axes.values() for axis in axes}
        bind = {n: v for n, v in self.sizes.items() if n in used} | {"dtype": "f32"} | self.bound
        bind |= {"group" if axis == "g" else f"group.{axis}": HEADS // self.size(axis) for axis in used
                 if axis[0] in "gh" and axis != "h"}
        self.kernel = context.kernel(name, dict(sorted(bind.items())))
        self.features = self.sizes["Dv"] if "Dv" in used else self.bound["dv"]

    @staticmethod
    def split(axes):
        return [axis.strip() for axis in re.split(r",(?![^(]*\))", axes) if axis.strip()]

    def block(self, axis):
        """Length and stride of blocks, or None."""
        found = BLOCKS.fullmatch(axis)
        if not found:
            return None
        length, stride = (int(n) if n.isdigit() else self.bound[n] for n in (found[2], found[3] or found[2]))
        return length, stride

    def size(self, axis):
        if axis.isdigit():
            return int(axis)
        if axis[0] in "ts" and axis[1:] == "":
            return KEYS
        if block := self.block(axis):
            return -(-KEYS // block[0]) if axis[0] == "u" else self.blocks(block, KEYS)
        return self.sizes[axis] if axis[0] == "D" else KEY_HEADS if axis == "g" else HEADS

    def blocks(self, block, keys):
        return -(-keys // block[0]) if self.name in RAGGED else max(0, (keys - block[0]) // block[1] + 1)

    def make(self, axes, is_int, name):
        positions = any(axis[0] in "tsuc" for axis in axes)
        shape = ([BATCH] if positions else []) + [self.size(axis) for axis in axes]
        if not is_int:
            return self.r.standard_normal(shape).astype(np.float32)
        if name == "streaming_llm":  # slots of a cache in any order, some of them empty
            return np.where(self.r.random(shape) < 0.1, -1, self.r.permutation(KEYS)).astype(np.int32)
        return self.r.integers(-1, 6 if "D2" in axes else 2, shape).astype(np.int32)

    def part(self, first, end, live):
        """Operands of rows first to end - 1 over `live` keys; what is behind them is NaN."""
        made = {}
        for role, axes in self.axes.items():
            array = self.whole[role]
            for place, axis in enumerate(axes, start=1):
                block = self.block(axis)
                if axis == "t":
                    array = array[:, first:end]
                elif axis[0] == "u":
                    array = array[:, first // block[0]:-(-end // block[0])]
                elif axis == "s" or axis[0] == "c":
                    count = live if axis == "s" else self.blocks(block, live)
                    if array.dtype == np.float32:
                        array = array.copy()
                        np.moveaxis(array, place, 0)[count:] = np.nan
            made[role] = np.ascontiguousarray(array)
        return made

    def rows(self, first, end):
        live = KEYS if self.name in BOTH_WAYS else end
        out = np.full((BATCH, end - first, HEADS, self.features), np.nan, np.float32)
        self.kernel.bound(self.part(first, end, live), {"o": out}, self.params, q_offset=first, kv_len=live)()
        return out


def in_parts(context, name):
    """'' where all parts have the rows of the whole."""
    form = Form(context, name)
    whole = form.rows(0, KEYS)
    if not np.any(whole):
        return "every row is 0"
    unit = UNITS.get(name, 1)
    for first, count in PARTS:
        if first % unit:
            continue
        got, expected = form.rows(first, first + count), whole[:, first:first + count]
        if not np.allclose(got, expected, rtol=1e-4, atol=2e-5):
            return f"rows {first} to {first + count - 1} differ by {np.nanmax(np.abs(got - expected))}"
    return ""


def paged(name):
    """The words of calls whose keys lie in pages."""
    unit = UNITS.get(name, 1)
    for shape, page in zip(PAGED, (7, 48)):
        sizes = dict(part.split("=") for part in shape.split(","))
        sizes["T"] = int(sizes["T"]) - (int(sizes["T"]) - int(sizes["Tq"])) % unit
        given = PARAMS.get(name, PATTERNS[name])
        sizes |= {"Hq": 4, "Hkv": 2, "D": 32} | {n: v for n, v in given.items() if n.startswith("D")}
        params = [word for n, v in given.items() if not n.startswith("D") for word in ("--param", f"{n}={v}")]
        yield ["verify", name, "--page-size", str(page), *params, "--shape",
               ",".join(f"{n}={v}" for n, v in sizes.items())]


def main():
    parser = argparse.ArgumentParser(description="every form of a call gives the rows of a prefill")
    parser.add_argument("--pattern", choices=[name for name in PATTERNS if name not in LEFT_OUT], help="this one alone")
    parser.add_argument("--tool", default=str(TOOL))
    options = parser.parse_args()
    names = [options.pattern] if options.pattern else [name for name in PATTERNS if name not in LEFT_OUT]
    context = native.Context()
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="sattn-forms-") as cache:
        environment = os.environ | {"SATTN_CACHE_DIR": cache}
        for name in names:
            calls = {f"{name} in parts": lambda name=name: in_parts(context, name)}
            calls |= {shlex.join(["sparse-attn", *words]): lambda words=words: judge(options.tool, words, environment)
                      for words in paged(name)}
            for label, call in calls.items():
                problem = call()
                passed, failed = passed + (not problem), failed + bool(problem)
                if problem:
                    print(f"MISS {label}\n     {problem}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0 or passed == 0)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Random calls of the shipped patterns, compiled against the float64 oracle.

usage: fuzz.py [--cases N] [--seed N] [--pattern NAME] [--target NAME] [--keep FOLDER] [--tool PATH]
Params, shapes, strides, offsets, lengths, packed sequences, element types and targets are drawn from a seeded generator;
each case is one command line of `sparse-attn verify`, which is printed where the results differ, so that it can be run
again by hand. Ends with `N passed, N failed`.
"""

import argparse
import math
import os
import random
import shlex
import sys
import tempfile
from pathlib import Path

import numpy as np

from verdict import available, judge

HERE = Path(__file__).resolve().parent
TOOL = HERE.parents[1] / "build" / "bin" / "sparse-attn"
TARGETS = ("cpu-baseline", "cpu-avx2", "cpu-avx512", "cpu-avx512-bf16")
# Calls of one compiled kernel; they differ in everything that is dynamic.
CALLS_PER_KERNEL = 4
MOST_BASE = 2**39  # of a first key; positions are at most 2^40


def windows(r):
    return r.choice([-3, 0, 1, 2, 16, 63, 64, 65, 100, 1000, 1 << 40])


def blocks(r, *lengths):
    return r.choice(lengths or (8, 16, 32, 64))


def nsa(r):
    d = r.choice([4, 8, 16])
    l = d * r.choice([1, 2])
    b = l * r.choice([1, 2, 4])
    n = r.randint(3, 12)
    return dict(l=l, d=d, b=b, n=n, init=r.randint(0, 1), local=r.randint(1, 2))


def compressed(r):
    d = r.choice([4, 8, 16, 20])
    return dict(l=d * r.choice([1, 2, 3]), d=d)


def topk_blocks(r):
    return dict(b=blocks(r), n=r.randint(1, 9), qblock=r.choice([1, 1, 16, 64, 128]))


def listed(r):
    return dict(b=r.choice([16, 32, 64, 128]), qblock=r.choice([1, 16, 32, 64, 128]))


def compressed_lists(r):
    return listed(r) | dict(qblock=r.choice([16, 32, 64, 128]))


def best(r):
    return r.choice([0, 1, 5, 16, 17, 64, 100, 10000])


# Static params, dynamic params, entries of lists, the params whose multiples key offsets and row offsets are, numbers of
# features and of heads that are summed, and whether a call is of all rows at once.
PATTERNS = {
    "causal": {},
    "dense": {},
    "window": {"dynamic": lambda r: dict(W=windows(r))},
    "window_sinks": {"dynamic": lambda r: dict(W=windows(r), S=r.choice([-1, 0, 1, 4, 70]))},
    "longformer": {"dynamic": lambda r: dict(W=windows(r))},
    "strided": {"static": lambda r: dict(stride=r.choice([1, 2, 7, 64, 128, 1000]))},
    "alibi": {},
    "bigbird": {"static": lambda r: dict(b=r.choice([16, 32, 50, 64]), r=r.choice([1, 2, 3])),
                "dynamic": lambda r: dict(seed=r.randint(0, 10**9))},
    "softcap": {},
    "differential": {},
    "sink_logit": {},
    "window_sinks_logit": {"dynamic": lambda r: dict(W=windows(r))},
    "star_phase2": {},
    "prefix_lm": {"dynamic": lambda r: dict(P=r.choice([-1, 0, 1, 40, 130]))},
    "fixed": {"static": lambda r: dict(stride=r.choice([1, 7, 32, 64, 100])),
              "dynamic": lambda r: dict(verts=r.randint(0, 9))},
    "dilated": {"static": lambda r: dict(dil=r.choice([1, 2, 3, 16])), "dynamic": lambda r: dict(W=windows(r))},
    "star_phase1": {"static": lambda r: dict(b=r.choice([5, 32, 64, 100])),
                    "dynamic": lambda r: dict(a=r.choice([-1, 0, 3, 64, 90]))},
    "compressed": {"static": compressed, "keys": ("d",)},
    "moba": {"static": lambda r: dict(l=blocks(r), n=r.randint(1, 6)), "keys": ("l",)},
    "quest": {"static": lambda r: dict(page=blocks(r, 16, 32, 64), n=r.randint(1, 6)), "keys": ("page",)},
    "seer": {"static": lambda r: dict(b=r.choice([16, 32, 64]), n=r.randint(1, 6)), "entries": (1, 40),
             "dynamic": lambda r: dict(theta=r.choice([-1, 0.05, 0.2, 0.5])), "keys": ("b",), "rows": ("b",)},
    "seer_decode": {"static": lambda r: dict(b=r.choice([16, 32, 64]), n=r.randint(1, 6)), "entries": (1, 40),
                    "dynamic": lambda r: dict(theta=r.choice([-1, 0.05, 0.2, 0.5])), "keys": ("b",)},
    "block_lists": {"static": listed, "entries": (1, 9), "keys": ("b",), "rows": ("qblock",)},
    "block_sparse": {"static": compressed_lists, "entries": (64, 90), "keys": ("b",), "rows": ("qblock",)},
    "block_bitmap": {"static": listed, "entries": (1, 40), "keys": ("b",), "rows": ("qblock",)},
    "topk_blocks": {"static": topk_blocks, "keys": ("b",), "rows": ("qblock",)},
    "top_p": {"static": topk_blocks, "dynamic": lambda r: dict(p=r.choice([-1, 0, 0.3, 0.5, 0.8, 0.95, 1, 2])),
              "keys": ("b",), "rows": ("qblock",)},
    "nsa": {"static": nsa, "dynamic": lambda r: dict(W=windows(r)), "keys": ("b", "d")},
    "nsa_ext": {"static": nsa, "dynamic": lambda r: dict(W=windows(r)), "keys": ("b", "d")},
    "hsa": {"static": lambda r: dict(l=blocks(r), n=r.randint(1, 6)), "keys": ("l",)},
    "hsa_stickbreak": {"static": lambda r: dict(l=blocks(r), n=r.randint(1, 6)), "keys": ("l",)},
    "hils": {"static": lambda r: dict(l=blocks(r, 16, 32, 64), n=r.randint(1, 6)), "entries": (4, 20),
             "dynamic": lambda r: dict(W=r.choice([1, 2, 16, 33, 64, 100, 1000])), "keys": ("l",)},
    "dsa": {"static": lambda r: dict(dv=r.choice([1, 7, 16])), "dynamic": lambda r: dict(n=best(r)),
            "features": (16, 24, 64), "summed": (1, 3, 8, 70)},
    "dsa_sink": {"static": lambda r: dict(dv=16), "dynamic": lambda r: dict(n=best(r)), "features": (16, 24, 64),
                 "summed": (1, 3, 8, 70)},
    "hybrid_dsa_two_level": {"static": lambda r: dict(b=blocks(r, 16, 48, 64, 512), dv=r.choice([1, 16])),
                             "dynamic": lambda r: dict(m=r.choice([0, 1, 2, 3, 9, 1000]), n=best(r)),
                             "features": (16, 24, 64), "summed": (1, 3, 8, 70), "keys": ("b",)},
    "adamas": {"dynamic": lambda r: dict(n=best(r), lo=-r.choice([0.1, 1, 2]), hi=r.choice([0.1, 1, 2])),
               "features": (8, 16, 32, 64, 128)},
    "int8_topk": {"dynamic": lambda r: dict(n=best(r))},
    "mosa": {"dynamic": lambda r: dict(n=max(1, best(r)), first=r.choice([0, 1])), "whole": True},
    "mla": {"static": lambda r: dict(dv=r.choice([1, 7, 16])), "features": (16, 24, 64)},
    "forgetting": {},
    "doc_causal": {},
    "bucketed": {},
    "streaming_llm": {"dynamic": lambda r: dict(W=windows(r), S=r.choice([-1, 0, 1, 4, 70]))},
    "hybrid_far_pages": {"static": lambda r: dict(page=blocks(r, 16, 32, 64), n=r.randint(1, 6)),
                         "dynamic": lambda r: dict(W=windows(r), S=r.choice([-1, 0, 3, 40])), "keys": ("page",)},
    "vertical_slash": {},
    "snapkv": {"static": lambda r: dict(pool=r.choice([1, 3, 5, 7])),
               "dynamic": lambda r: dict(cap=max(1, best(r)), w=r.choice([0, 1, 9, 64, 100]))},
    "h2o": {"dynamic": lambda r: dict(heavy=best(r), recent=r.choice([1, 5, 64, 100]))},
    "hybrid_hsa_mosa": {"static": lambda r: dict(l=blocks(r), n=r.randint(1, 6)),
                        "dynamic": lambda r: dict(m=max(1, best(r))), "whole": True},
}

# The ways of walking keys that a pattern has on CPUs, where it has two.
DATAFLOWS = (dict.fromkeys(("causal", "dense", "window", "window_sinks", "longformer", "alibi", "softcap", "differential",
                            "prefix_lm", "star_phase1", "compressed"), ("range", "split"))
             | dict.fromkeys(("hsa", "hsa_stickbreak"), ("inverted", "lists"))
             | dict.fromkeys(("moba", "quest", "nsa", "nsa_ext"), ("inverted", "lists", "masked")))


def multiple(params, names):
    return math.lcm(*(params[name] for name in names))


class Kernel:
    """What is compiled once: pattern, static params, head sizes, element type and target."""

    def __init__(self, r, pattern, target, spec):
        """`pattern` is a name or a file, `spec` what may be drawn for it, as in PATTERNS."""
        self.pattern, self.target, self.spec = pattern, target, spec
        self.params = self.spec["static"](r) if "static" in self.spec else {}
        self.group = r.choice([1, 1, 2, 4])
        self.d = r.choice(self.spec.get("features", (8, 16, 32, 64, 64, 128, 24, 7)))
        self.dv = r.choice([self.d, self.d, 16, 40, 1])
        # Blocks of 8 keys with an odd number of features are refused by name: a strip of 16 lanes holds two rows.
        if self.dv % 2 and any(self.params.get(name, 16) < 16 for name in "lb"):
            self.dv = 16
        self.dtype = r.choice(["f32", "f32", "f16", "bf16"])
        ways = DATAFLOWS.get(pattern, ()) if target.startswith("cpu") else ()
        self.dataflow = r.choice(["", "", *ways])
        self.entries = r.randint(*self.spec["entries"]) if "entries" in self.spec else None

    def sizes(self, r):
        keys = r.choice([0, 1, 2, 5, 17, 63, 64, 65, 100, 127, 130, 200, 259, 300])
        mode = "self" if self.spec.get("whole") else r.choice(["self", "self", "decode", "chunk", "ahead"])
        # Few rows may read several key heads of a token together.
        kv_heads = r.choice([1, 2, 3, 4, 8, 16] if mode == "decode" else [1, 2, 3])
        rows = keys if mode == "self" else 1 if mode == "decode" else r.choice([0, 1, 3, 16, 63, 65, 130])
        return dict(B=r.choice([1, 1, 2, 3]), Tq=rows, S=keys, Hq=kv_heads * self.group, Hkv=kv_heads, D=self.d,
                    Dv=self.dv) | ({"D2": self.entries} if self.entries else {}) | (
                        {"h2": r.choice(self.spec["summed"])} if "summed" in self.spec else {}), mode

    def packed(self, r, row_unit):
        """Rows and keys of sequences of one call; queries stand at the end of the keys, where a block of rows begins."""
        def sequence():
            rows = r.choice([0, 1, 1, 3, 17, 63, 70, 130])
            before = 0 if self.spec.get("whole") else r.choice([0, 0, 1, 60, 133, 300]) // row_unit * row_unit
            return f"{rows}:{rows + before}" if before else str(rows)

        return ",".join(sequence() for _ in range(r.randint(1, 5)))

    def call(self, r, keep):
        """The words of one call. An offset or length for each batch entry is a file in `keep`."""
        sizes, mode = self.sizes(r)
        params = self.params | (self.spec["dynamic"](r) if "dynamic" in self.spec else {})
        key_unit = multiple(params, self.spec.get("keys", ()))
        row_unit = multiple(params, self.spec.get("rows", ()))
        sequences = self.packed(r, row_unit) if r.random() < 0.2 else ""
        shape = {name: size for name, size in sizes.items() if not sequences or name not in ("B", "Tq", "S")}
        words = ["verify", self.pattern, "--target", self.target, "--dtype", self.dtype,
                 "--shape", ",".join(f"{name}={size}" for name, size in shape.items()),
                 "--seed", str(r.randint(1, 10**6)), "--threads", str(r.choice([1, 2, 3]))]
        for name, value in params.items():
            words += ["--param", f"{name}={value}"]
        if self.dataflow:
            words += ["--dataflow", self.dataflow]
        if r.random() < 0.4:
            words += ["--strides", str(r.randint(1, 10**6))]
        if sequences:
            return words + ["--packed", sequences]
        if self.spec.get("whole"):
            return words
        base = r.choice([0, 0, 0, 1, 3, min(2**33, MOST_BASE // key_unit)]) * key_unit

        def per_batch(option, draw):
            values = [draw() for _ in range(sizes["B"])]
            if r.random() < 0.5 or sizes["B"] == 1:
                words.extend([option, str(values[0])])
                return
            path = keep / f"{option[2:]}-{'-'.join(map(str, values))}.npy"
            np.save(path, np.array(values, np.int64))
            words.extend([option, str(path)])

        if base:
            words += ["--kv-offset", str(base)]
        if mode != "self" or base or r.random() < 0.3:
            reach = max(sizes["S"] - sizes["Tq"], 0) + (40 if mode == "ahead" else 0)
            per_batch("--q-offset", lambda: (base + r.choice([0, reach, r.randint(0, reach)])) // row_unit * row_unit)
        if r.random() < 0.3:
            per_batch("--kv-len", lambda: r.randint(0, sizes["S"]))
        return words


def arguments(description, cases):
    """The parser of what every fuzz program is told."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--cases", type=int, default=cases)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", help="this one alone")
    parser.add_argument("--keep", type=Path, help="folder of misses and per-batch numbers (default: a new one in /tmp)")
    parser.add_argument("--tool", default=str(TOOL))
    return parser


def begin(options):
    """The folder that keeps files, the generator, and the targets to draw from."""
    keep = options.keep or Path(tempfile.mkdtemp(prefix="sattn-fuzz-"))
    keep.mkdir(parents=True, exist_ok=True)
    targets = [options.target] if options.target else available(options.tool, TARGETS)
    if not targets:
        sys.exit("no target runs on this machine")
    return keep, random.Random(options.seed), targets


def main():
    parser = arguments("random calls of the shipped patterns against the oracle", cases=40)
    parser.add_argument("--pattern", choices=PATTERNS, help="this one alone")
    options = parser.parse_args()
    keep, r, targets = begin(options)
    patterns = [options.pattern] if options.pattern else list(PATTERNS)
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="sattn-fuzz-cache-") as cache:
        environment = os.environ | {"SATTN_CACHE_DIR": cache}
        kernel = None
        for case in range(options.cases):
            if case % CALLS_PER_KERNEL == 0:
                pattern = patterns[case // CALLS_PER_KERNEL % len(patterns)]
                kernel = Kernel(r, pattern, r.choice(targets), PATTERNS[pattern])
            words = kernel.call(r, keep)
            problem = judge(options.tool, words, environment, seconds=300)
            passed, failed = passed + (not problem), failed + bool(problem)
            if problem:
                print(f"MISS {shlex.join(['sparse-attn', *words])}\n     {problem}", flush=True)
    if not options.keep and not failed:
        for path in keep.iterdir():
            path.unlink()
        keep.rmdir()
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0 or passed == 0)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Random patterns against the float64 reference: patterns are drawn as trees (random_patterns.py), and each is called
several times with drawn sizes, strides, offsets, lengths, element types and targets (fuzz.py). A text that the compiler
refuses by number is drawn again. A call that does not agree is shrunk, tree and call, and left as one file whose first
line is the command. Prints one line `N passed, N failed`; the same seed draws the same calls.

  test/integration/fuzz_patterns.py --cases 1000 --seed 1
"""

import os
import re
import shlex
import sys
import tempfile
from pathlib import Path

from fuzz import Kernel, arguments, begin, windows
from random_patterns import PARAMS, random_pattern, random_statics, smaller, text_of
from verdict import execute, judge

CALLS = 8            # of one pattern
MOST_REFUSED = 0.6   # of the drawn texts; more would mean that the test has lost its subject
SHRINKS = 200        # calls spent on making a failure small
REFUSAL = re.compile(r"error: \[SA0[12]\d\d\]")


class Drawn:
    """A pattern on its way to a file, with what its calls may draw."""

    def __init__(self, r, folder, number):
        self.tree, self.statics = random_pattern(r), random_statics(r)
        self.path = folder / f"drawn-{number}.mlir"

    def write(self):
        text, own = text_of(self.tree, self.statics)
        self.path.write_text(text)
        dynamic = [name for name in PARAMS if f" {name}: int" in text]
        return {"static": lambda r: own, "dynamic": lambda r: {name: windows(r) for name in dynamic},
                "keys": [name for name in ("b", "d") if name in own], "rows": [name for name in ("qb",) if name in own]}


def simpler_calls(words):
    """The same call without an option, or with smaller sizes."""
    for i, word in enumerate(words):
        if word in ("--kv-len", "--q-offset", "--kv-offset", "--dtype", "--strides"):
            yield words[:i] + words[i + 2:]
        if word == "--threads" and words[i + 1] != "1":
            yield words[: i + 1] + ["1"] + words[i + 2:]
        if word == "--shape":
            sizes = dict(pair.split("=") for pair in words[i + 1].split(","))
            less = [sizes | {name: str(int(sizes[name]) // 2)} for name in ("Tq", "S")]
            less += [sizes | {"B": "1"}, sizes | {"Hq": "1", "Hkv": "1"}, sizes | {"D": "16", "Dv": "16"}]
            for other in less:
                if other != sizes:
                    yield words[: i + 1] + [",".join(f"{name}={size}" for name, size in other.items())] + words[i + 2:]


def shrink(drawn, words, disagrees):
    """The smallest failing pair of tree and call that is found by steps that each keep it failing."""
    spent, progress = 0, True
    while progress and spent < SHRINKS:
        progress = False
        candidates = [(tree, words) for tree in smaller(drawn.tree)] + [(drawn.tree, less) for less in simpler_calls(words)]
        before = drawn.tree
        for tree, call in candidates:
            spent += 1
            drawn.tree = tree
            drawn.write()
            if spent < SHRINKS and disagrees(call):
                words, progress = call, True
                break
            drawn.tree = before
    drawn.write()
    return words


def report(drawn, words, problem, folder, name):
    path = folder / f"{name}.mlir"
    command = shlex.join(["sparse-attn", *[str(path) if word == str(drawn.path) else word for word in words]])
    path.write_text(f"// {command}\n{drawn.path.read_text()}")
    print(f"MISS {command}\n     {problem}", flush=True)


def main():
    options = arguments("random patterns against the oracle", cases=100).parse_args()
    keep, r, targets = begin(options)
    passed = failed = texts = refused = 0
    with tempfile.TemporaryDirectory(prefix="sattn-fuzz-cache-") as cache:
        environment = os.environ | {"SATTN_CACHE_DIR": cache}
        while passed + failed < options.cases:
            drawn = Drawn(r, Path(cache), texts)
            texts += 1
            kernel = Kernel(r, str(drawn.path), r.choice(targets), drawn.write())
            for _ in range(CALLS):
                words = kernel.call(r, keep)
                problem = judge(options.tool, words, environment, seconds=300)
                if REFUSAL.search(problem):
                    refused += 1
                    break
                passed, failed = passed + (not problem), failed + bool(problem)
                if problem:
                    wrong = lambda call: '"agrees":false' in execute(options.tool, [*call, "--json"], environment).stdout
                    words = shrink(drawn, words, wrong) if wrong(words) else words
                    report(drawn, words, problem, keep, f"miss-{options.seed}-{passed + failed}")
                    break
                if passed + failed == options.cases:
                    break
    print(f"seed {options.seed}: {texts} texts drawn, {refused} refused by number")
    if refused > MOST_REFUSED * texts:
        print("MISS most texts are refused")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

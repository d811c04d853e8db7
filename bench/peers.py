#!/usr/bin/env python3
"""Our kernels beside PyTorch's attention: SDPA and FlexAttention, in one process, on the same memory, in alternation.

Every repeat times each side once, one after the other, and a ratio is that of two neighbouring times; the table shows
medians. Before anything is timed the outputs are compared. Runs on the Python that it is started with and is skipped,
with the reason, where that has no PyTorch: sattn itself does not need it.

  bench/peers.py --threads 1,2 --repeat 15      exit status 1 if outputs differ by more than TOLERANCE
"""

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

import native  # noqa: E402

TOLERANCE = 1e-4  # of the largest difference: both sides compute in float32, in different orders
BLOCK = 64        # keys in a block of topk_blocks
QUERY_BLOCK = 128  # rows that share a selection
WINDOW = 512
CACHE = 32768     # keys that a decoded token sees, at least
SEED = 1
WANTED = "torch==2.13.0"  # the version that the README's figures were measured with


def import_torch():
    """(torch, None), or (None, why not)."""
    try:
        import torch
    except ImportError:
        return None, f"PyTorch is not installed in {sys.executable}; to compare: {sys.executable} -m pip install {WANTED}"
    return torch, None


def no_compiler():
    """Why torch.compile cannot work here, or None: it calls the C++ compiler in CXX, else g++."""
    wanted = os.environ.get("CXX", "g++")
    if shutil.which(wanted.split()[0]):
        return None
    return f"torch.compile needs a C++ compiler and '{wanted}' is not here; install g++ or set CXX"


def summary(times):
    """Medians by side, and for every side after the first how many times as long as the first it took, with the lowest
    and highest ratio. `times` maps a side to its seconds, in the order of the repeats."""
    ours = next(iter(times.values()))
    report = {}
    for side, seconds in times.items():
        ratios = [theirs / mine for mine, theirs in zip(ours, seconds)]
        report[side] = {"ms": 1e3 * statistics.median(seconds), "ms_min": 1e3 * min(seconds), "ms_max": 1e3 * max(seconds),
                        "ratio": statistics.median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios)}
    return report


def alternate(sides, repeat, clock=time.perf_counter):
    """Seconds of each side: `repeat` rounds after one that is not counted; odd rounds run backwards, so that no side
    always follows the same one."""
    times = {side: [] for side in sides}
    for run in sides.values():
        run()
    for i in range(repeat):
        for side, run in list(sides.items())[:: -1 if i % 2 else 1]:
            start = clock()
            run()
            times[side].append(clock() - start)
    return times


def split_blocks(seen, query_block=QUERY_BLOCK, block=BLOCK):
    """Selected blocks as FlexAttention wants them: per row block the blocks that need the causal mask, and those that do
    not, because their last key is before the first row. `seen` is true where a row block selected a block."""
    partial, full = [], []
    for u, row in enumerate(seen):
        chosen = [i for i, value in enumerate(row) if value]
        full.append([i for i in chosen if (i + 1) * block - 1 <= u * query_block])
        partial.append([i for i in chosen if i not in full[-1]])
    return partial, full


class Bench:
    def __init__(self, torch, tokens, layout):
        self.torch, self.tokens, self.layout = torch, tokens, layout
        self.context = native.Context()
        self.flex_problem = no_compiler()
        self.generator = torch.Generator().manual_seed(SEED)
        self.flex = None

    def inputs(self, heads, kv_heads, width, rows=None, keys=None):
        """q, k, v with the axes [B, H, T, D], in memory as the layout says; both sides read the same memory."""
        def make(count, length):
            if self.layout == "bhtd":
                return self.torch.randn(1, count, length, width, generator=self.generator)
            return self.torch.randn(1, length, count, width, generator=self.generator).transpose(1, 2)
        rows, keys = rows or self.tokens, keys or self.tokens
        return make(heads, rows), make(kv_heads, keys), make(kv_heads, keys)

    def ours(self, pattern, q, k, v, static=None, params=None, threads=0):
        """(run, output as [B, H, T, D])."""
        o = self.torch.full((*q.shape[:3], v.shape[3]), float("nan"))
        bind = dict(D=q.shape[3], Dv=v.shape[3], dtype="f32", group=q.shape[1] // k.shape[1], **(static or {}))
        kernel = self.context.kernel(pattern, bind)
        arrays = {name: x.transpose(1, 2) for name, x in zip("qkv", (q, k, v))}
        offset = k.shape[2] - q.shape[2]  # the last rows
        return kernel.bound(arrays, {"o": o.transpose(1, 2)}, params, threads, offset), o

    def sdpa(self, q, k, v):
        options = dict(is_causal=q.shape[2] > 1, enable_gqa=q.shape[1] != k.shape[1])
        return lambda: self.torch.nn.functional.scaled_dot_product_attention(q, k, v, **options)

    def flex_attention(self, q, k, v, mask):
        """A function that runs compiled FlexAttention, or the reason as a string."""
        if self.flex_problem:
            return self.flex_problem
        from torch.nn.attention.flex_attention import flex_attention
        self.flex = self.flex or self.torch.compile(flex_attention, fullgraph=True, dynamic=False)
        run = lambda: self.flex(q, k, v, block_mask=mask, enable_gqa=q.shape[1] != k.shape[1])
        try:
            run()
        except Exception as error:  # whatever the compiler of PyTorch meets is a reason to go on without it
            return f"torch.compile failed: {type(error).__name__}: {str(error).strip().splitlines()[0]}"
        return run

    def window_mask(self):
        from torch.nn.attention.flex_attention import create_block_mask
        inside = lambda b, h, t, s: (s <= t) & (t - s < WINDOW)
        return create_block_mask(inside, None, None, self.tokens, self.tokens, device="cpu")

    def selection_mask(self, q, k):
        """The BlockMask of what our own kernel selects: values that carry one feature for each block make it say so."""
        from torch.nn.attention.flex_attention import BlockMask
        torch, blocks = self.torch, self.tokens // BLOCK
        markers = torch.zeros(1, k.shape[1], self.tokens, blocks)
        keys = torch.arange(self.tokens)
        markers[:, :, keys, keys // BLOCK] = 1
        run, o = self.ours("topk_blocks", q, k, markers, {"b": BLOCK, "n": 8, "qblock": QUERY_BLOCK})
        run()
        # The last row of a row block sees a part of each block that its row block selected, in every query head.
        seen = (o[0, :, QUERY_BLOCK - 1 :: QUERY_BLOCK] > 0).tolist()
        halves = {"partial": [], "full": []}
        for head in seen:
            for half, rows in zip(halves.values(), split_blocks(head)):
                half.append(rows)
        counts, indices = [], []
        for half in halves.values():
            counts.append(torch.tensor([[[len(row) for row in head] for head in half]], dtype=torch.int32))
            filled = [[row + [0] * (blocks - len(row)) for row in head] for head in half]
            indices.append(torch.tensor([filled], dtype=torch.int32))
        causal = lambda b, h, t, s: s <= t
        return BlockMask.from_kv_blocks(counts[0], indices[0], counts[1], indices[1], BLOCK_SIZE=(QUERY_BLOCK, BLOCK),
                                        mask_mod=causal)

    def cases(self):
        """(name, what, maker of (our run, our output, peers that compute the same, peers that compute more))."""
        def causal(width):
            def make(threads):
                q, k, v = self.inputs(16, 16, width)
                run, o = self.ours("causal", q, k, v, threads=threads)
                return run, o, {"SDPA": self.sdpa(q, k, v)}, {}
            return make

        def decode(kv_heads, width):
            def make(threads):
                q, k, v = self.inputs(16, kv_heads, width, rows=1, keys=max(CACHE, self.tokens))
                run, o = self.ours("causal", q, k, v, threads=threads)
                return run, o, {"SDPA": self.sdpa(q, k, v)}, {}
            return make

        def window(threads):
            q, k, v = self.inputs(16, 16, 64)
            run, o = self.ours("window", q, k, v, params={"W": WINDOW}, threads=threads)
            flex = self.flex_attention(q, k, v, self.window_mask())
            return run, o, {"FlexAttention": flex}, {"SDPA causal": self.sdpa(q, k, v)}

        def blocks(threads):
            q, k, v = self.inputs(16, 4, 64)
            run, o = self.ours("topk_blocks", q, k, v, {"b": BLOCK, "n": 8, "qblock": QUERY_BLOCK}, threads=threads)
            return run, o, {"FlexAttention": self.flex_attention(q, k, v, self.selection_mask(q, k))}, {}

        return [("causal D64", "H16", causal(64)), ("causal D128", "H16", causal(128)),
                (f"window W={WINDOW}", "H16 D64", window), (f"topk_blocks n=8 qblock={QUERY_BLOCK}", "H16:4 D64", blocks),
                ("decode D64", "H16", decode(16, 64)), ("decode D128", "H16:2", decode(2, 128))]

    def measure(self, make, threads, repeat):
        """(report of each side, largest difference, notes)."""
        self.torch.set_num_threads(threads)
        run, o, same, more = make(threads)
        notes = [f"{name} skipped: {peer}" for name, peer in (same | more).items() if isinstance(peer, str)]
        same = {name: peer for name, peer in same.items() if not isinstance(peer, str)}
        run()
        differences = [(peer() - o).abs().max().item() for peer in same.values()]
        # A NaN is the largest difference of all.
        worst = max((float("inf") if d != d else d for d in differences), default=None)
        if not same | more:
            return {}, worst, notes
        return summary(alternate({"ours": run} | same | more, repeat)), worst, notes


def parse(words):
    parser = argparse.ArgumentParser(description="our kernels beside PyTorch's, float32, batch 1")
    parser.add_argument("--threads", default=f"1,{len(os.sched_getaffinity(0))}", help="numbers of threads, as 1,2")
    parser.add_argument("--repeat", type=int, default=11, help="timed rounds of each case")
    parser.add_argument("--tokens", type=int, default=4096, help="tokens, a multiple of 128")
    parser.add_argument("--layout", choices=["bthd", "bhtd"], default="bthd",
                        help="memory of q, k, v: as projections write them (bthd), or as FlexAttention is fastest (bhtd)")
    parser.add_argument("--case", default="", help="only cases whose name has this in it")
    parser.add_argument("--quick", action="store_true", help="all threads, 3 rounds, prefill without D128")
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of the table")
    options = parser.parse_args(words)
    if options.quick:
        options.threads, options.repeat = str(len(os.sched_getaffinity(0))), 3
    try:
        options.threads = sorted({int(word) for word in options.threads.split(",")})
    except ValueError:
        parser.error("--threads takes numbers, as 1,2")
    if options.threads[0] < 1 or options.repeat < 1 or options.tokens < 512 or options.tokens % QUERY_BLOCK:
        parser.error("--threads and --repeat are at least 1; --tokens is a multiple of 128, at least 512")
    return options


def machine():
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return found.group(1) if found else platform.machine()


def row(case, sizes, threads, name, side, mine, difference):
    spread = f"({side['ratio_min']:.2f} to {side['ratio_max']:.2f})"
    differs = "" if difference is None else f"{difference:.0e}" + (" DIFFERS" if difference > TOLERANCE else "")
    return (f"{case:27} {sizes:10} {threads:7} {mine['ms']:10.1f}   {name:14} {side['ms']:9.1f} {side['ratio']:8.2f}x "
            f"{spread:18} {differs}")


def main(words=None):
    options = parse(words)
    torch, problem = import_torch()
    if problem:
        print(json.dumps({"skipped": problem}) if options.json else f"skipped: {problem}")
        return 0
    try:
        bench = Bench(torch, options.tokens, options.layout)
    except native.NativeError as error:
        print(f"peers: {error}", file=sys.stderr)
        return 1
    report = {"machine": machine(), "python": sys.executable, "torch": torch.__version__, "tokens": options.tokens,
              "dtype": "f32", "layout": options.layout, "repeat": options.repeat, "tolerance": TOLERANCE, "cases": []}
    if not options.json:
        print(f"PyTorch {torch.__version__} in {sys.executable}, on {report['machine']}\n"
              f"float32, batch 1, {options.tokens} tokens (decode: 1 on at least {CACHE}), memory {options.layout}; medians of {options.repeat} rounds in "
              f"alternation; ratio = theirs / ours, lowest to highest\n"
              f"{'case':27} {'heads':10} threads    ours ms   {'peer':14} {'peer ms':>9} {'ratio':>9} {'':18} max difference",
              flush=True)
    failed = False
    with torch.no_grad():
        for case, sizes, make in bench.cases():
            if options.case not in case or (options.quick and ("D128" in case or "decode" in case)):
                continue
            for threads in options.threads:
                sides, difference, notes = bench.measure(make, threads, options.repeat)
                failed |= difference is not None and difference > TOLERANCE
                report["cases"].append({"case": case, "heads": sizes, "threads": threads, "sides": sides,
                                        "max_difference": difference, "notes": notes})
                if options.json:
                    continue
                for name, side in list(sides.items())[1:]:
                    shown = None if name == "SDPA causal" else difference
                    print(row(case, sizes, threads, name, side, sides["ours"], shown), flush=True)
                for note in notes:
                    print(f"{case:27} {sizes:10} {threads:7} {note}", flush=True)
    if options.json:
        print(json.dumps(report))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

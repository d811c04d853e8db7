#!/usr/bin/env python3
"""PyTorch's attention on the calls that gpu-check times, and the summary of both.

usage: gpu_peers.py --check                     exit status 0 where PyTorch sees a GPU
       gpu_peers.py FOLDER [--device N] [--round N]   one JSON object for each call of FOLDER/*.json and each peer
       gpu_peers.py --summary FILE              medians over the rounds, and how many times as fast ours is, round by round
Peers: scaled_dot_product_attention where the call is dense or causal, flex_attention (compiled) where it is a window.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

REPEAT = 20


def shape_of(facts):
    """{'T': 4096, ...} with the defaults of sparse-attn."""
    sizes = {"B": 1, "Hq": 4, "D": 64}
    for item in facts["shape"].split(","):
        name, value = item.split("=")
        sizes[name] = int(value)
    sizes.setdefault("Tq", sizes["T"])
    sizes.setdefault("Hkv", sizes["Hq"])
    return sizes


def operands(torch, facts, device):
    dtype = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}[facts["dtype"]]
    n = shape_of(facts)
    generator = torch.Generator(device).manual_seed(1)
    def make(heads, length):
        return torch.randn(n["B"], heads, length, n["D"], device=device, dtype=dtype, generator=generator)
    return n, make(n["Hq"], n["Tq"]), make(n["Hkv"], n["T"]), make(n["Hkv"], n["T"])


def peers_of(torch, facts, device):
    """(name, function) of each peer that computes the same as the pattern."""
    n, q, k, v = operands(torch, facts, device)
    grouped = n["Hq"] != n["Hkv"]
    sdpa = torch.nn.functional.scaled_dot_product_attention
    pattern = facts["pattern_name"]
    if pattern in ("causal", "dense"):
        # A single last query sees every key.
        causal = pattern == "causal" and n["Tq"] > 1
        yield "torch sdpa", lambda: sdpa(q, k, v, is_causal=causal, enable_gqa=grouped)
    if pattern == "window":
        from torch.nn.attention.flex_attention import create_block_mask, flex_attention
        width = next(int(p["value"]) for p in facts["params"] if p["name"] == "W")
        mask = create_block_mask(lambda b, h, t, s: (s <= t) & (t - s < width), None, None, n["Tq"], n["T"], device=device)
        compiled = torch.compile(flex_attention)
        yield "torch flex_attention", lambda: compiled(q, k, v, block_mask=mask, enable_gqa=grouped)


def milliseconds(torch, function):
    for _ in range(3):
        function()
    times = []
    for _ in range(REPEAT):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        function()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


def run(folder, device, turn):
    import torch
    torch.cuda.set_device(device)
    for file in sorted(Path(folder).glob("*.json")):
        facts = json.loads(file.read_text())
        line = {"round": turn, "case": facts["name"]}
        try:
            for who, function in peers_of(torch, facts, f"cuda:{device}"):
                ms = milliseconds(torch, function)
                print(json.dumps({**line, "who": who, "run_ms": ms, "torch": torch.__version__,
                                  "useful_tflops": facts["useful_flops"] / ms * 1e-9}))
        except Exception as error:  # a peer that fails is a finding, and ours go on
            print(json.dumps({**line, "who": "torch", "error": str(error).splitlines()[0]}))


def summary(file):
    """Lines for people: of each call ours, and each peer with the ratio paired by rounds."""
    rows = [json.loads(line) for line in Path(file).read_text().splitlines()]
    times = {}
    for row in rows:
        if "run_ms" in row:
            times.setdefault(row["case"], {}).setdefault(row["who"], {})[row["round"]] = row["run_ms"]
        elif "error" in row:
            print(f"{row['case']:20} {row['who']}: {row['error']}")
    for case, whos in times.items():
        ours = whos.pop("sattn", {})
        if ours:
            print(f"{case:20} {'sattn':22} {statistics.median(ours.values()):9.3f} ms")
        for who, theirs in whos.items():
            ratios = [theirs[turn] / ours[turn] for turn in theirs if turn in ours]
            paired = f"  ours is {statistics.median(ratios):.2f}x as fast ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else ""
            print(f"{case:20} {who:22} {statistics.median(theirs.values()):9.3f} ms{paired}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--summary")
    parser.add_argument("--device", type=int, default=0)
    parser.add_argument("--round", type=int, default=1)
    options = parser.parse_args()
    if options.summary:
        summary(options.summary)
    elif options.check:
        try:
            import torch
        except ImportError as error:
            sys.exit(str(error))
        if not torch.cuda.is_available():
            sys.exit(f"PyTorch {torch.__version__} sees no GPU")
    elif options.folder:
        run(options.folder, options.device, options.round)
    else:
        parser.error("give --check, --summary or a folder")


if __name__ == "__main__":
    main()

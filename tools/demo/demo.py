"""The demonstration that tools/demo.sh runs: (a) machine, (b) one line of text changed, (c) all shipped causal patterns,
(d) scaling, (e) a leaking text refused, (f) PyTorch beside it, (g) what to try next. Exit status 1 if a result is
further from the oracle than its bound, or if a leaking text is accepted.
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402

import sparse_attn  # noqa: E402
from model import BLOCK, Model  # noqa: E402

PATTERNS = sparse_attn.ROOT / "examples" / "patterns"
# Every shipped pattern that sees no later key; those in the second list choose blocks by content.
STATIC = ["causal", "window", "window_sinks", "strided", "compressed"]
SELECTING = ["topk_blocks", "moba", "hsa", "hsa_stickbreak", "nsa", "nsa_ext"]
STAND_INS = {"hsa": "landmarks = mean key of the chunk, retrieval query = mean query of the group",
             "nsa": "gates = 1/3"}
SAMPLED_ROWS = 256
SEED = 1


def heading(letter, text):
    print(f"\n({letter}) {text}", flush=True)


def lines_of_ops(name):
    text = (PATTERNS / f"{name}.mlir").read_text()
    return len(re.findall(r"^\s+(?:%\w+ = )?sattn\.\w+", text, re.MULTILINE))


def bench(pattern, shape, **more):
    words = [word for option, value in more.items() for word in (f"--{option}", value)]
    return sparse_attn.call_json("bench", pattern, "--shape", shape, *words)


def machine(model):
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    peak = bench("causal", model.shape)["peak_gflops"]
    print(f"    {cpu.group(1) if cpu else 'x86-64'}; {len(os.sched_getaffinity(0))} threads; "
          f"{peak:.0f} GFLOP/s of float32 multiply-add, measured now")
    print(f"    layer 20 of SmolLM2-135M, {model.rows} tokens, {model.heads} query heads, {model.kv_heads} key-value heads, "
          f"D = {model.width} (examples/data)")


def one_line(model):
    """Mass follows from the lse alone: the share of the dense weight on the visible keys is exp(lse - lse of dense)."""
    args = model.operands("causal")
    dense = sparse_attn.run("causal", args, outs=("o", "lse"))
    print("    pattern       the line that differs                                    mass kept   output error")
    for name, params in (("window", {"W": 512}), ("window_sinks", {"W": 512, "S": 4})):
        got = sparse_attn.run(name, args, params, outs=("o", "lse"))
        kept = np.exp(got["lse"] - dense["lse"]).mean()
        error = np.linalg.norm(got["o"] - dense["o"], axis=-1) / np.linalg.norm(dense["o"], axis=-1)
        line = re.search(r"%keys = (.*)", (PATTERNS / f"{name}.mlir").read_text()).group(1)
        print(f"    {name:13} {line:56} {kept:8.1%}   {error.mean():10.2f}")
    print("    (output error: |o - dense| / |dense|, mean over rows and heads)")


def kept(model):
    """(keys per row, mass kept) of each pattern, mean over rows and heads."""
    figures, dense = {}, sparse_attn.run("causal", model.operands("causal"), outs=("lse",))["lse"]
    for name in STATIC:
        if name == "compressed":
            continue
        args = model.operands(name)
        lse = sparse_attn.run(name, args, outs=("lse",))["lse"]
        # At scale 0 every visible key weighs 1, so lse is the logarithm of their number.
        count = sparse_attn.run(name, args, {"scale": 0}, outs=("lse",))["lse"]
        figures[name] = np.exp(count.astype(np.float64)).mean(), np.exp(lse - dense).mean()
    selections = {name: model.selected(name) for name in SELECTING}
    position = np.arange(model.rows)
    causal = position[:, None] >= position
    window = causal & (position[:, None] - position < 512)
    sums = {name: np.zeros(2) for name in SELECTING}
    for head in range(model.heads):
        weight = model.probabilities(head)
        for name, blocks in selections.items():
            seen = np.repeat(blocks[:, head], BLOCK, axis=1) & causal
            if name.startswith("nsa"):
                seen |= window
            sums[name] += seen.sum(axis=1).mean(), (weight * seen).sum(axis=1).mean()
    return figures | {name: tuple(sums[name] / model.heads) for name in SELECTING}


def table(model):
    """Returns the patterns whose error exceeds its bound."""
    figures, missed = kept(model), []
    print("    pattern         ops  compile      run    faster than    useful  share of  keys in     mass   max error   "
          "causal\n"
          "                            ms       ms  causal (bound)   GFLOP/s      peak    a row     kept  (bound)")
    causal = None
    for name in STATIC + SELECTING:
        timed = bench(name, model.shape)
        flops = timed["useful_gflops"] * timed["run_ms"]
        # Runs differ in how fast the machine happened to be, so times are compared in units of the peak of their run.
        effort = timed["run_ms"] * timed["peak_gflops"]
        causal = causal or (effort, flops)
        checked = verify(model, name)
        good = checked["max_error"] <= checked["bound"]
        if not good:
            missed.append(name)
        keys, mass = figures.get(name, (None, None))
        print(f"    {name:14} {lines_of_ops(name):4} {timed['compile_ms']:8.0f} {timed['run_ms']:8.1f} "
              f"{causal[0] / effort:7.1f} ({causal[1] / flops:4.1f}) {timed['useful_gflops']:9.0f} "
              f"{timed['peak_share']:9.0%} {'' if keys is None else format(keys, '8.0f'):>8} "
              f"{'' if mass is None else format(mass, '8.1%'):>8} "
              f"  {checked['max_error']:.1e} ({checked['bound']:.0e}){'' if good else ' MISSED'}  {checked['causal']}",
              flush=True)
    print(f"    run, GFLOP/s and peak: random data of this shape; the rest on the model; errors on {SAMPLED_ROWS} rows "
          f"(seed {SEED}) against the float64 oracle")
    for name, text in STAND_INS.items():
        print(f"    {name}: the model has no such operand: {text}")
    return missed


def verify(model, name):
    return sparse_attn.verify(name, model.operands(name), rows=f"{SAMPLED_ROWS},{SEED}")


def scaling():
    lengths, heads = [1024, 2048, 4096, 8192, 16384, 65536], "Hq=4,Hkv=1,D=64"
    print(f"    random data, {heads}; speed-up over our own dense causal attention")
    print("    " + " " * 12 + "".join(f"{length:>9}" for length in lengths) + "   break-even")
    measured = {}
    for name in ("causal", "topk_blocks", "nsa", "window"):
        efforts = []
        for length in lengths:
            timed = bench(name, f"B=1,T={length},{heads}", repeat=1 if length > 16384 else 3)
            efforts.append(timed["run_ms"] * timed["peak_gflops"])
        measured[name] = np.array(efforts)
        faster = measured["causal"] / measured[name]
        if name == "causal":
            continue
        ahead = [length for length, ratio in zip(lengths, faster) if ratio > 1]
        print(f"    {name:12}" + "".join(f"{ratio:8.1f}x" for ratio in faster) +
              (f"   from {ahead[0]} tokens on" if ahead else "   beyond these lengths"), flush=True)


def leak():
    """MoBA with its causal comparison the wrong way round. True if the text is refused."""
    text = (PATTERNS / "moba.mlir").read_text()
    flipped = text.replace("(t, s) : s <= t", "(t, s) : t <= s")
    print("    moba, one line changed: " + next(line.strip() for line in flipped.splitlines() if "t <= s" in line))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "leak.mlir")
        path.write_text(flipped)
        try:
            sparse_attn.call("verify", path)
        except sparse_attn.ToolError as error:
            print("    " + str(error).replace(folder + "/", "").replace("\n", "\n    "))
            # Any failure is an error; only one that names a key and a row is the refusal that is shown here.
            return re.search(r"key \d+.*row \d+", str(error)) is not None
    print("    MISSED: this text was accepted")
    return False


def pytorch():
    if importlib.util.find_spec("torch") is None:
        print("    PyTorch is not installed; to compare: build/venv/bin/python3 -m pip install torch==2.13.0")
        return
    subprocess.run([sys.executable, str(sparse_attn.ROOT / "bench" / "peers.py"), "--quick"], check=False)


NEXT = """    build/bin/sparse-attn explain nsa                      why this dataflow, what was refused
    build/bin/sparse-attn bench moba --shape B=1,T=16384,Hq=16,Hkv=4,D=128 --dtype bf16
    cp examples/patterns/window.mlir mine.mlir             change one line, then: build/bin/sparse-attn verify mine.mlir
    CONTRIBUTING.md                                        a first pattern in 15 minutes"""


def main():
    parser = argparse.ArgumentParser(description="the shipped patterns on real data")
    parser.add_argument("--quick", action="store_true", help="leave out scaling and PyTorch")
    options = parser.parse_args()
    model = Model()
    heading("a", "machine and input")
    machine(model)
    heading("b", "one line of text changed")
    one_line(model)
    heading("c", "the shipped causal patterns")
    missed = table(model)
    if not options.quick:
        heading("d", "scaling")
        scaling()
    heading("e", "a text that sees the future")
    refused = leak()
    if not options.quick:
        heading("f", "PyTorch beside it")
        pytorch()
    heading("g", "what to try next")
    print(NEXT)
    if missed:
        print(f"\nmissed their bound: {', '.join(missed)}")
    return int(bool(missed) or not refused)


if __name__ == "__main__":
    sys.exit(main())

"""The demonstration that tools/demo.sh runs: (a) machine, (b) one line of text changed, (c) all shipped causal patterns,
(d) scaling, (e) a leaking text refused, (f) PyTorch beside it, (g) what to try next. Exit status 1 if a result is
further from the oracle than its bound, if PyTorch computes something else, or if a leaking text is accepted.
"""

import argparse
import math
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402

import sparse_attn  # noqa: E402
from model import BLOCK, WINDOW, Model  # noqa: E402

PATTERNS = sparse_attn.ROOT / "examples" / "patterns"
# Every shipped pattern that sees no later key; those in the second list choose blocks by content.
STATIC = ["causal", "window", "window_sinks", "strided", "compressed"]
SELECTING = ["topk_blocks", "moba", "hsa", "hsa_stickbreak", "nsa", "nsa_ext"]
STAND_INS = """    the model has no such operand: gates of nsa and nsa_ext are 1/3; kc, vc of nsa_ext are mean keys and values; landmarks of
    hsa and hsa_stickbreak are the mean keys of the chunks, their retrieval query is the mean query of the group"""
SAMPLED_ROWS = 256
SEED = 1
LENGTHS = [1024, 2048, 4096, 8192, 16384, 65536]


def heading(letter, text):
    print(f"\n({letter}) {text}", flush=True)


def lines_of_ops(name):
    text = (PATTERNS / f"{name}.mlir").read_text()
    return len(re.findall(r"^\s+(?:%\w+ = )?sattn\.\w+", text, re.MULTILINE))


def machine(model):
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    timed = sparse_attn.bench("causal", shape=model.shape)
    print(f"    {cpu.group(1) if cpu else 'x86-64'} as {timed['target']}; {timed['threads']} threads; "
          f"{timed['peak_gflops']:.0f} GFLOP/s of float32 multiply-add, measured now")
    print(f"    layer 20 of SmolLM2-135M, {model.rows} tokens, {model.heads} query heads, {model.kv_heads} key-value heads, "
          f"D = {model.width}, float32 (examples/data)")


def one_line(model):
    """Mass follows from the lse alone: the share of the dense weight on the visible keys is exp(lse - lse of dense)."""
    args = model.operands("causal")
    dense = sparse_attn.run("causal", args, outs=("o", "lse"))
    sample = np.random.default_rng(0).choice(model.rows, SAMPLED_ROWS, replace=False)
    print(f"    {'pattern':13} {f'the line that differs (W = {WINDOW}, S = 4)':56} mass kept   output error")
    sampled = []
    for name, params in (("window", {"W": WINDOW}), ("window_sinks", {"W": WINDOW, "S": 4})):
        got = sparse_attn.run(name, args, params, outs=("o", "lse"))
        kept = np.exp(got["lse"] - dense["lse"])
        error = np.linalg.norm(got["o"] - dense["o"], axis=-1) / np.linalg.norm(dense["o"], axis=-1)
        sampled.append(f"{kept[:, sample].mean():.1%} and {error[:, sample].mean():.2f}")
        line = re.search(r"%keys = (.*)", (PATTERNS / f"{name}.mlir").read_text()).group(1)
        print(f"    {name:13} {line:56} {kept.mean():8.1%}   {error.mean():10.2f}")
    print(f"    output error: |o - dense| / |dense|, mean over all rows and heads "
          f"(on {SAMPLED_ROWS} sampled rows: {' against '.join(sampled)})")


def kept(model):
    """(keys per row, mass kept) of each pattern, mean over rows and heads. A block that is seen only through its mean
    counts as one key and keeps no weight."""
    figures, dense = {}, sparse_attn.run("causal", model.operands("causal"), outs=("lse",))["lse"]
    for name in STATIC:
        if name == "compressed":
            # Rows see the blocks that are complete: one at row l - 1, one more every d rows.
            blocks = np.maximum(0, (np.arange(model.rows) - 31) // 16 + 1)
            figures[name] = blocks.mean(), None
            continue
        args = model.operands(name)
        lse = sparse_attn.run(name, args, outs=("lse",))["lse"]
        # At scale 0 every visible key weighs 1, so lse is the logarithm of their number.
        count = sparse_attn.run(name, args, {"scale": 0}, outs=("lse",))["lse"]
        figures[name] = np.exp(count.astype(np.float64)).mean(), np.exp(lse - dense).mean()
    selections = {name: model.selected(name) for name in SELECTING}
    position = np.arange(model.rows)
    causal = position[:, None] >= position
    window = causal & (position[:, None] - position < WINDOW)
    sums = {name: np.zeros(2) for name in SELECTING}
    for head in range(model.heads):
        weight = model.probabilities(head)
        for name, blocks in selections.items():
            seen = np.repeat(blocks[:, head], BLOCK, axis=1) & causal
            if name.startswith("nsa"):
                seen |= window
            sums[name] += seen.sum(axis=1).mean(), weight[seen].sum(dtype=np.float64) / model.rows
    return figures | {name: tuple(sums[name] / model.heads) for name in SELECTING}


def effort(timed):
    """Time in units of the peak measured beside each run, so that a slower moment of the machine cancels."""
    return timed["useful_flops"] / timed["peak_share"]


def table(model):
    """Returns the patterns whose error exceeds its bound."""
    figures, missed = kept(model), []
    print("    pattern        ops compile     run   faster than   useful  share of  keys in   mass   max error           causal\n"
          "                            ms      ms causal (bound)  GFLOP/s      peak    a row   kept     (bound)")
    causal = None
    for name in STATIC + SELECTING:
        timed = sparse_attn.bench(name, model.operands(name))
        causal = causal or timed
        checked = sparse_attn.verify(name, model.operands(name), rows=f"{SAMPLED_ROWS},{SEED}")
        good = checked["max_error"] <= checked["bound"]
        if not good:
            missed.append(name)
        keys, mass = figures[name]
        error = f"{checked['max_error']:.1e} ({checked['bound']:.0e}){'' if good else ' MISSED'}"
        print(f"    {name:14} {lines_of_ops(name):3} {timed['compile_ms']:7.0f} {timed['run_ms']:7.1f} "
              f"{effort(causal) / effort(timed):6.1f} ({causal['useful_flops'] / timed['useful_flops']:5.1f}) "
              f"{timed['useful_gflops']:8.1f} {timed['peak_share']:9.1%} {keys:8.0f} "
              f"{'-' if mass is None else format(mass, '.1%'):>6}   {error:17} {checked['causal']}", flush=True)
    print(f"    faster: in units of the peak measured beside each run; bound: the ratio of useful flops, which count visible and\n"
          f"    selected pairs, and the scores that choose. keys, mass: seen one by one; a compressed block is one key and keeps no\n"
          f"    mass. max error: {SAMPLED_ROWS} rows (seed {SEED}) against the float64 oracle. "
          f"causal: the compiler's proof; a where-clause says what a selection may take\n{STAND_INS}")
    return missed


def break_even(faster):
    """Where the speed-up passes 1 for good, on a logarithmic scale between the lengths measured."""
    behind = [i for i, ratio in enumerate(faster) if ratio < 1]
    if not behind:
        return f"below {LENGTHS[0]}"
    i = behind[-1]
    if i + 1 == len(LENGTHS):
        return f"above {LENGTHS[-1]}"
    low, high = math.log(faster[i]), math.log(faster[i + 1])
    tokens = LENGTHS[i] * (LENGTHS[i + 1] / LENGTHS[i]) ** (-low / (high - low))
    return f"about {100 * round(tokens / 100)} tokens"


def scaling():
    heads = "Hq=4,Hkv=1,D=64"
    print(f"    random data, {heads}; times faster than our own dense causal attention (bound by flops)")
    print("    tokens      " + "".join(f"{length:>14}" for length in LENGTHS) + "   break-even")
    causal = None
    for name in ("causal", "topk_blocks", "nsa", "window"):
        timed = [sparse_attn.bench(name, shape=f"B=1,T={length},{heads}", repeat=1 if length > 16384 else 3)
                 for length in LENGTHS]
        if name == "causal":
            causal = timed
            print("    causal, ms  " + "".join(f"{run['run_ms']:14.1f}" for run in timed), flush=True)
            continue
        faster = [effort(dense) / effort(run) for dense, run in zip(causal, timed)]
        bounds = [dense["useful_flops"] / run["useful_flops"] for dense, run in zip(causal, timed)]
        cells = "".join(f"{ratio:6.1f} ({bound:5.1f})" for ratio, bound in zip(faster, bounds))
        print(f"    {name:12}{cells}   {break_even(faster)}", flush=True)


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
    """False if PyTorch ran and computed something else. Says why where it is not there."""
    words = [sys.executable, str(sparse_attn.ROOT / "bench" / "peers.py"), "--quick"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as peers:
        for line in peers.stdout:
            print("    " + line.rstrip(), flush=True)
    return peers.returncode == 0


NEXT = """    build/bin/sparse-attn new mine                         write mine.mlir, a window; change the line that says what a row sees,
    build/bin/sparse-attn verify mine.mlir                 then ask: is it causal, and is the kernel right?
    build/bin/sparse-attn explain nsa                      why this dataflow, what was refused
    build/bin/sparse-attn bench moba --shape B=1,T=16384,Hq=16,Hkv=4,D=128 --dtype bf16
    CONTRIBUTING.md                                        a first pattern in 15 minutes"""


def show(options):
    """Returns what went wrong, as lines."""
    model = Model()
    heading("a", "machine and input")
    machine(model)
    heading("b", "one line of text changed")
    one_line(model)
    heading("c", "the shipped causal patterns")
    wrong = [f"{name}: an error exceeds its bound" for name in table(model)]
    if not options.quick:
        heading("d", "scaling")
        scaling()
    heading("e", "a text that sees the future")
    if not leak():
        wrong.append("a text that sees the future was not refused")
    if not options.quick:
        heading("f", "PyTorch beside it")
        if not pytorch():
            wrong.append("the comparison with PyTorch failed")
    heading("g", "what to try next")
    print(NEXT)
    return wrong


def main():
    parser = argparse.ArgumentParser(description="the shipped patterns on real data")
    parser.add_argument("--quick", action="store_true", help="leave out scaling and PyTorch")
    options = parser.parse_args()
    start = time.monotonic()
    try:
        wrong = show(options)
    except sparse_attn.ToolError as error:
        wrong = [str(error)]
    print(f"\n{time.monotonic() - start:.0f} s; " + ("every result is within its bound" if not wrong else "FAILED: " + "; ".join(wrong)))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""The promise of every target: each shipped pattern, element type, sharing of heads and kind of call, against the oracle.

usage: matrix.py [--sample N [--seed N]] [--column NAME] [--pattern NAME] [--jobs N] [--tool PATH]
       matrix.py --page FILE
Without --sample all calls are made (an hour on 2 cores); with it N of them, drawn so that every pattern and target
occurs. GPU code runs in the interpreter of PTX, whose own checks count as well. What a code generator refuses must be
refused with its message. --page writes docs/support.md from the same tables and from the tests of the compiler's
refusals. Ends with `N passed, N failed`.
"""

import argparse
import concurrent.futures
import itertools
import os
import random
import re
import shlex
import sys
import tempfile
from pathlib import Path

from verdict import available, execute, judge, said

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TOOL = ROOT / "build" / "bin" / "sparse-attn"

# Small blocks, so that short sequences have several of them. D2 is no param but a size: entries of lists.
PATTERNS = {
    "causal": {}, "dense": {}, "window": {"W": 50}, "window_sinks": {"W": 40, "S": 3}, "longformer": {"W": 33},
    "strided": {"stride": 64}, "compressed": {}, "topk_blocks": {"b": 32, "n": 2}, "moba": {"l": 32, "n": 2},
    "nsa": {"b": 32, "n": 4, "W": 40}, "nsa_ext": {"b": 32, "n": 4, "W": 40}, "hsa": {"l": 32, "n": 2},
    "hsa_stickbreak": {"l": 32, "n": 2},
    "hils": {"l": 32, "n": 2, "W": 40, "D2": 16}, "alibi": {}, "softcap": {"cap": 3}, "forgetting": {}, "prefix_lm": {"P": 30},
    "fixed": {"stride": 32, "verts": 3}, "dilated": {"W": 9, "dil": 4}, "star_phase1": {"a": 20, "b": 32},
    "differential": {}, "sink_logit": {}, "window_sinks_logit": {"W": 40}, "star_phase2": {},
    "doc_causal": {}, "bucketed": {}, "streaming_llm": {"W": 30, "S": 3}, "mla": {"dv": 32},
    "bigbird": {"b": 32, "r": 2}, "quest": {"page": 16, "n": 3},
    "hybrid_far_pages": {"W": 20, "S": 3, "page": 16, "n": 2},
    "dsa": {"n": 24, "dv": 32}, "dsa_sink": {"n": 24, "dv": 32},
    "hybrid_dsa_two_level": {"b": 16, "m": 3, "n": 24, "dv": 32},
    "adamas": {"n": 24, "lo": -1, "hi": 1}, "int8_topk": {"n": 24}, "mosa": {"n": 24, "first": 1},
    "seer": {"b": 32, "n": 5, "theta": 0.1, "D2": 32},
    "seer_decode": {"b": 32, "n": 5, "theta": 0.1, "D2": 32},
    "block_lists": {"b": 32, "D2": 3}, "block_sparse": {"b": 32, "D2": 64}, "block_bitmap": {"b": 32, "D2": 41},
    "hybrid_hsa_mosa": {"l": 32, "n": 2, "m": 24},
    "top_p": {"p": 0.6, "b": 32, "n": 6},
    "vertical_slash": {}, "snapkv": {"cap": 40, "w": 9, "pool": 5}, "h2o": {"heavy": 15, "recent": 9},
}
# Patterns that GPU targets refuse by name.
CPU_ONLY = {"dsa", "dsa_sink", "hybrid_dsa_two_level", "adamas", "int8_topk", "mosa", "hils", "snapkv", "h2o",
            "vertical_slash", "hybrid_hsa_mosa"}
# Patterns that see the whole sequence: no chunk of it is a call.
WHOLE = {"mosa", "hybrid_hsa_mosa"}
COLUMNS = {
    "CPU": ["cpu-baseline", "cpu-avx2", "cpu-avx512", "cpu-avx512-bf16"],
    "sm_80": ["ptx-sim:sm_80"],
    "sm_90a": ["ptx-sim:sm_90a"],
}
DTYPES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}
HEADS = {"2:2": "own keys for each head", "9:3": "groups of 3", "16:1": "one key head"}
FEATURES = [64, 128]
CALLS = {
    "T=77": "prefill of a length that no tile divides",
    "T=20": "prefill shorter than a block",
    "T=100,Tq=37": "a chunk of queries behind a cache",
    "B=2,T=100,Tq=1": "decode",
    "T=1300,Tq=3": "a few rows on a longer cache, whose keys are split",
}
# Blocks of so many rows choose: a chunk begins where one does, with as many keys fewer before it as that takes.
ROW_BLOCKS = {"seer": 32, "block_lists": 32, "block_sparse": 32, "block_bitmap": 32}
# What a code generator does not take: target, words, message.
REFUSED = [
    ("ptx-sim:sm_80", "causal --shape T=77,Hq=2,D=100 --dtype bf16",
     "feature sizes that are not multiples of 16: pad the features with zeros"),
    ("ptx-sim:sm_80", "topk_blocks --shape T=77,Hq=2,D=64 --dtype bf16 --param b=8 --param n=3",
     "results whose columns are not a multiple of 16"),
    ("ptx-sim:sm_80", "topk_blocks --shape T=77,Hq=2,D=64 --dtype bf16 --param n=200",
     "selections of more than 128 blocks: select fewer or larger ones"),
    ("ptx-sim:sm_80", "mla --shape T=20,Hq=2,D=576 --dtype bf16", "results of more than 256 columns"),
    ("ptx-sim:sm_80", "dsa --shape T=20,Hq=2,D=64 --dtype bf16 --param n=8 --param dv=32",
     "selections of single tokens: compile it for a CPU target"),
    ("ptx-sim:sm_80", "snapkv --shape T=20,Hq=2,D=64 --dtype bf16 --param cap=8 --param w=3",
     "selections of single tokens: compile it for a CPU target"),
    ("ptx-sim:sm_80", "hils --shape T=77,Hq=4,Hkv=2,D=64 --dtype bf16 --param l=32",
     "tables of keys and query heads beside a selection: compile it for a CPU target"),
    ("ptx-sim:sm_80", "vertical_slash --shape T=20,Hq=2,D=64 --dtype bf16",
     "tables by distance: compile it for a CPU target"),
    ("cpu-avx2", "moba --shape T=77,Hq=2,D=64,Dv=7 --param l=8 --param n=2",
     "blocks of 8 keys on this target: use a multiple of 16"),
]


def calls(pattern):
    """The words of every call of a pattern, those of one kernel side by side."""
    for dtype, heads, features, shape in itertools.product(DTYPES, HEADS, FEATURES, CALLS):
        if pattern in WHOLE and "Tq" in shape:
            continue
        q, kv = heads.split(":")
        sizes = f"{at_block(pattern, shape)},Hq={q},Hkv={kv},D={features}"
        params = []
        for name, value in PATTERNS[pattern].items():
            if name.startswith("D"):
                sizes += f",{name}={value}"
            else:
                params += ["--param", f"{name}={value}"]
        yield [pattern, "--dtype", dtype, "--shape", sizes, *params]


def at_block(pattern, shape):
    """The call whose first row begins a block of rows, where such blocks choose."""
    sizes = dict(part.split("=") for part in shape.split(","))
    offset = int(sizes["T"]) - int(sizes.get("Tq", sizes["T"]))
    sizes["T"] = int(sizes["T"]) - offset % ROW_BLOCKS.get(pattern, 1)
    return ",".join(f"{name}={size}" for name, size in sizes.items())


def serves(pattern, dtype, target):
    """Whether the target runs a call, and not by the kernel of the level below."""
    if target == "cpu-avx512-bf16":
        return dtype == "bf16" or pattern == "adamas"  # counts bits
    return target.startswith("cpu") or pattern not in CPU_ONLY


def calls_on(pattern, target):
    return [words for words in calls(pattern) if serves(pattern, words[words.index("--dtype") + 1], target)]


def sample(groups, count, seed):
    """`count` calls, or all: from each group in turn one that is drawn."""
    r = random.Random(seed)
    count = min(count, sum(map(len, groups)))
    drawn = [r.sample(group, len(group)) for group in groups]
    return list(itertools.islice((group.pop() for group in itertools.cycle(drawn) if group), count))


def judge_refusal(tool, target, words, message, environment):
    done = execute(tool, ["verify", *words.split(), "--target", target], environment)
    if done.returncode == 1 and message in done.stderr:
        return ""
    return f"expected a refusal with '{message}', got status {done.returncode}: {said(done)}"


def run(options):
    columns = [options.column] if options.column else COLUMNS
    targets = available(options.tool, [target for column in columns for target in COLUMNS[column]])
    if not targets:
        sys.exit("no target runs on this machine")
    patterns = [options.pattern] if options.pattern else PATTERNS
    groups = [[["verify", *words, "--target", target] for words in calls_on(pattern, target)]
              for pattern in patterns for target in targets]
    chosen = sample(groups, options.sample, options.seed) if options.sample else list(itertools.chain(*groups))
    with tempfile.TemporaryDirectory(prefix="sattn-matrix-") as cache, \
            concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        environment = os.environ | {"SATTN_CACHE_DIR": cache}
        jobs = {pool.submit(judge, options.tool, words, environment): shlex.join(words) for words in chosen}
        for target, words, message in REFUSED:
            if target in targets and words.split()[0] in patterns:
                job = pool.submit(judge_refusal, options.tool, target, words, message, environment)
                jobs[job] = f"verify {words} --target {target}"
        failed = 0
        for job in concurrent.futures.as_completed(jobs):
            if problem := job.result():
                failed += 1
                print(f"MISS sparse-attn {jobs[job]}\n     {problem}", flush=True)
    print(f"{len(jobs) - failed} passed, {failed} failed")
    return int(failed > 0)


#===-- The page ------------------------------------------------------------------------------------------===#

def compiler_refusals():
    """What no target compiles yet, from the messages that the tests of the passes expect."""
    messages = set()
    for path in sorted((ROOT / "test" / "lib" / "transforms").glob("*_invalid.mlir")):
        messages.update(re.findall(r"expected-error.*?\{\{\[SA\d+\] (.*?)(?:,)? (?:is|are) not compiled yet", path.read_text()))
    return sorted(messages, key=lambda text: text.strip("'").lower())


def page():
    def listed(texts):
        return [f"- {text}" for text in texts]

    lines = [
        "# What is supported", "",
        "Written by `tools/docs.sh` from `test/integration/matrix.py` and the tests of refusals. Each number counts calls that",
        "`tools/test.sh --full` compares with the float64 oracle; every run of `tools/test.sh` compares a sample of them.",
        "They are all combinations of", "",
        *listed([", ".join(DTYPES.values()),
                 "query heads to key heads " + ", ".join(f"{key} ({text})" for key, text in HEADS.items()),
                 f"{' and '.join(map(str, FEATURES))} features",
                 ", ".join(f"{text} (`{key}`)" for key, text in CALLS.items())]), "",
        "Where blocks of rows choose, a chunk or decode begins at a multiple of 32, with fewer keys before it.", "",
        "| pattern | " + " | ".join(COLUMNS) + " |", "|---|" + "---|" * len(COLUMNS),
    ]
    for pattern, params in PATTERNS.items():
        text = " ".join(f"{name}={value}" for name, value in params.items())
        cells = [str(sum(len(calls_on(pattern, target)) for target in targets) or "refused")
                 for targets in COLUMNS.values()]
        lines.append(f"| `{pattern}`{' ' + text if text else ''} | " + " | ".join(cells) + " |")
    lines += [
        "", "CPU stands for " + ", ".join(f"`{t}`" for t in COLUMNS["CPU"]) + " (the last where its kernels "
        "are its own: bfloat16, and `adamas`); GPU code is executed by the interpreter of PTX.", "",
        "## Refused by a code generator", "", "| call | message |", "|---|---|"]
    for target, words, message in REFUSED:
        lines.append(f"| `{words} --target {target}` | {message} |")
    lines += ["", "## Not compiled yet, for any target", "",
              "The reference runs these (`--oracle`); the compiler names them and stops.", ""]
    lines += listed(compiler_refusals())
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description="shipped patterns, element types, heads and calls on every target")
    parser.add_argument("--sample", type=int, help="so many of the calls (default: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--column", choices=COLUMNS, help="this one alone")
    parser.add_argument("--pattern", choices=PATTERNS, help="this one alone")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--tool", default=str(TOOL))
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the page and run nothing")
    options = parser.parse_args()
    if options.page:
        options.page.write_text(page())
        return 0
    return run(options)


if __name__ == "__main__":
    sys.exit(main())

"""Assembles kernels of the shipped patterns and prints a table of what each takes of a multiprocessor.

usage: assemble.py FOLDER_OF_PATTERNS [--full] TARGET...
A line for each kernel: pattern, type, features, target: kernel, registers, shared memory, bytes of spills. Without
--full the cases are those below that need most; with it all patterns, types and sizes. Exit status 1 where ptxas refuses
a text, warns that it serialises wgmma, or spills registers.
"""

import concurrent.futures
import json
import os
import re
import subprocess
import sys

GROUPS = {"window": 4, "topk_blocks": 4, "top_p": 4, "compressed": 4, "nsa": 16, "nsa_ext": 16, "hsa": 4, "hsa_stickbreak": 4}
PATTERNS = ["dense", "causal", "window", "window_sinks", "strided", "longformer", "topk_blocks", "moba", "quest", "compressed"]
PATTERNS += ["nsa", "nsa_ext", "hsa", "hsa_stickbreak", "alibi", "forgetting", "softcap", "doc_causal"]
PATTERNS += ["streaming_llm", "star_phase1", "star_phase2", "sink_logit", "window_sinks_logit", "seer", "block_lists"]
PATTERNS += ["block_bitmap", "block_sparse", "bigbird", "differential", "mla", "hybrid_far_pages", "fixed", "dilated"]
PATTERNS += ["prefix_lm", "bucketed", "top_p"]
FULL = [(pattern, dtype, size) for pattern in PATTERNS for dtype in ("bf16", "f16", "f32") for size in (64, 128)]
CASES = [("causal", "f16", 128), ("nsa", "bf16", 128), ("moba", "f32", 128), ("hsa", "bf16", 64), ("window_sinks", "bf16", 128), ("forgetting", "bf16", 128)]
CASES += [("hybrid_far_pages", "f32", 128), ("seer", "f32", 128), ("bigbird", "bf16", 128), ("differential", "bf16", 128), ("mla", "bf16", 64), ("block_sparse", "bf16", 128)]
CASES += [("quest", "f32", 128), ("hybrid_far_pages", "bf16", 128)]


def bind_of(pattern, dtype, size):
    bind = f"dtype={dtype},D={size},Dv={size},group={GROUPS.get(pattern, 1)}"
    if pattern == "mla":
        return f"dtype={dtype},D={size},dv={size}"
    if pattern in ("seer", "block_lists", "block_bitmap", "block_sparse"):
        return bind + f",D2={size}"
    return bind + (f",D2={size},group.g2=4" if pattern.startswith("hsa") else "")


def compiled(folder, case, target, stage):
    command = ["sparse-attn-opt", f"{folder}/{case[0]}.mlir", f"--emit={stage}", f"--target={target}"]
    return subprocess.run(command + ["--bind", bind_of(*case)], check=True, capture_output=True).stdout


def assemble(folder, case, target):
    """Lines of the table and what is wrong."""
    name = f"{case[0]} {case[1]} D{case[2]} {target}"
    command = ["ptxas", f"-arch={target}", "-v", "-o", "/dev/null", "-"]
    done = subprocess.run(command, input=compiled(folder, case, target, "ptx"), capture_output=True)
    log = done.stderr.decode()
    if done.returncode != 0 or re.search(r"\(C75\d\d\)", log):
        return [], [f"{name}: {log}"]
    kernels = json.loads(compiled(folder, case, target, "manifest"))["kernels"]
    lines, wrong = [], []
    found = re.findall(r"entry function '(\w+)'.*?(\d+) bytes spill stores.*?Used (\d+) registers", log, re.DOTALL)
    if {kernel for kernel, _, _ in found} != set(kernels):
        wrong.append(f"{name}: ptxas does not speak of {set(kernels)}")
    for kernel, spills, registers in found:
        shared = kernels[kernel]["shared"]
        lines.append(f"{name}: {kernel} {registers} registers, {shared} bytes shared, {spills} spilled")
        if int(spills) > 0:
            wrong.append(lines[-1])
    return lines, wrong


def main():
    arguments = [a for a in sys.argv[1:] if a != "--full"]
    folder, targets = arguments[0], arguments[1:]
    cases = FULL if "--full" in sys.argv else CASES
    jobs = [(case, target) for target in targets for case in cases]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda job: assemble(folder, *job), jobs))
    for lines, _ in results:
        print(*lines, sep="\n")
    wrong = [text for _, texts in results for text in texts]
    sys.exit("\n".join(["wrong:"] + wrong) if wrong else None)


main()

"""Compiles shipped patterns to PTX for the given targets, assembles them with ptxas and prints the spills of each kernel.

usage: assemble.py FOLDER_OF_PATTERNS TARGET...; exit status 1 if a text is not assembled.
"""

import re
import subprocess
import sys

CASES = [
    ("causal", "bf16", 64, "group=4"),
    ("causal", "f16", 128, "group=1"),
    ("window", "bf16", 64, "group=4"),
    ("causal", "f32", 64, "group=1"),
    ("window_sinks", "bf16", 128, "group=4"),
    ("nsa", "bf16", 64, "group=16"),
    ("moba", "f16", 64, "group=1"),
]


def assemble(folder, pattern, dtype, size, bind, target):
    command = ["sparse-attn-opt", f"{folder}/{pattern}.mlir", "--emit=ptx", f"--target={target}"]
    command += ["--bind", f"dtype={dtype},D={size},Dv={size},{bind}"]
    ptx = subprocess.run(command, check=True, capture_output=True).stdout
    done = subprocess.run(["ptxas", f"-arch={target}", "-v", "-o", "/dev/null", "-"], input=ptx, capture_output=True)
    log = done.stderr.decode()
    # C7510 to C7514: the products of warpgroups would wait for each other.
    if done.returncode != 0 or re.search(r"C751\d", log):
        sys.exit(f"{pattern} {dtype} D{size} {target}: {log}")
    for kernel, spills in re.findall(r"entry function '(\w+)'.*?(\d+) bytes spill stores", log, re.DOTALL):
        print(f"{pattern} {dtype} D{size} {target}: {kernel} {spills} spills")


def main():
    folder, targets = sys.argv[1], sys.argv[2:]
    for case in CASES:
        for target in targets:
            assemble(folder, *case, target)
    print("all assembled")


main()

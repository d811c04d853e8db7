#!/usr/bin/env python3
"""Makes the folder that a machine with a GPU needs to check and time our kernels: nothing else, no compiler.

usage: gpu_pack.py FOLDER [--sample N] [--seed N] [--gpu TARGET]... [--build FOLDER] [--no-timing]
The calls are those of test/integration/matrix.py (every shipped pattern that GPUs run, element type, sharing of heads and
kind of call), N of them drawn so that every pattern occurs (default 120; 0 for all), with operands and the oracle's
results, every third with keys in pages; and long calls to be timed. FOLDER gets calls/, timing/, lib/libsattn.so.0, gpu-check, gpu_check.sh and gpu_peers.py, and
FOLDER.tar.xz holds it all. Exit status 1 where that is more than 64 MiB.
"""

import argparse
import concurrent.futures
import itertools
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test" / "integration"))
import matrix  # noqa: E402

LIMIT = 64 << 20
# Long calls: name, words of `sparse-attn pack`.
TIMED = {
    "causal_16k": ["causal", "--shape", "T=16384,Hq=16,Hkv=16,D=128"],
    "causal_4k": ["causal", "--shape", "B=4,T=4096,Hq=16,Hkv=16,D=128"],
    "window_16k": ["window", "--shape", "T=16384,Hq=16,Hkv=16,D=128", "--param", "W=512"],
    "nsa_64k": ["nsa", "--shape", "T=65536,Hq=16,Hkv=1,D=128"],
    "topk_blocks_16k": ["topk_blocks", "--shape", "T=16384,Hq=16,Hkv=4,D=128", "--param", "n=8"],
    "causal_decode": ["causal", "--shape", "B=8,T=16384,Tq=1,Hq=32,Hkv=8,D=128"],
    "causal_decode_paged": ["causal", "--shape", "B=8,T=16384,Tq=1,Hq=32,Hkv=8,D=128", "--page-size", "64"],
}


def pack(tool, folder, name, words, targets):
    command = [tool, "pack", *words, "--to", str(folder), "--name", name]
    for target in targets:
        command += ["--gpu", target]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return name, done.returncode, done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sample", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gpu", action="append")
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--no-timing", action="store_true")
    options = parser.parse_args()
    targets = options.gpu or ["sm_80", "sm_90a"]
    folder = options.folder.resolve()
    if folder.exists() and any(folder.iterdir()):
        sys.exit(f"gpu_pack: '{folder}' is not empty: name another folder")
    for part in ("calls", "timing", "lib"):
        (folder / part).mkdir(parents=True)
    tool = str(options.build / "bin" / "sparse-attn")
    groups = [list(matrix.calls(pattern)) for pattern in matrix.PATTERNS if pattern not in matrix.CPU_ONLY]
    drawn = matrix.sample(groups, options.sample or sum(map(len, groups)), options.seed)
    # Pages of whole tiles, and such that each row is looked up.
    pages = itertools.cycle([[], [], ["--page-size", "64"], [], [], ["--page-size", "24"]])
    jobs = [(folder / "calls", f"{words[0]}_{number:04}", words + next(pages)) for number, words in enumerate(drawn)]
    if not options.no_timing:
        jobs += [(folder / "timing", name, [*words, "--dtype", "bf16", "--timing"]) for name, words in TIMED.items()]
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, status, text in pool.map(lambda job: pack(tool, *job, targets), jobs):
            if status:
                bad += 1
                print(f"gpu_pack: {name}: {text.strip()}", file=sys.stderr)
    shutil.copy(options.build / "lib" / "libsattn.so.0", folder / "lib")
    shutil.copy(options.build / "bin" / "gpu-check", folder)
    for script in ("gpu_check.sh", "gpu_peers.py"):
        shutil.copy(ROOT / "tools" / script, folder)
    archive = Path(f"{folder}.tar.xz")
    with tarfile.open(archive, "w:xz") as tar:
        tar.add(folder, folder.name)
    size = archive.stat().st_size
    print(f"{archive}: {len(jobs) - bad} calls for {', '.join(targets)}, {size / 2**20:.1f} MiB, {bad} failed")
    if size > LIMIT:
        print("gpu_pack: more than 64 MiB: give --sample a smaller number", file=sys.stderr)
    sys.exit(1 if bad or size > LIMIT else 0)


if __name__ == "__main__":
    main()

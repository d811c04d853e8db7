"""tokens.py TOOL: decodes with many numbers of heads and prints how many calls agree with the oracle."""
import itertools
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from verdict import available

HEADS = ["16:16", "8:8", "12:12", "24:24", "32:16", "12:4", "16:4", "9:3", "16:2", "24:4", "10:2"]
FEATURES = {"8:8": 16, "16:16": 64, "12:12": 64, "32:16": 64, "16:4": 64, "16:2": 64}
WAYS = [["--shape", "B=2,T=333,Tq=1"], ["--shape", "T=1100,Tq=3"], ["--shape", "T=333,Tq=1", "--page-size", "48"],
        ["--packed", "1:333,2:70,1:1"], ["--shape", "T=333,Tq=1", "--strides", "3"],
        ["--shape", "T=333,Tq=1", "--strides", "4"]]


def words(heads, ways):
    for heads, way in itertools.product(heads, ways):
        q, kv = heads.split(":")
        sizes = f"Hq={q},Hkv={kv},D={FEATURES.get(heads, 40)}"
        way = [*way[:1], f"{way[1]},{sizes}", *way[2:]] if way[0] == "--shape" else [*way, "--shape", sizes]
        yield way


def main(tool):
    targets = available(tool, ["cpu-avx512", "cpu-avx2", "cpu-baseline", "cpu-avx512-bf16"])
    levels = itertools.cycle([(target, dtype) for target in targets for dtype in ["f32", "bf16", "f16"]
                              if target != "cpu-avx512-bf16" or dtype == "bf16"])
    agreed = 0
    for pattern, calls in {"causal": words(HEADS, WAYS),
                           "window_sinks --param W=200 --param S=3": words(HEADS[::3], WAYS[:2])}.items():
        for way, (level, dtype) in zip(calls, levels):
            call = [tool, "verify", *pattern.split(), *way, "--dtype", dtype, "--target", level]
            said = subprocess.run(call, capture_output=True, text=True)
            if said.returncode != 0:
                print(*call, said.stdout, said.stderr, sep="\n")
                return 1
            agreed += 1
    print(agreed, "calls agree")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

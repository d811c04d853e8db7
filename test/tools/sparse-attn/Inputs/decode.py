"""decode.py PATTERN FOLDER TARGET [--half FEATURES [--own]] OPTION...: rows computed a few at a time are the rows of the whole.

The pattern runs once over all rows. Then a few rows at a time run over the same keys: those up to the last row, and
those of a cache that is longer than what lives in it, whose rest is NaN. All must agree. A NaN that some of the few
rows do not see changes no bit of these. Operands are float32 of 16 features, or float16 of FEATURES; three heads share keys, with
--own each has its own. Patterns that select give o alone, and are not asked about NaN: a block ranks by all its keys."""

import subprocess
import sys
from pathlib import Path

import numpy as np

pattern, folder, target, options = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4:]
features, dtype, tolerance = 16, np.float32, 1e-5
if options[:1] == ["--half"]:
    features, dtype, tolerance, options = int(options[1]), np.float16, 2e-3, options[2:]
keys, heads, keyHeads = 700, 6, 2  # several splits on a GPU
if options[:1] == ["--own"]:
    keyHeads, options = heads, options[1:]
folder.mkdir(parents=True, exist_ok=True)
r = np.random.default_rng(3)
q, k, v = (r.standard_normal((2, keys, count, features)).astype(dtype) for count in (heads, keyHeads, keyHeads))
outs = ["o"] if pattern in ("nsa", "hsa", "moba", "topk_blocks", "quest", "top_p") else ["o", "lse"]
byRow, byBlock = {}, {}  # further operands: of query rows, and of complete blocks of 64 keys
if pattern == "nsa":
    byRow["g"] = r.random((2, keys, heads, 3)).astype(dtype)
if pattern == "hsa":
    byRow["r"] = r.standard_normal((2, keys, keyHeads, 8)).astype(dtype)
    byBlock["m"] = r.standard_normal((2, keys // 64, keyHeads, 8)).astype(dtype)


def run(rows, k, v, **words):
    command = ["sparse-attn", "run", pattern, "--target", target, *options]
    operands = {name: array[:, rows] for name, array in dict(q=q, **byRow).items()}
    operands |= dict(k=k, v=v, **{name: array[:, : k.shape[1] // 64] for name, array in byBlock.items()})
    for name, array in operands.items():
        np.save(folder / f"{name}.npy", array)
        command += ["--arg", f"{name}={folder}/{name}.npy"]
    for name in outs:
        command += ["--out", f"{name}={folder}/{name}.npy"]
    for name, value in words.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return [np.load(folder / f"{name}.npy") for name in outs]


def compare(got, expected, what):
    for name, a, b in zip(outs, got, expected):
        assert np.allclose(a, b, rtol=tolerance, atol=tolerance), f"{what}: {name} differs by {np.abs(a - b).max()}"


whole = run(slice(0, keys), k, v)
compared = 0
for first, count in [(0, 1), (0, 3), (63, 1), (64, 1), (126, 4), (255, 2), (511, 5), (692, 8), (699, 1)]:
    end, what = first + count, f"rows {first} to {first + count - 1}"
    rows = [array[:, first:end] for array in whole]
    few = slice(first, end)
    alone = run(few, k[:, :end], v[:, :end], q_offset=first)
    compare(alone, rows, what)
    cache = [array.copy() for array in (k, v)]
    for array in cache:
        array[:, end:] = np.nan
    living = run(few, *cache, q_offset=first, kv_len=end)
    compare(living, rows, what + " over a longer cache")
    compared += 2
    if count == 1 or "lse" not in outs:
        continue
    # The last key is NaN: only the last row sees it, and patterns that look ahead are not tested here.
    for array in cache:
        array[:, end - 1] = np.nan
    poisoned = run(few, *cache, q_offset=first, kv_len=end)
    for got, clean in zip(poisoned, living):
        assert (got[:, :-1] == clean[:, :-1]).all(), f"{what}: a NaN leaks into rows that do not see it"
    assert np.isnan(poisoned[0][:, -1]).all(), f"{what}: the last row does not see its own key"
    compared += 1
print(f"{compared} calls agree")

"""poison.py PATTERN FOLDER TARGET [--keys N] [--half FEATURES] OPTION...: NaN and infinities in operands, hidden and seen.

Runs the pattern on operands where some keys in the middle, or the queries beside them, hold NaN or an infinity. Rows
before the first of these keys see none of them and must give the bits that they give without, even where they share a
block with one; all rows must agree with the oracle, also about which numbers are NaN: a block whose score is NaN is not
selected, so that a row may well be finite behind it. Landmarks of blocks are poisoned like the keys of a block.
Operands are float32 of 16 features, or float16 of FEATURES."""

import subprocess
import sys
from pathlib import Path

import numpy as np

pattern, folder, target, options = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4:]
keys = 64
if options[:1] == ["--keys"]:
    keys, options = int(options[1]), options[2:]
features, dtype, tolerance = 16, np.float32, 1e-4
if options[:1] == ["--half"]:
    features, dtype, tolerance, options = int(options[1]), np.float16, 4e-3, options[2:]
params = dict(word.split("=") for word in options if "=" in word)
first, last = 21 * keys // 32, 3 * keys // 4  # begins inside a block of keys, ends with one
rowBlock = int(params.get("qblock", 1))
shapes = {name: (1, keys, heads, features) for name, heads in [("q", 4), ("k", 2), ("v", 2)]}
if pattern == "nsa":
    shapes |= dict(g=(1, keys, 4, 3))
if pattern == "hsa":
    length = int(params["l"])
    shapes |= dict(r=(1, keys, 2, 8), m=(1, keys // length, 2, 8))
if pattern == "mla":
    shapes = dict(q=shapes["q"], kv=(1, keys, 1, features))
tables = {}
if pattern == "alibi":
    tables = dict(slope=np.float32([0.5, 0.25, 0.125, 0.0625]))
if pattern == "forgetting":
    shapes |= dict(gate=(1, keys, 4))
if pattern == "doc_causal":
    tables = dict(doc=(np.arange(keys, dtype=np.int32) // 24)[None])
folder.mkdir(parents=True, exist_ok=True)
r = np.random.default_rng(7)
clean = {name: r.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}


def run(arrays, *judge):
    words = ["sparse-attn", "run", pattern, "--out", f"o={folder}/o.npy", *options, *(judge or ["--target", target])]
    for name, array in (arrays | tables).items():
        np.save(folder / f"{name}.npy", array)
        words += ["--arg", f"{name}={folder}/{name}.npy"]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return np.load(folder / "o.npy")


def positions(operand):
    """The poisoned positions, and the number of rows from the start that see none of them."""
    if operand == "m":
        return slice(last // length - 1, last // length), last
    return slice(first, last), first // rowBlock * rowBlock if operand == "q" else first


expected = run(clean)
assert np.isfinite(expected).all()
seen = 0
for operand in [name for name in ("q", "k", "v", "kv", "m", "gate") if name in shapes]:
    for value in (np.nan, np.inf, -np.inf):
        what = f"{value} in {operand}"
        poisoned = {name: array.copy() for name, array in clean.items()}
        where, apart = positions(operand)
        poisoned[operand][:, where] = value
        got, oracle = run(poisoned), run(poisoned, "--oracle")
        assert (got[:, :apart] == expected[:, :apart]).all(), f"{what} leaks into rows that do not see it"
        assert (np.isnan(got) == np.isnan(oracle)).all(), f"{what}: NaN in other places than the oracle's"
        finite = np.isfinite(oracle)
        assert (got[~finite & ~np.isnan(oracle)] == oracle[~finite & ~np.isnan(oracle)]).all(), f"{what}: infinities"
        assert np.allclose(got[finite], oracle[finite], rtol=tolerance, atol=tolerance), f"{what}: other numbers than the oracle's"
        seen += (~finite).any()
assert seen, "no poison is seen by any row: nothing was tested"
print(f"no leak, {seen} poisons seen")

"""poison.py PATTERN FOLDER TARGET OPTION...: NaN and infinities in keys and values, hidden and seen.

Runs the pattern on operands where keys 40 to 63 hold NaN or an infinity: rows before 40 see none of them and must give the
bits that they give without; all rows must agree with the oracle about which numbers are NaN."""

import subprocess
import sys
from pathlib import Path

import numpy as np

pattern, folder, target, options = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4:]
folder.mkdir(parents=True, exist_ok=True)
r = np.random.default_rng(7)
shapes = dict(q=(1, 64, 4, 16), k=(1, 64, 2, 16), v=(1, 64, 2, 16))
clean = {name: (r.integers(-16, 17, shape) / 8).astype(np.float32) for name, shape in shapes.items()}


def run(arrays, *judge):
    words = ["sparse-attn", "run", pattern, "--out", f"o={folder}/o.npy", *options, *(judge or ["--target", target])]
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
        words += ["--arg", f"{name}={folder}/{name}.npy"]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return np.load(folder / "o.npy")


expected = run(clean)
assert np.isfinite(expected).all()
for operand in ("k", "v"):
    for value in (np.nan, np.inf, -np.inf):
        poisoned = {name: array.copy() for name, array in clean.items()}
        poisoned[operand][:, 40:] = value
        got, oracle = run(poisoned), run(poisoned, "--oracle")
        assert (got[:, :40] == expected[:, :40]).all(), f"{value} in {operand} leaks into rows that do not see it"
        assert (np.isnan(got) == np.isnan(oracle)).all(), f"{value} in {operand}: NaN in other places than the oracle's"
print("no leak")

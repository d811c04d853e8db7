"""orders.py PATTERN FOLDER TARGET OPTION...: the bits of a result do not depend on the order in which warps run."""

import subprocess
import sys
from pathlib import Path

import numpy as np

pattern, folder, target, options = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4:]
keys, features = 130, 64
shapes = {name: (1, keys, heads, features) for name, heads in [("q", 4), ("k", 2), ("v", 2)]}
if pattern == "nsa":
    shapes |= dict(g=(1, keys, 4, 3))
folder.mkdir(parents=True, exist_ok=True)
r = np.random.default_rng(3)
words = ["sparse-attn", "run", pattern, "--target", target, *options]
for name, shape in shapes.items():
    np.save(folder / f"{name}.npy", r.standard_normal(shape).astype(np.float16))
    words += ["--arg", f"{name}={folder}/{name}.npy"]
results = []
for order in range(4):
    out = folder / f"o{order}.npy"
    subprocess.run([*words, "--warp-order", str(order), "--out", f"o={out}"], check=True, stdout=subprocess.DEVNULL)
    results.append(out.read_bytes())
assert np.abs(np.load(folder / "o0.npy")).max() > 0
assert len(set(results)) == 1, "another order of warps gives other bits"
print(f"{len(results)} orders, the same bits")

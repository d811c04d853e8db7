"""packed.py PATTERN FOLDER TARGET OPTION...: packed sequences from files, against each sequence from files.

Lengths are random, of prompts, chunks behind a cache and single rows, some of them empty. All give the same bits, and what
the reference gives."""

import subprocess
import sys
from pathlib import Path

import numpy as np

pattern, folder, target, options = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4:]
r = np.random.default_rng(11)
folder.mkdir(parents=True, exist_ok=True)


def run(arrays, numbers, *judge):
    words = ["sparse-attn", "run", pattern, "--out", f"o={folder}/o.npy", *options, *(judge or ["--target", target])]
    for name, array in (arrays | numbers).items():
        np.save(folder / f"{name}.npy", array)
        words += ["--arg", f"{name}={folder}/{name}.npy"] if name in arrays else [f"--{name}", f"{folder}/{name}.npy"]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return np.load(folder / "o.npy")


calls = 0
for count in (1, 3, 6):
    keys = r.choice([0, 1, 9, 64, 130, 203], count)
    rows = np.minimum(keys, r.choice([0, 1, 5, 64, 300], count))
    cu_q, cu_kv = (np.concatenate([[0], np.cumsum(lengths)]) for lengths in (rows, keys))
    heads = dict(q=4, k=2, v=2) | (dict(g=4) if pattern == "nsa" else {})
    arrays = {name: r.standard_normal(((cu_kv if name in "kv" else cu_q)[-1], h, 3 if name == "g" else 32))
              .astype(np.float32) for name, h in heads.items()}
    numbers = {"q-offset": keys - rows, "kv-len": keys - (keys > 100)}
    lengths = {"cu-q": cu_q.astype(np.int32), "cu-kv": cu_kv.astype(np.int64)}
    got = run(arrays, numbers | lengths)
    assert got.shape == (cu_q[-1], 4, 32)
    for b in range(count):
        begin, end = slice(cu_q[b], cu_q[b + 1]), slice(cu_kv[b], cu_kv[b + 1])
        own = {name: array[None, end if name in "kv" else begin] for name, array in arrays.items()}
        alone = run(own, {name: values[b:b + 1] for name, values in numbers.items()})
        calls += 1
        if alone[0].tobytes() != got[begin].tobytes():
            sys.exit(f"sequence {b} of rows {rows}, keys {keys}: other bits than alone")
    oracle = run(arrays, numbers | lengths, "--oracle")
    assert np.abs(oracle - got).max(initial=0) < 1e-4
    # Only the queries are packed: each sequence has its own entry of the keys.
    most = keys.max()
    padded = {name: np.stack([np.resize(np.append(array[cu_kv[b]:cu_kv[b + 1]], np.full((most - keys[b], 2, 32), np.nan),
                                                  axis=0), (most, 2, 32)) for b in range(count)]).astype(np.float32)
              if name in "kv" else array for name, array in arrays.items()}
    if most > 0 and run(padded, numbers | {"cu-q": lengths["cu-q"]}).tobytes() != got.tobytes():
        sys.exit(f"rows {rows}, keys {keys}: other bits than with keys in one piece each")
print(f"{calls} sequences agree")

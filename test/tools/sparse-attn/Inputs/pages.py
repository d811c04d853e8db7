"""pages.py PATTERN FOLDER TARGET [--half FEATURES] OPTION...: keys and values in pools of pages, laid out here.

Runs the pattern on whole prompts, on chunks behind a cache and on single rows, with a length for each batch entry, once on
keys in one piece and then in pages of several sizes, in two orders of the pages each. Whatever is no key of the call holds
NaN. All give the same bits. The reference reads the pools as well."""

import subprocess
import sys
from pathlib import Path

import numpy as np

pattern, folder, target, options = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4:]
features, dtype = 32, np.float32
if options[:1] == ["--half"]:
    features, dtype, options = int(options[1]), np.float16, options[2:]
r = np.random.default_rng(5)
most, lengths = 203, np.int64([203, 117])
k, v = (r.standard_normal((2, most, 2, features)).astype(dtype) for _ in "kv")
for b in range(2):
    k[b, lengths[b]:] = v[b, lengths[b]:] = np.nan
folder.mkdir(parents=True, exist_ok=True)


def run(arrays, offset, *judge):
    words = ["sparse-attn", "run", pattern, "--out", f"o={folder}/o.npy", *options, *(judge or ["--target", target])]
    for name, array in (arrays | {"offset": offset, "len": lengths}).items():
        np.save(folder / f"{name}.npy", array)
    for name in arrays:
        words += ["--arg", f"{name}={folder}/{name}.npy"] if name != "table" else ["--page-table", f"{folder}/table.npy"]
    words += ["--q-offset", f"{folder}/offset.npy", "--kv-len", f"{folder}/len.npy"]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return np.load(folder / "o.npy")


def pool(x, table, page, count):
    pages = np.full((count, page, *x.shape[2:]), np.nan, x.dtype)
    for b in range(2):
        for j in range(lengths[b]):
            pages[table[b, j // page], j % page] = x[b, j]
    return pages


calls = 0
for rows in (117, 30, 1):
    offset = lengths - rows
    extra = dict(g=r.standard_normal((2, rows, 4, 3)).astype(np.float32)) if pattern == "nsa" else {}
    q = r.standard_normal((2, rows, 4, features)).astype(dtype)
    whole = run(dict(q=q, k=k, v=v) | extra, offset)
    assert np.isfinite(whole).all()
    for page in (1, 16, 64, 100):
        entries = -(-most // page) + 2
        count = 2 * entries + 3
        for order in (r.permutation(count), np.arange(count)):
            table = order[:2 * entries].reshape(2, entries).astype(np.int32)
            for b in range(2):  # what no key needs may hold anything
                table[b, -(-lengths[b] // page):] = r.choice([-1, -7, 2**31 - 1])
            arrays = dict(q=q, k=pool(k, table, page, count), v=pool(v, table, page, count), table=table) | extra
            paged = run(arrays, offset, "--page-size", str(page), "--target", target)
            calls += 1
            if paged.tobytes() != whole.tobytes():
                sys.exit(f"{rows} rows, pages of {page}: other bits than of keys in one piece")
    oracle = run(arrays, offset, "--page-size", str(page), "--oracle")
    assert np.abs(oracle - whole).max() < (1e-4 if dtype == np.float32 else 4e-3)
print(f"{calls} calls agree")

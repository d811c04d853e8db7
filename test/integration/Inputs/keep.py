"""A sequence in chunks and single tokens through kernels of keep=summaries, against one call without."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))

import native  # noqa: E402

BATCH, KEYS, HEADS, KEY_HEADS, FEATURES = 2, 500, 4, 2, 32
CHUNKS = [300, 77, 100] + [1] * 8 + [15]
# Kept tensors: their blocks, how many there are for all keys; and which block an old key belongs to.
KEPT = {
    "nsa": {"k_mean_32_16": 30, "v_mean_32_16": 30},
    "moba": {"k_mean_64_64_ragged": 8},
    "quest": {"k_max_16_16_ragged": 32, "k_min_16_16_ragged": 32},
}
STATIC = {"nsa": {"n": 4}, "moba": {}, "quest": {"n": 8}}


def operands(pattern):
    r = np.random.default_rng(5)
    made = {
        name: r.standard_normal((BATCH, KEYS, heads, FEATURES)).astype(np.float32)
        for name, heads in (("q", HEADS), ("k", KEY_HEADS), ("v", KEY_HEADS))
    }
    if pattern == "nsa":
        made["g"] = r.random((BATCH, KEYS, HEADS, 3)).astype(np.float32)
    return made


def compute(kernel, whole, kept, first, end):
    """Rows first to end - 1 over the keys before `end`; both caches are longer than what lives in them."""
    inputs = {n: np.ascontiguousarray(a[:, first:end]) if n in ("q", "g") else a[:, :end] for n, a in whole.items()}
    out = np.empty((BATCH, end - first, HEADS, FEATURES), np.float32)
    kernel.bound(inputs | kept, {"o": out}, q_offset=first)()
    return out


def check(context, pattern):
    bind = {"D": FEATURES, "Dv": FEATURES, "dtype": "f32", "group": HEADS // KEY_HEADS, **STATIC[pattern]}
    plain = context.kernel(pattern, dict(sorted(bind.items())))
    keeping = context.kernel(pattern, dict(sorted((bind | {"keep": "summaries"}).items())))
    whole = operands(pattern)
    expected = compute(plain, whole, {}, 0, KEYS)
    kept = {n: np.full((BATCH, c, KEY_HEADS, FEATURES), np.nan, np.float32) for n, c in KEPT[pattern].items()}
    first = 0
    for count in CHUNKS:
        end = first + count
        before = {name: array.copy() for name, array in kept.items()}
        got = compute(keeping, whole, kept, first, end)
        assert np.allclose(got, expected[:, first:end], rtol=1e-4, atol=1e-5), f"{pattern}: rows {first} to {end - 1}"
        for name, array in kept.items():
            changed = np.nonzero(~np.isclose(array, before[name], equal_nan=True).all(axis=(0, 2, 3)))[0]
            stride = int(name.split("_")[3])
            assert all(block * stride + 2 * stride > first for block in changed), f"{pattern}: {name} {changed}"
        first = end
    # What is kept counts: other summaries of old keys select other blocks.
    last = compute(keeping, whole, kept, KEYS - 1, KEYS)
    other = compute(keeping, whole, {name: -3 * array for name, array in kept.items()}, KEYS - 1, KEYS)
    assert not np.allclose(last, other), f"{pattern}: kept summaries are not read"
    print(f"{pattern}: {len(CHUNKS)} calls agree")


context = native.Context()
for name in KEPT:
    check(context, name)

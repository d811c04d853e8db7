"""A sequence in chunks and single tokens through kernels of keep=summaries, against one call without."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))

import native  # noqa: E402

BATCH, KEYS, HEADS, KEY_HEADS, FEATURES = 2, 500, 4, 2, 32
CHUNKS = [300, 77, 100] + [1] * 8 + [15]


def summary(blocks, stride):
    return (BATCH, blocks, KEY_HEADS, FEATURES), np.float32, 1, stride


# Kept tensors: shape for all keys, type, axis of blocks, and their stride.
KEPT = {
    "nsa": {"k_mean_32_16": summary(30, 16), "v_mean_32_16": summary(30, 16)},
    "moba": {"k_mean_64_64_ragged": summary(8, 64)},
    "top_p": {"k_mean_64_64": summary(7, 64)},
    "topk_blocks": {"k_mean_64_64_ragged": summary(8, 64)},
    "quest": {"k_max_16_16_ragged": summary(32, 16), "k_min_16_16_ragged": summary(32, 16)},
    "int8_topk": {"k_int8_codes": ((BATCH, KEY_HEADS, KEYS, FEATURES), np.int8, 2, 1),
                  "k_int8_scales": ((BATCH, KEY_HEADS, KEYS), np.float32, 2, 1)},
    "adamas": {"k_hadamard_buckets_codes": ((BATCH, KEY_HEADS, KEYS, FEATURES), np.uint8, 2, 1)},
}
STATIC = {"nsa": {"n": 4}, "quest": {"n": 8}, "top_p": {"n": 3}, "topk_blocks": {"n": 3}}
PARAMS = {"int8_topk": {"n": 60}, "adamas": {"n": 60}}


def operands(pattern):
    r = np.random.default_rng(5)
    made = {
        name: r.standard_normal((BATCH, KEYS, heads, FEATURES)).astype(np.float32)
        for name, heads in (("q", HEADS), ("k", KEY_HEADS), ("v", KEY_HEADS))
    }
    if pattern == "nsa":
        made["g"] = r.random((BATCH, KEYS, HEADS, 3)).astype(np.float32)
    return made


def compute(kernel, whole, kept, first, end, params):
    """Rows first to end - 1 over the keys before `end`; both caches are longer than what lives in them."""
    inputs = {n: np.ascontiguousarray(a[:, first:end]) if n in ("q", "g") else a[:, :end] for n, a in whole.items()}
    out = np.empty((BATCH, end - first, HEADS, FEATURES), np.float32)
    kernel.bound(inputs | kept, {"o": out}, params, q_offset=first)()
    return out


def check(context, pattern):
    bind = {"D": FEATURES, "Dv": FEATURES, "dtype": "f32", "group": HEADS // KEY_HEADS, **STATIC.get(pattern, {})}
    plain = context.kernel(pattern, dict(sorted(bind.items())))
    keeping = context.kernel(pattern, dict(sorted((bind | {"keep": "summaries"}).items())))
    whole = operands(pattern)
    params = PARAMS.get(pattern, {})
    expected = compute(plain, whole, {}, 0, KEYS, params)
    nothing = {np.float32: np.nan, np.int8: -128, np.uint8: 255}
    kept = {name: np.full(shape, nothing[dtype], dtype) for name, (shape, dtype, _, _) in KEPT[pattern].items()}
    first = 0
    for count in CHUNKS:
        end = first + count
        before = {name: array.copy() for name, array in kept.items()}
        got = compute(keeping, whole, kept, first, end, params)
        assert np.allclose(got, expected[:, first:end], rtol=1e-4, atol=1e-5), f"{pattern}: rows {first} to {end - 1}"
        for name, array in kept.items():
            _, _, axis, stride = KEPT[pattern][name]
            others = tuple(i for i in range(array.ndim) if i != axis)
            changed = np.nonzero(~np.isclose(array, before[name], equal_nan=True).all(axis=others))[0]
            assert all(block * stride + 2 * stride > first for block in changed), f"{pattern}: {name} {changed}"
        first = end
    # What is kept counts: other summaries of old keys select other blocks.
    last = compute(keeping, whole, kept, KEYS - 1, KEYS, params)
    reversed_keys = {name: np.ascontiguousarray(np.flip(array, KEPT[pattern][name][2])) for name, array in kept.items()}
    other = compute(keeping, whole, reversed_keys, KEYS - 1, KEYS, params)
    assert not np.allclose(last, other), f"{pattern}: kept summaries are not read"
    print(f"{pattern}: {len(CHUNKS)} calls agree")


context = native.Context()
for name in KEPT:
    check(context, name)

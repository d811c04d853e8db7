#!/usr/bin/env python3
"""Judges a pattern that selects twice, blocks and then tokens among them, by its formula in numpy.

usage: two_level.py
The shipped hybrid_dsa_two_level, in the float64 reference and compiled. Ends with `N passed, N failed`.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import sparse_attn  # noqa: E402

T, H, H2, D, D2, DV = 90, 4, 2, 16, 8, 12
BOUND = 2e-6  # of the largest output


def chosen(scores, count, forced=()):
    """The `forced` and the best others, `count` in all."""
    ranks = scores.copy()
    ranks[list(forced)] = np.inf
    return set(np.argsort(-ranks, kind="stable")[:count])


def row(args, t, b, m, n):
    """Output of row t: one list of keys for all heads."""
    iq, ik, iw, q, kv = (args[name][0].astype(np.float64) for name in ("iq", "ik", "iw", "q", "kv"))
    starts = np.arange(0, T, b)
    means = np.stack([ik[start:start + b, 0].mean(axis=0) for start in starts])
    light = lambda keys: iw[t] @ np.maximum(iq[t] @ keys.T, 0)  # noqa: E731
    open_blocks = means[:t // b + 1]
    blocks = chosen(light(open_blocks), m, (0, t // b))
    candidates = np.array([s for s in range(t + 1) if s // b in blocks])
    keys = candidates[sorted(chosen(light(ik[candidates, 0]), n))]
    z = q[t] @ kv[keys, 0].T / np.sqrt(D)
    p = np.exp(z - z.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True) @ kv[keys, 0, :DV]


def main():
    random = np.random.default_rng(3)
    shapes = dict(q=(1, T, H, D), kv=(1, T, 1, D), iq=(1, T, H2, D2), ik=(1, T, 1, D2), iw=(1, T, H2))
    args = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    passed = failed = 0
    for b, m, n, oracle in ((16, 2, 9, True), (8, 5, 20, True), (32, 3, 200, True), (16, 2, 9, False), (32, 3, 200, False)):
        expected = np.stack([row(args, t, b, m, n) for t in range(T)])
        got = sparse_attn.run("hybrid_dsa_two_level", args, dict(b=b, m=m, n=n, dv=DV), ("o",), oracle=oracle)["o"][0]
        error = np.max(np.abs(got - expected)) / np.max(np.abs(expected))
        agrees = bool(error <= BOUND)
        passed, failed = passed + agrees, failed + (not agrees)
        how = "reference" if oracle else "compiled"
        print(f"{'ok  ' if agrees else 'MISS'} {how}, blocks of {b}, {m} of them, {n} tokens: off by {error:.1e}")
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

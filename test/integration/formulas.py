#!/usr/bin/env python3
"""Judges the shipped patterns by their published formulas, written with numpy in a line or two each.

usage: formulas.py [--target T] [PATTERN...]
Each pattern below has a mask over (t, s), and what it does to scores where it does anything. A call of a whole sequence
and one of the last rows of it are compared; without --target the float64 reference is judged. What public reference
implementations computed judges others: golden.py. Ends with `N passed, N failed`.
"""

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import sparse_attn  # noqa: E402

B, T, H, G, D, DV = 2, 70, 4, 2, 16, 32
BOUND = 2e-5


@dataclass
class Formula:
    """`mask(t, s)` for columns t and rows s of positions; `score(z, t, s)` of scores [B, H, T, S]."""

    params: dict
    mask: callable
    score: callable = lambda z, t, s: z
    roles: dict = field(default_factory=dict)
    sink: np.ndarray | None = None  # logits of the heads in the denominator
    before: tuple | None = None  # o and lse that are merged


def rng():
    return np.random.default_rng(7)


def causal(t, s):
    return s <= t


def cached(t, pos):
    return (pos >= 0) & (pos <= t) & ((t - pos < 11) | (pos < 3))


SLOPE = (2.0 ** -np.arange(1, H + 1)).astype(np.float32)
# Far into a long sequence: the sums are large beside what they differ by.
GATE = -20000 - np.cumsum(rng().random((B, T, H), np.float32), axis=1)


SINK = np.array([-1.0, 0.0, 3.0, 30.0], np.float32)
# What another host computed, nothing for one row in three; what it wrote there must not matter.
DOC = np.sort(rng().integers(0, 5, (B, T)), axis=1).astype(np.int32)
BUCKET = rng().integers(-2**31, -2**31 + 3, (B, T, H)).astype(np.int32)
LINES = (rng().random((B, T, H)) < 0.1).astype(np.int32)
# Slots of a cache in any order, some of them empty. Rows beyond see the same slots.
POS = rng().permuted(np.tile(np.where(np.arange(T) % 7 == 0, -1, np.arange(T)), (B, 1)), axis=1).astype(np.int32)
O0 = rng().standard_normal((B, T, H, DV), np.float32)
LSE0 = 5 * rng().standard_normal((B, T, H), np.float32)
LSE0[:, ::3] = -np.inf
O0[:, ::3] = np.nan


def of_heads(table):
    """[B, T, H] as [B, H, T]."""
    return np.moveaxis(table, 2, 1)


def by_head(table):
    """[B, T, H] as rows of [B, H, T, 1]."""
    return of_heads(table)[..., None].astype(np.float64)


FORMULAS = {
    "alibi": Formula({}, causal, lambda z, t, s: z - SLOPE[:, None, None] * (t - s), {"slope": SLOPE}),
    "softcap": Formula({"cap": 2.0}, causal, lambda z, t, s: 2 * np.tanh(z / 2)),
    "forgetting": Formula({}, causal,
                          lambda z, t, s: z + by_head(GATE)[:, :, t[:, 0]] - np.moveaxis(by_head(GATE), 2, 3),
                          {"gate": GATE}),
    "sink_logit": Formula({}, causal, roles={"sink": SINK}, sink=SINK),
    "window_sinks_logit": Formula({"W": 9}, lambda t, s: (s <= t) & (t - s < 9), roles={"sink": SINK}, sink=SINK),
    "star_phase2": Formula({}, causal, roles={"o0": O0, "lse0": LSE0}, before=(O0, LSE0)),
    "doc_causal": Formula({}, lambda t, s: (s <= t) & (DOC[:, None, t] == DOC[:, None, s]), roles={"doc": DOC}),
    "bucketed": Formula({}, lambda t, s: (s <= t) & (of_heads(BUCKET)[:, :, t] == of_heads(BUCKET)[:, :, s]),
                        roles={"bucket": BUCKET}),
    "streaming_llm": Formula({"W": 11, "S": 3}, lambda t, s: cached(t, POS[:, None, s]), roles={"pos": POS}),
    "vertical_slash": Formula({}, lambda t, s: (s <= t) & ((of_heads(LINES)[:, :, s] == 1)
                                                           | (of_heads(LINES[..., ::-1])[:, :, np.maximum(t - s, 0)] == 1)),
                              roles={"vertical": LINES, "slash": np.ascontiguousarray(LINES[..., ::-1])}),
    "prefix_lm": Formula({"P": 23}, lambda t, s: (s <= t) | (s < 23)),
    "fixed": Formula({"stride": 16, "verts": 3}, lambda t, s: (s <= t) & ((t // 16 == s // 16) | (s % 16 >= 13))),
    "dilated": Formula({"W": 5, "dil": 3}, lambda t, s: (t - s >= 0) & (t - s < 15) & ((t - s) % 3 == 0)),
    "star_phase1": Formula({"a": 7, "b": 16}, lambda t, s: (s <= t) & ((s < 7) | (s // 16 == t // 16))),
}


def attention(args, formula, rows):
    """o and lse in float64 of rows [rows, T)."""
    q, k, v = (args[name].astype(np.float64) for name in "qkv")
    k, v = (np.repeat(x, H // G, axis=2) for x in (k, v))
    t, s = np.arange(rows, T)[:, None], np.arange(T)[None]
    z = formula.score(np.einsum("bthd,bshd->bhts", q[:, rows:], k) / np.sqrt(D), t, s)
    z = np.where(formula.mask(t, s), z, -np.inf)
    with np.errstate(divide="ignore"):
        lse = np.log(np.exp(z).sum(axis=-1))  # scores are small; rows without keys have -inf
    o = np.einsum("bhts,bshd->bthd", np.exp(z - np.where(np.isinf(lse), 0, lse)[..., None]), v)
    lse = np.moveaxis(lse, 1, 2)
    if formula.sink is not None:
        o *= (1 / (1 + np.exp(formula.sink.astype(np.float64) - lse)))[..., None]
    if formula.before:
        o0, lse0 = (x[:, rows:].astype(np.float64) for x in formula.before)
        here, lse = lse, np.logaddexp(lse, lse0)
        o0 = np.where(np.isinf(lse0)[..., None], 0, o0)
        o = o * np.exp(here - lse)[..., None] + o0 * np.exp(lse0 - lse)[..., None]
    return o, lse


def distance(got, expected):
    """The largest error as a share of the largest number; equal infinities do not differ."""
    known = np.isfinite(expected)
    if not np.array_equal(got[~known], expected[~known]):
        return np.inf
    return np.max(np.abs(got[known] - expected[known])) / np.max(np.abs(expected[known]))


def worst(name, formula, options, rows):
    random = rng()
    args = {role: random.standard_normal(shape).astype(np.float32)
            for role, shape in (("q", (B, T, H, D)), ("k", (B, T, G, D)), ("v", (B, T, G, DV)))}
    expected = dict(zip(("o", "lse"), attention(args, formula, rows)))
    args = {role: x[:, rows:] if role in ("q", "o0", "lse0") else x for role, x in (args | formula.roles).items()}
    results = sparse_attn.run(name, args, formula.params, tuple(expected),
                              oracle=not options.target, target=options.target, q_offset=rows)
    return max(distance(results[key].astype(np.float64), value) for key, value in expected.items())


def main():
    parser = argparse.ArgumentParser(description="compare the shipped patterns with their published formulas")
    parser.add_argument("pattern", nargs="*", choices=[[], *FORMULAS], metavar="PATTERN")
    parser.add_argument("--target", default="", help="cpu, ptx-sim:sm_80, ...; default: the float64 reference")
    options = parser.parse_args()
    passed = failed = 0
    for name in options.pattern or FORMULAS:
        for rows in (0, T - 9):
            try:
                error = worst(name, FORMULAS[name], options, rows)
                text = f"off by {error:.1e} of the largest number"
            except sparse_attn.ToolError as refusal:
                error, text = np.inf, f"refused: {refusal}"
            agrees = bool(error <= BOUND)
            passed, failed = passed + agrees, failed + (not agrees)
            print(f"{'ok  ' if agrees else 'MISS'} {name} from row {rows}: {text}")
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0 or passed == 0)


if __name__ == "__main__":
    sys.exit(main())

"""An engine that batches as it goes: prompts arrive, are read in chunks, and decode; each step is one packed call.

Whatever stands in a step beside a sequence, its rows are those of one call of the whole sequence alone."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))

import native  # noqa: E402

HEADS, KEY_HEADS, FEATURES, CHUNK = 4, 2, 32, 150
# Of each sequence: the step in which it arrives, its prompt, and its length at the end.
SEQUENCES = [(0, 300, 309), (0, 1, 20), (2, 170, 190), (5, 640, 652), (5, 2, 9)]
STATIC = {"causal": {}, "window": {}, "nsa": {"n": 4}, "moba": {}, "quest": {"n": 8}}
# Kept summaries: their blocks of a sequence of 652 keys.
KEPT = {"nsa": {"k_mean_32_16": 39, "v_mean_32_16": 39}, "moba": {"k_mean_64_64_ragged": 11},
        "quest": {"k_max_16_16_ragged": 41, "k_min_16_16_ragged": 41}}
MOST = max(end for _, _, end in SEQUENCES)


def operands(pattern, count, r):
    made = {n: r.standard_normal((count, h, FEATURES)).astype(np.float32)
            for n, h in (("q", HEADS), ("k", KEY_HEADS), ("v", KEY_HEADS))}
    if pattern == "nsa":
        made["g"] = r.random((count, HEADS, 3)).astype(np.float32)
    return made


class Cache:
    """What an engine keeps: room for the keys of each sequence in one array, NaN where there are none yet."""

    def __init__(self, pattern, kept):
        self.keys = {n: np.full((len(SEQUENCES), MOST, KEY_HEADS, FEATURES), np.nan, np.float32) for n in "kv"}
        self.kept = {n: np.full((len(SEQUENCES), blocks, KEY_HEADS, FEATURES), np.nan, np.float32)
                     for n, blocks in (KEPT[pattern] if kept else {}).items()}

    def of(self, numbers):
        """Copies for the sequences of a step, as they lie side by side there."""
        return {n: np.ascontiguousarray(a[numbers]) for n, a in (self.keys | self.kept).items()}


def steps():
    """Of each step: number, first row and end of the rows of each sequence in it."""
    done, step = [0] * len(SEQUENCES), 0
    while any(d < end for d, (_, _, end) in zip(done, SEQUENCES)):
        rows = []
        for number, (arrives, prompt, end) in enumerate(SEQUENCES):
            if step >= arrives and done[number] < end:
                first = done[number]
                done[number] = min(first + CHUNK, prompt) if first < prompt else first + 1
                rows.append((number, first, done[number]))
        yield rows
        step += 1


def serve(kernel, pattern, whole, kept):
    """Runs all steps; the results of each sequence."""
    cache = Cache(pattern, kept)
    results = [np.full((end, HEADS, FEATURES), np.nan, np.float32) for _, _, end in SEQUENCES]
    mixed = 0
    for rows in steps():
        for number, first, end in rows:
            for n, array in cache.keys.items():
                array[number, first:end] = whole[number][n][first:end]
        counts = [end - first for _, first, end in rows]
        mixed += len(rows) > 1 and min(counts) == 1 and max(counts) > 1
        inputs = cache.of([number for number, _, _ in rows])
        for n in set(whole[0]) - {"k", "v"}:
            inputs[n] = np.concatenate([whole[number][n][first:end] for number, first, end in rows])
        out = np.full((sum(counts), HEADS, FEATURES), np.nan, np.float32)
        cu_q = np.concatenate([[0], np.cumsum(counts)])
        kernel.bound(inputs, {"o": out}, q_offset=[first for _, first, _ in rows], kv_len=[end for _, _, end in rows],
                     cu_q=cu_q)()
        for place, (number, first, end) in enumerate(rows):
            results[number][first:end] = out[cu_q[place]:cu_q[place + 1]]
            for n in cache.kept:
                cache.kept[n][number] = inputs[n][place]
    assert mixed > 5, "prompts and decoded rows share calls"
    return results


def check(context, pattern, kept):
    bind = {"D": FEATURES, "Dv": FEATURES, "dtype": "f32", "group": HEADS // KEY_HEADS, **STATIC[pattern]}
    kernel = context.kernel(pattern, dict(sorted(bind.items())))
    serving = context.kernel(pattern, dict(sorted((bind | {"keep": "summaries"}).items()))) if kept else kernel
    r = np.random.default_rng(3)
    whole = [operands(pattern, end, r) for _, _, end in SEQUENCES]
    served = serve(serving, pattern, whole, kept)
    lengths = np.concatenate([[0], np.cumsum([end for _, _, end in SEQUENCES])])
    out = np.empty((lengths[-1], HEADS, FEATURES), np.float32)
    packed = {n: np.concatenate([one[n] for one in whole]) for n in whole[0]}
    kernel.bound(packed, {"o": out}, cu_q=lengths, cu_kv=lengths)()
    for number, one in enumerate(whole):
        alone = np.empty((1, len(one["q"]), HEADS, FEATURES), np.float32)
        kernel.bound({n: array[None] for n, array in one.items()}, {"o": alone})()
        assert out[lengths[number]:lengths[number + 1]].tobytes() == alone.tobytes(), f"{pattern}: sequence {number}"
        assert np.allclose(served[number], alone[0], rtol=1e-4, atol=1e-5), f"{pattern}: sequence {number} in steps"
    print(f"{pattern}{' with kept summaries' if kept else ''}: {len(list(steps()))} steps agree")


context = native.Context()
for name in STATIC:
    check(context, name, False)
for name in KEPT:
    check(context, name, True)

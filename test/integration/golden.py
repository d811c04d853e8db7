#!/usr/bin/env python3
"""Judges the shipped patterns by outputs of public reference implementations (test/golden).

usage: golden.py [--oracle | --target T] [--dtype f32|f16|bf16] [MECHANISM...]
Each mechanism has one adapter below: how its arrays and parameters map to the roles and params of a pattern, and what
its output is compared with. Prints a line for each comparison and ends with `N passed, N failed`.
"""

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tools"))
import sparse_attn  # noqa: E402

GOLDEN = HERE.parent / "golden"
INPUTS = HERE / "Inputs"

# Largest error as a share of the largest reference value: float32 accumulates a few hundred roundings, the 16-bit types
# round inputs that they hold exactly and the output once.
BOUNDS = {"f32": 2e-5, "f16": 2.5e-3, "bf16": 2e-2}
# Where the k-th and the next score are closer than this, either choice is right and the row is left out.
NEAR_TIE = 1e-5


@dataclass
class Comparison:
    """One run of a pattern. `rows` masks the output where the reference leaves the selection open."""

    label: str
    pattern: str
    args: dict
    params: dict
    expected: dict
    rows: np.ndarray | None = None
    wide: tuple = field(default=("g",))  # operands that stay float32 beside 16-bit q, k, v
    # True for what the compiler refuses by name as not yet supported: only the oracle is judged then.
    oracle_only: bool = False
    q_offset: int = 0
    finish: callable = lambda results: results  # what the reference does behind the attention
    results: tuple = ()  # of the pattern; empty: those that are compared


def batched(x):
    return x if x.ndim == 4 else x[None]


def decided(margin, heads):
    """Rows [B, T, H] whose selection is no near-tie, from margins [B, T, G]."""
    return np.repeat(margin > NEAR_TIE, heads // margin.shape[-1], axis=-1)


def nsa(z, p):
    """Blocks of compression and selection coincide; only the own block is forced; a gate for each branch."""
    block = p["block_size"]
    params = dict(l=block, d=block, b=block, n=p["S"], W=p["window"], init=0, local=1, scale=p["scale"])
    gates = np.stack([z["g_cmp"], z["g_slc"], z["g_swa"]], axis=-1)
    yield Comparison("", "nsa", dict(q=z["q"], k=z["k"], v=z["v"], g=gates), params, dict(o=z["o"]),
                     decided(z["aux_margin"], p["HQ"]))


def nsa_paper(z, p):
    """Compressed keys and values are operands. Gates of one branch at a time show its output alone."""
    operands = dict(q=z["q"], k=z["k"], v=z["v"], kc=z["k_cmp"], vc=z["v_cmp"])
    params = dict(l=p["l"], d=p["d"], b=p["sel_block"], n=p["S"], W=1, init=p["init_blocks"], local=p["local_blocks"],
                  scale=p["scale"])
    margin = np.moveaxis(z["aux_margin"], 0, -1)[None]
    branches = [("compressed", z["o_cmp"], None), ("selected", z["o_slc"], decided(margin, p["HQ"]))]
    for branch, (label, expected, rows) in enumerate(branches):
        gates = np.zeros((*z["q"].shape[:2], 3), np.float32)
        gates[..., branch] = 1
        args = {name: batched(x) for name, x in (operands | dict(g=gates)).items()}
        yield Comparison(label, "nsa_ext", args, params, dict(o=batched(expected)), rows, wide=("g", "kc", "vc"))


def rms_norm(x, weight):
    return x / np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + 1e-6) * weight


def hsa(z, p):
    """The retrieval query is a projection of the normalised hidden state; it is part of the model, so it is made here."""
    landmarks = z["landmarks"].astype(np.float64)
    query = rms_norm(z["x"].astype(np.float64), z["pre_norm"]) @ z["W_ln"].T.astype(np.float64)
    query = query.reshape(*query.shape[:2], *landmarks.shape[2:])
    if p.get("enable_lmk_norm"):
        query, landmarks = rms_norm(query, z["lmk_q_norm"]), rms_norm(landmarks, z["lmk_k_norm"])
    pattern = "hsa" if p.get("enable_softmax") else "hsa_stickbreak"
    args = dict(q=z["q"], k=z["k"], v=z["v"], r=query.astype(np.float32), m=landmarks.astype(np.float32))
    yield Comparison("", pattern, args, dict(l=p["chunk"], n=p["topk"], scale=p["scale"]), dict(o=z["out"]),
                     decided(z["aux_margin"], p["HQ"]), wide=("r", "m"))


def hils(z, p):
    """The scores of chunks are their exact lse, as products of a row of them with unit vectors. The reference has no
    landmarks among its keys, so each chunk gets one, for the shipped pattern: a key that is nobody's, and a row."""
    chunk, rows, group = p["chunk"], p["L"], p["HQ"] // p["H"]
    lse = z["chunk_lse"].astype(np.float64).transpose(0, 2, 1, 3)
    count = rows // chunk
    first = (np.arange(rows) - p["window"] + 1) // chunk
    past = np.arange(lse.shape[-1]) < first[:, None, None]
    scores = np.einsum("bthd,bshd->bhts", z["q"].astype(np.float64), np.repeat(z["k"].astype(np.float64), group, axis=2))
    place = np.arange(rows)
    near = (place <= place[:, None]) & (place // chunk >= first[:, None])
    window = np.log(np.sum(np.exp(np.where(near, scores * p["D"] ** -0.5, -np.inf)), axis=-1)).transpose(0, 2, 1)
    every = np.logaddexp(window, np.logaddexp.reduce(np.where(past, lse, -np.inf), axis=-1))
    votes = np.exp(np.where(past, lse, -np.inf) - every[..., None])
    votes = np.sort(votes.reshape(1, rows, p["H"], group, -1).max(axis=3), axis=-1)
    margin = np.where(votes[..., -p["topk"]] > 0, votes[..., -p["topk"]] - votes[..., -p["topk"] - 1], 1.0)
    args = {name: z[name] for name in "qkv"}
    args["r"] = np.where(np.isfinite(lse), lse, 0.0)
    args["m"] = np.broadcast_to(np.eye(lse.shape[-1])[:count, None], (count, p["H"], lse.shape[-1]))[None]
    params = dict(l=chunk, n=p["topk"], W=p["window"], scale=p["D"] ** -0.5)
    yield Comparison("without landmarks", INPUTS / "naive_bsa.mlir", args, params, dict(o=z["out"]),
                     decided(margin, p["HQ"]), wide=("r", "m"))
    spread = place + place // chunk
    size = spread[-1] + 1

    def apart(x):
        wide = np.zeros((1, size, *x.shape[2:]))
        wide[:, spread] = x
        return wide

    args = {name: apart(args[name]) for name in "qkvr"} | dict(m=args["m"], bias=np.zeros((1, count, p["HQ"])))
    params |= dict(l=chunk + 1, W=p["window"] + 1, scale=1.0)
    args["q"] = args["q"] * p["D"] ** -0.5
    yield Comparison("with landmarks", "hils", args, params, dict(o=z["out"]), decided(margin, p["HQ"]),
                     wide=("r", "m", "bias"), oracle_only=True, finish=lambda results: dict(o=results["o"][:, spread]))


def moba(z, p):
    args = {name: batched(z[name]) for name in "qkv"}
    yield Comparison("", "moba", args, dict(l=p["chunk"], n=p["topk"], scale=p["scale"]), dict(o=batched(z["o"])),
                     decided(z["aux_margin"][None], p["H"]))


def quest(z, p):
    """One query, whose page is forced; the reference chooses the others among the pages before."""
    past = np.sort(z["page_score"][:, :-1], axis=1)
    margin = past[:, -(p["page_budget"] - 1)] - past[:, -p["page_budget"]]
    args = {name: batched(z[name]) for name in "qkv"}
    yield Comparison("", "quest", args, dict(page=p["page"], n=p["page_budget"], scale=p["scale"]),
                     dict(o=batched(z["o"])), decided(margin[None, None], p["H"]), q_offset=p["kv_len"] - 1)


def adamas(z, p):
    """Distances of codes are integers with many ties, which the reference breaks by an epsilon: what is compared are the
    distances of the chosen keys. With a scale of 0 they weigh the same, and values that are one-hot name them."""
    heads, keys = z["l1"].shape
    values = np.broadcast_to(np.eye(keys, dtype=np.float32)[:, None], (keys, heads, keys))
    args = dict(q=batched(z["q"]), k=batched(z["k"]), v=batched(values))
    newest = np.full((heads, 1), keys - 1)
    expected = np.take_along_axis(z["l1"], np.concatenate([z["topk_idx"], newest], axis=1), axis=1)

    def distances(results):
        seen = results["o"][0, 0] > 0
        return dict(distances=np.sort(np.where(seen, z["l1"], np.iinfo(np.int32).max), axis=1)[:, :seen.sum(axis=1).max()])

    yield Comparison("", "adamas", args, dict(n=p["budget"], lo=p["thresholds"][0], hi=p["thresholds"][2], scale=0),
                     dict(distances=np.sort(expected, axis=1)), q_offset=p["kv_len"] - 1, finish=distances, results=("o",))


def bigbird(z, p):
    """Which blocks see each other: those that are fixed, and beside them at most r, whose choice is everybody's own."""
    block, count = p["block"], p["T"] // p["block"]
    fixed = z["block_mask"][0].copy()
    fixed[np.arange(1, count - 1)[:, None], z["rand_attn"][0]] = False
    run = visible_keys("", "bigbird", dict(b=block, r=p["r"], seed=p["seed"]), np.ones((p["T"], p["T"])))

    def blocks(results):
        seen = results["o"].reshape(p["T"], -1)[:, :p["T"]] > 0
        shares = seen.reshape(count, block, count, block).mean(axis=(1, 3))
        others = np.where(fixed, 0, shares)
        return dict(fixed=shares[fixed], others=1 + np.maximum(others.sum(axis=1) - p["r"], 0),
                    whole=1 + others * (1 - others))

    run.expected = dict(fixed=np.ones(fixed.sum()), others=np.ones(count), whole=np.ones((count, count)))
    run.finish, run.results = blocks, ("o",)
    yield run


def seer_gate(z, p):
    """The reference gives the probabilities of its gate; attention to the blocks above a threshold, and the own one, is
    computed here. Pooled queries and keys pass the projections of the gate, which are part of the model."""
    block, rows, group = p["block"], p["T"], p["HQ"] // p["H"]
    starts = np.arange(0, rows, block)
    counts = np.minimum(starts + block, rows) - starts

    def gated(x, weights):
        means = np.add.reduceat(x.astype(np.float64), starts, axis=1) / counts[:, None, None]
        return np.einsum("bchi,hio->bcho", means, weights.astype(np.float64)).astype(np.float32)

    theta = 0.205
    gate = z["gate"].astype(np.float64)
    blocks = (gate > theta) | np.eye(len(starts), dtype=bool)
    place = np.arange(rows)
    seen = blocks[:, :, place // block][..., place // block] & (place <= place[:, None])
    q, k = z["q"].astype(np.float64), np.repeat(z["k"].astype(np.float64), group, axis=2)
    scores = np.where(seen, np.einsum("bthd,bshd->bhts", q, k) * p["scale"], -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    expected = np.einsum("bhts,bshd->bthd", weights / weights.sum(axis=-1, keepdims=True), k)
    near = np.abs(gate - theta).min(axis=-1) < NEAR_TIE
    args = dict(q=z["q"], k=z["k"], v=z["k"], gq=gated(z["q"], z["W_q"]),
                gk=np.repeat(gated(z["k"], z["W_k"]), group, axis=2))
    yield Comparison("", "seer", args, dict(b=block, n=len(starts), theta=theta, scale=p["scale"]), dict(o=expected),
                     ~np.moveaxis(near[:, :, place // block], 1, 2), wide=("gq", "gk"))


def block_sparse(z, p):
    """Heads of three kinds in one call of the reference; each kind is a pattern here."""
    group = p["HQ"] // p["H"]
    kinds, mask = z["head_mask_type"], z["base_blockmask"].astype(np.int32)

    def comparison(label, pattern, heads, params, **more):
        served = heads // group
        args = dict(q=z["q"][:, :, heads], k=z["k"][:, :, served], v=z["v"][:, :, served]) | more
        return Comparison(label, pattern, args, params | dict(scale=p["scale"]), dict(o=z["o"][:, :, heads]),
                          oracle_only=pattern == INPUTS / "block_bitmap.mlir")

    yield comparison("dense heads", "causal", np.flatnonzero(kinds == 0), {})
    for head in np.flatnonzero(kinds == -1):
        sinks, window = (int(x) for x in z["streaming_info"][2 * head:2 * head + 2])
        yield comparison(f"streaming head {head}", INPUTS / "block_streaming.mlir", np.array([head]),
                         dict(b=p["block"], S=sinks, W=window))
    yield comparison("by a set", INPUTS / "block_bitmap.mlir", np.flatnonzero(kinds == 1),
                     dict(b=p["block"]), map=mask)
    heads = np.flatnonzero(kinds == 1)
    flags = np.moveaxis(mask, 1, 2)
    yield comparison("by flags", "block_bitmap", heads, dict(b=p["block"]), mask=flags)
    # The same blocks as numbers, newest first and one twice, and as compressed lists that end in padding.
    numbers = np.where(flags != 0, np.arange(flags.shape[-1]), -1)[..., ::-1]
    yield comparison("by lists", "block_lists", heads, dict(b=p["block"]),
                     idx=np.concatenate([numbers, numbers.max(axis=-1, keepdims=True)], axis=-1).astype(np.int32))
    counts = (mask != 0).sum(axis=-1)
    starts = np.cumsum(counts, axis=-1) - counts
    entries = np.full((*mask.shape[:2], counts.sum(axis=-1).max() + 3), -1, np.int32)
    for head in np.ndindex(mask.shape[:2]):
        blocks = np.nonzero(mask[head])[1]
        entries[head][:len(blocks)] = blocks
    yield comparison("by compressed lists", "block_sparse", heads, dict(b=p["block"]),
                     ptr=np.moveaxis(starts, 1, 2).astype(np.int32), idx=entries[0])


def longformer(z, p):
    yield Comparison("", "longformer", {name: z[name] for name in "qkv"}, dict(W=p["w"], scale=p["scale"]),
                     dict(o=z["o"]))


def seed_compress(z, p):
    """Compressed keys are a result of the pattern; queries and values play no part in them."""
    keys = z["k"].astype(np.float32)[None, :, None]
    yield Comparison("", "compressed", dict(q=keys, k=keys, v=keys), dict(l=p["l"], d=p["d"]),
                     dict(kc=z["kc"][None, :, None]), wide=("q", "k", "v"))


def visible_keys(label, pattern, params, seen):
    """Compares which keys each row sees. With q = 0 every visible key weighs the same, and values that are one-hot
    (head x of 64 features carries keys 64 x to 64 x + 63) make the output 1/count where a key was seen, else 0."""
    count, width = seen.shape[0], 64
    heads = -(-count // width)
    values = np.zeros((1, count, heads, width), np.float32)
    keys = np.arange(count)
    values[0, keys, keys // width, keys % width] = 1
    zeros = np.zeros_like(values)
    padded = np.zeros((count, heads * width))
    padded[:, :count] = seen / seen.sum(axis=1, keepdims=True)
    return Comparison(label, pattern, dict(q=zeros, k=zeros, v=values), params,
                      dict(o=padded.reshape(1, count, heads, width)))


def sparse_transformer(z, p):
    """For strided heads the reference permutes tokens so that a stride is contiguous; its mask is brought back to
    reading order. Fixed heads stay as they are."""
    count, stride = p["n"], p["local_attn_ctx"]
    permuted = np.unpackbits(z["mask"][0], axis=-1, count=count).astype(bool)
    if p["num_verts"] == 1:
        yield visible_keys("fixed", "fixed", dict(stride=stride, verts=p["vertsize"] * p["blocksize"]), permuted)
        return
    place = np.arange(count)
    token = place % (count // stride) * stride + place // (count // stride)
    seen = np.zeros((count, count), bool)
    seen[np.ix_(token, token)] = permuted
    yield visible_keys("strided", "strided", dict(stride=stride), seen)


def streaming_llm(z, p):
    """Row t of the reference lists the keys that its cache keeps for token t."""
    kept = z["kept"]
    seen = np.zeros((p["steps"], p["steps"]), bool)
    for row, keys in enumerate(kept):
        seen[row, keys[keys >= 0]] = True
    params = dict(W=p["recent"], S=p["start"])
    yield visible_keys("", "window_sinks", params, seen)
    # The same tokens in other slots.
    slots = np.random.default_rng(1).permutation(p["steps"])
    shuffled = visible_keys("slots", "streaming_llm", params, seen[:, slots])
    shuffled.args["pos"] = slots.astype(np.int32)[None]
    yield shuffled


def lse_merge(z, p):
    args = {}
    for host, (o, lse) in enumerate(zip(z["part_o"], z["part_lse"])):
        args |= {f"o{host}": o, f"lse{host}": np.moveaxis(lse, 1, 2)}
    expected = dict(o=z["o"], lse=np.moveaxis(z["lse"], 1, 2))
    yield Comparison("", INPUTS / "merge_partials.mlir", args, {}, expected, wide=tuple(args))


def star_merge(z, p):
    """What four hosts computed, and the last of them with what the three others did. All its keys lie before the rows."""
    lse = np.stack([np.moveaxis(z[f"block_lse_{host}"], 1, 2) for host in range(4)]).astype(np.float64)
    parts = np.stack([z[f"block_out_{host}"] for host in range(4)]).astype(np.float64)
    expected = dict(o=z["out"], lse=z["lse"][..., 0])
    args = {f"o{host}": parts[host] for host in range(4)} | {f"lse{host}": lse[host] for host in range(4)}
    yield Comparison("partials", INPUTS / "merge_partials.mlir", args, {}, expected, wide=tuple(args))
    others = np.logaddexp.reduce(lse[:3])
    merged = np.sum(np.exp(lse[:3] - others)[..., None] * parts[:3], axis=0)
    own = p["shards"][-1]
    args = dict(q=z["q"], k=z["k"][:, -own:], v=z["v"][:, -own:], o0=merged, lse0=others)
    yield Comparison("last host", "star_phase2", args, {}, expected, wide=("o0", "lse0"), q_offset=own)


def forgetting_attention(z, p):
    """The pattern takes the gates summed up to each position."""
    args = {name: z[name] for name in "qkv"} | dict(gate=np.cumsum(z["g"].astype(np.float64), axis=1))
    yield Comparison("", "forgetting", args, dict(scale=p["scale"]), dict(o=z["o"]), wide=("gate",))


def differential_attention(z, p):
    args = {f"{name}{i}": z[name][:, :, i::2] for name in "qk" for i in (0, 1)} | dict(v=z["v"])
    yield Comparison("", "differential", args, dict(lam=float(z["lambda_full"]), scale=p["scale"]), dict(o=z["o_attn"]))


def star_attention(z, p):
    yield Comparison("", "star_phase1", {name: z[name] for name in "qkv"},
                     dict(a=p["anchor"], b=p["block"], scale=p["scale"]), dict(o=z["o"]))


def mla(z, p):
    """The projections that are absorbed into the queries and the output are part of the model, so they are made here."""
    absorbed = np.einsum("bthn,hnc->bthc", z["q_nope"].astype(np.float64), z["w_uk"].astype(np.float64))
    args = dict(q=np.concatenate([absorbed, z["q_pe"]], axis=-1),
                kv=np.concatenate([z["c_kv"], z["k_pe"]], axis=-1)[:, :, None])
    unabsorb = z["w_uv"].astype(np.float64)
    yield Comparison("", "mla", args, dict(dv=p["C"], scale=p["scale"]), dict(o=z["o"]), q_offset=p["T"] - 1,
                     finish=lambda results: dict(o=np.einsum("bthc,hvc->bthv", results["o"], unabsorb)))


def dsa_token(z, p):
    """Rows of a chunk behind a cache; the score of a near-tie is of the indexer."""
    args = {name: batched(z[name][None]) for name in ("q", "kv")}
    args |= dict(iq=z["index_q"][None], ik=z["index_k"][None, :, None], iw=z["index_w"][None])
    scores = np.sort(np.where(np.isfinite(z["logits"]), z["logits"], -1e30), axis=-1)[:, ::-1]
    margin = (scores[:, p["topk"] - 1] - scores[:, p["topk"]])[None, :, None]
    params = dict(n=p["topk"], dv=p["dv"], scale=p["scale"])
    rows = decided(margin, p["H"])
    yield Comparison("sink", "dsa_sink", args | dict(sink=z["attn_sink"]), params, dict(o=z["out"][None]), rows,
                     wide=("iw", "sink", "iq", "ik"), q_offset=p["offset"])


def mosa(z, p):
    """Projections, rotary positions and the output projection are part of the model, so they are made here."""
    x, size, half = z["x"].astype(np.float64), p["h_prim"], int(p["h_prim"] * p["rotate_fraction"]) // 2
    q, k, v = np.split(np.einsum("bth,ehd->bted", x, z["W_qkv"].astype(np.float64)), 3, axis=-1)
    angle = np.arange(p["T"])[:, None, None] * p["rope_base"] ** -(np.arange(half) / half)
    cos, sin = np.cos(angle), np.sin(angle)

    def rotated(y):
        a, b = y[..., :half], y[..., half:2 * half]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin, y[..., 2 * half:]], axis=-1).astype(np.float32)

    r = 1 / (1 + np.exp(-np.einsum("bth,eh->bte", x, z["W_router"].astype(np.float64))))
    args = dict(q=rotated(q), k=rotated(k), v=v.astype(np.float32), r=r.astype(np.float32))
    assert size == q.shape[-1]
    yield Comparison("", "mosa", args, dict(n=p["k"], first=p["include_first"], scale=p["scale"]), dict(y=z["y"]),
                     wide=("q", "k", "v", "r"), results=("o",),
                     finish=lambda results: dict(y=np.einsum("bted,edh->bth", results["o"], z["W_o"].astype(np.float64))))


def kv_eviction(z, p):
    """SnapKV after a prompt; H2O after a prompt and after each of the tokens that follow, where the reference masks what
    the pattern leaves out, and counts the next token as one of the recent. Sums of earlier calls are made here, from the
    keys that the reference has kept."""
    wide = ("q", "k", "v", "before")
    if "selected" in z:
        q, k, v = (np.moveaxis(z[name], 1, 2) for name in "qkv")
        window = np.broadcast_to(np.arange(k.shape[1] - p["window"], k.shape[1]), (*z["selected"].shape[:2], p["window"]))
        kept = np.sort(np.concatenate([z["selected"], window], axis=-1), axis=-1)
        index = np.moveaxis(kept, 1, 2)[..., None]
        expected = dict(kk=np.take_along_axis(k, index, axis=1), vk=np.take_along_axis(v, index, axis=1))
        yield Comparison("", "snapkv", dict(q=q, k=k, v=v), dict(cap=p["capacity"], w=p["window"], pool=p["kernel"]),
                         expected, wide=wide)
        return
    heads, prompt = p["heads"], p["prompt"]
    q, k, v = (z[name].reshape(1, z[name].shape[1], heads, -1) for name in "qkv")
    o = z["o"].reshape(q.shape)
    budgets = dict(heavy=p["heavy_budget"], recent=p["recent_budget"] - 1, scale=p["scale"])
    stays = [np.arange(0)] * heads  # kept by the call before, in each head
    sums = [np.zeros(0)] * heads
    for step, mask in enumerate(z["keep_mask"]):
        first, end = (0, prompt) if step == 0 else (prompt + step - 1, prompt + step)
        places = np.stack([np.concatenate([kept, np.arange(first, end)]) for kept in stays], axis=1)
        before = np.stack([np.concatenate([known, np.zeros(end - first)]) for known in sums], axis=1)
        cache = {name: np.take_along_axis(x, places[None, ..., None], axis=1) for name, x in (("k", k), ("v", v))}
        scores = np.einsum("thd,shd->hts", q[0, first:end].astype(np.float64), cache["k"][0]) * p["scale"]
        seen = np.arange(len(places)) <= np.arange(end - first)[:, None] + len(places) - (end - first)
        weights = np.where(seen, np.exp(scores), 0)
        total = before + (weights / weights.sum(axis=-1, keepdims=True)).sum(axis=1).T
        slots = [np.flatnonzero(mask[head, places[:, head]]) for head in range(heads)]
        stays = [places[kept, head] for head, kept in enumerate(slots)]
        sums = [total[kept, head] for head, kept in enumerate(slots)]
        index = np.stack(slots, axis=1)[None, ..., None]
        expected = dict(o=o[:, first:end], sums=np.stack(sums, axis=1)[None],
                        **{name + "k": np.take_along_axis(x, index, axis=1) for name, x in
                           (("k", cache["k"]), ("v", cache["v"]))})
        yield Comparison(f"call {step}", "h2o", dict(q=q[:, first:end], before=before[None].astype(np.float32), **cache),
                         budgets, expected, wide=wide, q_offset=len(places) - (end - first))


ADAPTERS = {adapter.__name__: adapter for adapter in (
    nsa, nsa_paper, hsa, hils, moba, quest, adamas, bigbird, seer_gate, block_sparse, longformer, seed_compress,
    sparse_transformer, streaming_llm, lse_merge, star_merge, forgetting_attention, differential_attention, star_attention, mla, dsa_token, mosa,
    kv_eviction)}


def load(mechanism):
    """(name, arrays, parameters) of each case; bfloat16 is stored as its bits."""
    meta = json.loads((GOLDEN / mechanism / "meta.json").read_text())
    for name, case in meta["cases"].items():
        with np.load(GOLDEN / mechanism / f"{name}.npz") as stored:
            arrays = {key: sparse_attn.widen(x) if x.dtype == np.uint16 else x for key, x in stored.items()}
        yield name, arrays, case["params"]


def convert(name, x, comparison, dtype):
    if x.dtype.kind != "f":
        return x
    x = x.astype(np.float32)
    if name in comparison.wide or dtype == "f32":
        return x
    return sparse_attn.bf16_bits(x) if dtype == "bf16" else x.astype(np.float16)


def compare(comparison, options):
    """The largest error as a share of its bound over all results; a wrong shape is an infinite error."""
    args = {name: convert(name, x, comparison, options.dtype) for name, x in comparison.args.items()}
    results = sparse_attn.run(comparison.pattern, args, comparison.params, comparison.results or tuple(comparison.expected),
                              oracle=options.oracle, target=options.target, q_offset=comparison.q_offset)
    results = comparison.finish({name: sparse_attn.widen(x).astype(np.float64) for name, x in results.items()})
    worst, text = 0.0, []
    for name, expected in comparison.expected.items():
        got, expected = results[name], np.asarray(expected, np.float64)
        if got.shape != expected.shape:
            return np.inf, f"{name} has shape {got.shape}, expected {expected.shape}"
        bound = BOUNDS[options.dtype] * np.max(np.abs(expected))
        error = np.abs(got - expected)
        error = np.where(np.isnan(error), np.inf, error)
        error = np.max(error if comparison.rows is None else error[comparison.rows])
        worst = max(worst, error / bound)
        text.append(f"{name} off by {error:.2e} of {bound:.2e}")
    return worst, ", ".join(text)


def main():
    parser = argparse.ArgumentParser(description="compare the shipped patterns with public reference implementations")
    parser.add_argument("mechanism", nargs="*", choices=[[], *ADAPTERS], metavar="MECHANISM")
    parser.add_argument("--oracle", action="store_true", help="run the float64 reference instead of compiled kernels")
    parser.add_argument("--target", default="", help="cpu, cpu-avx2, cpu-baseline, ...")
    parser.add_argument("--dtype", default="f32", choices=BOUNDS)
    options = parser.parse_args()
    passed = failed = 0
    for mechanism in options.mechanism or ADAPTERS:
        for case, arrays, params in load(mechanism):
            for comparison in ADAPTERS[mechanism](arrays, params):
                label = " ".join(filter(None, (f"{mechanism}/{case}", comparison.label)))
                if comparison.oracle_only and not options.oracle:
                    print(f"SKIP {label}: judged on the oracle only, the compiler has no kernel for it yet")
                    continue
                try:
                    worst, text = compare(comparison, options)
                except sparse_attn.ToolError as error:
                    worst, text = np.inf, f"refused: {error}"
                agrees = bool(worst <= 1)
                passed, failed = passed + agrees, failed + (not agrees)
                print(f"{'ok  ' if agrees else 'MISS'} {label}: {text}")
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0 or passed == 0)


if __name__ == "__main__":
    sys.exit(main())

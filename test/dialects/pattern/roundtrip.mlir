// Texts of further mechanisms, and every op and clause: printing is a fixed point, also through the generic form, and
// canonicalisation leaves patterns that verify.
// RUN: sparse-attn-opt %s -o %t.custom
// RUN: sparse-attn-opt %t.custom -o %t.again
// RUN: diff %t.custom %t.again
// RUN: sparse-attn-opt %s -mlir-print-op-generic -o %t.generic
// RUN: sparse-attn-opt %t.generic -o %t.back
// RUN: diff %t.custom %t.back
// RUN: sparse-attn-opt %s -canonicalize -cse -o %t.canonical
// RUN: sparse-attn-opt %t.canonical -canonicalize -cse -o %t.fixed
// RUN: diff %t.canonical %t.fixed
// RUN: FileCheck %s < %t.custom
// RUN: FileCheck %s --check-prefix=GENERIC < %t.generic

// CHECK-LABEL: sattn.pattern @adamas<
// Adamas: Hadamard, 2-bit codes, smallest L1 distance; newest key forced.
sattn.pattern @adamas<n: int = 128, lo: float = -10.0, hi: float = 10.0, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %causal = sattn.set (t, s) : s <= t
  %qh = sattn.encode hadamard %q
  %kh = sattn.encode hadamard %k
  %qb = sattn.encode buckets %qh at(lo, 0.0, hi)
  %kb = sattn.encode buckets %kh at(lo, 0.0, hi)
  %a = sattn.score l1 %qb, %kb scale(-1)
  %sel = sattn.select top(n) %a where %causal force(last(1))
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// CHECK-LABEL: sattn.pattern @alibi<
// Linear distance penalty, one slope a head.
sattn.pattern @alibi<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %slope: [h]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %y = sattn.map %z : z - %slope[h] * (t - s)
  %p = sattn.accumulate softmax %y over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

// CHECK-LABEL: sattn.pattern @bigbird<
// BigBird: window of 3 blocks, first and last block global both ways, r random blocks; not causal.
sattn.pattern @bigbird<static b: int = 64, r: int = 3, seed: int = 7, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %near = sattn.set (t, s) : -1 <= t floordiv b - s floordiv b <= 1
  %glob = sattn.set (t, s) : t < b or s < b or size(s) - b <= t or size(s) - b <= s
  %rand = sattn.random count(r) seed(seed) blocks(b)
  %keys = sattn.union %near, %glob, %rand
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// CHECK-LABEL: sattn.pattern @block_bitmap<
// The same with a bitmap operand.
sattn.pattern @block_bitmap<static b: int = 128, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %mask: int[h, u(b), c(b)]) -> (o) {
  %keys = sattn.set (t, s) : s <= t and %mask[h, t floordiv b, s floordiv b] == 1
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// CHECK-LABEL: sattn.pattern @block_sparse<
// Per-head lists of key blocks of b for each row block of b, as CSR (ptr, idx); token-causal inside.
sattn.pattern @block_sparse<static b: int = 128, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %ptr: int[h, u(b)], %idx: int[h, 1]) -> (o, lse) {
  %list = sattn.listed %idx rows(%ptr) blocks(b)
  %past = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %list, %past
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

// CHECK-LABEL: sattn.pattern @differential<
// Differential attention: two maps of two head halves share V; the second is subtracted.
sattn.pattern @differential<lam: float = 0.2, scale: float = rsqrt(D)>
    (%q0: [t, h, D], %q1: [t, h, D], %k0: [s, g, D], %k1: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z0 = sattn.score dot %q0, %k0 scale(scale)
  %z1 = sattn.score dot %q1, %k1 scale(scale)
  %o0 = sattn.attend %z0 over %keys, %v
  %o1 = sattn.attend %z1 over %keys, %v
  %o = sattn.mix %o0 - lam * %o1
  sattn.yield %o
}

// CHECK-LABEL: sattn.pattern @dilated<
// W keys, every dil-th one.
sattn.pattern @dilated<W: int = 128, static dil: int = 4, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : 0 <= t - s < dil * W and (t - s) mod dil == 0
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

// CHECK-LABEL: sattn.pattern @doc_causal<
// Causal inside a document; doc ids are a per-token table.
sattn.pattern @doc_causal<scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %doc: int[s]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t and %doc[t] == %doc[s]
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

// CHECK-LABEL: sattn.pattern @dsa<
// DSA: lightning indexer chooses n tokens for all heads; absorbed MLA reads V as a prefix of the latent.
sattn.pattern @dsa<n: int = 2048, static dv: int = 512, scale: float = rsqrt(D)>
    (%q: [t, h, D], %kv: [s, 1, D], %iq: [t, h2, D2], %ik: [s, 1, D2], %iw: [t, h2]) -> (o) {
  %causal = sattn.set (t, s) : s <= t
  %a = sattn.score dot %iq, %ik
  %b = sattn.map %a : max(z, 0) * %iw[t, h2]
  %i = sattn.reduce sum %b over h2 to one
  %sel = sattn.select top(n) %i where %causal
  %v = sattn.prefix %kv to dv
  %z = sattn.score dot %q, %kv scale(scale)
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// CHECK-LABEL: sattn.pattern @dsa_sink<
// DSA: lightning indexer chooses n tokens for all heads; absorbed MLA reads V as a prefix of the latent.
sattn.pattern @dsa_sink<n: int = 2048, static dv: int = 512, scale: float = rsqrt(D)>
    (%q: [t, h, D], %kv: [s, 1, D], %iq: [t, h2, D2], %ik: [s, 1, D2], %iw: [t, h2], %sink: [h]) -> (o) {
  %causal = sattn.set (t, s) : s <= t
  %a = sattn.score dot %iq, %ik
  %b = sattn.map %a : max(z, 0) * %iw[t, h2]
  %i = sattn.reduce sum %b over h2 to one
  %sel = sattn.select top(n) %i where %causal
  %v = sattn.prefix %kv to dv
  %z = sattn.score dot %q, %kv scale(scale)
  %o = sattn.attend %z over %sel, %v sink(%sink)
  sattn.yield %o
}

// CHECK-LABEL: sattn.pattern @fixed<
// Sparse Transformer, fixed heads: own stride block and the last columns of every block.
sattn.pattern @fixed<static stride: int = 128, verts: int = 8, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t and (t floordiv stride == s floordiv stride or s mod stride >= stride - verts)
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

// CHECK-LABEL: sattn.pattern @forgetting<
// FoX: log forget gates, summed up to each position, as a rank-1 bias.
sattn.pattern @forgetting<scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %gate: [s, h]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %y = sattn.map %z : z + %gate[t, h] - %gate[s, h]
  %p = sattn.accumulate softmax %y over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

// CHECK-LABEL: sattn.pattern @hils<
// HiLS: window and remote chunks; the lse of the window enters selection and weights.
sattn.pattern @hils<static l: int = 64, static n: int = 32, W: int = 512, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %r: [t, h, D2], %m: [c(l), g, D2], %bias: [c(l), h]) -> (o) {
  %near = sattn.set (t, s) : s <= t and s floordiv l >= (t - W + 1) floordiv l and s mod l < l - 1
  %far = sattn.set (t, c(l)) : c < (t - W + 1) floordiv l
  %body = sattn.set (t, s) : s mod l < l - 1
  %z = sattn.score dot %q, %k scale(scale)
  %pw = sattn.accumulate softmax %z over %near, %v
  %ow = sattn.finalize %pw
  %lw = sattn.lse %pw
  %a0 = sattn.score dot %r, %m scale(scale)
  %a = sattn.map %a0 : z + %bias[c, h]
  %prob = sattn.normalize %a over %far with %lw
  %vote = sattn.reduce max %prob over h to g
  %sel = sattn.select top(n) %vote where %far
  %w = sattn.weigh softmax %a over %sel with %lw
  %keys = sattn.intersect %sel, %body
  %p = sattn.accumulate softmax %z over %keys, %v per block
  %o = sattn.blend %p and %ow by %w
  sattn.yield %o
}

// CHECK-LABEL: sattn.pattern @hybrid_dsa_two_level<
// A hybrid no paper ships: DSA whose indexer looks only into the m best blocks.
sattn.pattern @hybrid_dsa_two_level<static b: int = 128, m: int = 64, n: int = 2048, static dv: int = 512, scale:
    float = rsqrt(D)>
    (%q: [t, h, D], %kv: [s, 1, D], %iq: [t, h2, D2], %ik: [s, 1, D2], %iw: [t, h2]) -> (o) {
  %ib = sattn.summarize mean %ik blocks(b) ragged
  %a0 = sattn.score dot %iq, %ib
  %b0 = sattn.map %a0 : max(z, 0) * %iw[t, h2]
  %i0 = sattn.reduce sum %b0 over h2 to one
  %open = sattn.set (t, c(b)) : first(c) <= t
  %coarse = sattn.select top(m) %i0 where %open force(first(1) last(1))
  %causal = sattn.set (t, s) : s <= t
  %cand = sattn.intersect %coarse, %causal
  %a = sattn.score dot %iq, %ik
  %b1 = sattn.map %a : max(z, 0) * %iw[t, h2]
  %i = sattn.reduce sum %b1 over h2 to one
  %sel = sattn.select top(n) %i where %cand
  %v = sattn.prefix %kv to dv
  %z = sattn.score dot %q, %kv scale(scale)
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// CHECK-LABEL: sattn.pattern @hybrid_far_pages<
// A hybrid no paper ships: window, sinks and Quest pages in one softmax, with a distance penalty, inside a document.
sattn.pattern @hybrid_far_pages<W: int = 256, S: int = 4, static page: int = 16, n: int = 32, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %slope: [h], %doc: int[s]) -> (o) {
  %near = sattn.set (t, s) : s <= t and (t - s < W or s < S)
  %mm = sattn.summarize minmax %k blocks(page)
  %a = sattn.score bound %q, %mm
  %far = sattn.set (t, c(page)) : last(c) <= t - W
  %sel = sattn.select top(n) %a where %far
  %both = sattn.union %near, %sel
  %same = sattn.set (t, s) : s <= t and %doc[t] == %doc[s]
  %keys = sattn.intersect %both, %same
  %z = sattn.score dot %q, %k scale(scale)
  %y = sattn.map %z : z - %slope[h] * (t - s)
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// CHECK-LABEL: sattn.pattern @int8_topk<
// The n best tokens by int8 keys and queries.
sattn.pattern @int8_topk<n: int = 1024, scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %causal = sattn.set (t, s) : s <= t
  %qi = sattn.encode int8 %q
  %ki = sattn.encode int8 %k
  %a = sattn.score dot %qi, %ki
  %sel = sattn.select top(n) %a where %causal
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// CHECK-LABEL: sattn.pattern @mla<
// MLA, absorbed: one latent key head, V is its prefix.
sattn.pattern @mla<static dv: int = 512, scale: float = rsqrt(D)>(%q: [t, h, D], %kv: [s, 1, D]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %v = sattn.prefix %kv to dv
  %z = sattn.score dot %q, %kv scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// CHECK-LABEL: sattn.pattern @mosa<
// MoSA: every head chooses its own n tokens (routing sees the future), attends causally among them, scatters back.
sattn.pattern @mosa<n: int = 64, first: int = 0, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv], %r: [t, h]) -> (o) {
  %rows = sattn.route top(n) %r force(first(first))
  %qr = sattn.gather %q at %rows
  %kr = sattn.gather %k at %rows
  %vr = sattn.gather %v at %rows
  %rr = sattn.gather %r at %rows
  %causal = sattn.set (t, s) : s <= t
  %z = sattn.score dot %qr, %kr scale(scale)
  %oh = sattn.attend %z over %causal, %vr
  %ow = sattn.mix %rr * %oh
  %o = sattn.scatter %ow at %rows
  sattn.yield %o
}

// CHECK-LABEL: sattn.pattern @quest<
// Quest: pages by the upper bound of q.k from per-channel minima and maxima.
sattn.pattern @quest<static page: int = 16, n: int = 64, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %mm = sattn.summarize minmax %k blocks(page) ragged
  %a = sattn.score bound %q, %mm
  %open = sattn.set (t, c(page)) : first(c) <= t
  %sel = sattn.select top(n) %a where %open force(last(1))
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// CHECK-LABEL: sattn.pattern @seer<
// SeerAttention prefill: pooled gate queries and keys (operands), blocks above a probability or in the budget;
// diagonal kept.
sattn.pattern @seer<static b: int = 64, n: int = 64, theta: float = 0.005, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %gq: [u(b), h, D2], %gk: [c(b), h, D2]) -> (o) {
  %open = sattn.set (u(b), c(b)) : first(c) <= last(u)
  %a = sattn.score dot %gq, %gk scale(rsqrt(D2))
  %p = sattn.normalize %a over %open
  %sel = sattn.select top(n) above(theta) %p where %open force(last(1))
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// CHECK-LABEL: sattn.pattern @snapkv<
// SnapKV: the last w rows vote for prefix keys by summed probability; votes are smoothed; cap keys stay for each head.
sattn.pattern @snapkv<cap: int = 1024, w: int = 64, static pool: int = 5, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv]) -> (kk, vk) {
  %causal = sattn.set (t, s) : s <= t
  %watch = sattn.set (t, s) : t >= size(s) - w and s < size(s) - w
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.normalize %z over %causal
  %votes = sattn.colsum %p over %watch
  %soft = sattn.smooth max %votes width(pool)
  %kept = sattn.route top(cap) %soft force(last(w))
  %kk = sattn.gather %k at %kept
  %vk = sattn.gather %v at %kept
  sattn.yield %kk, %vk
}

// CHECK-LABEL: sattn.pattern @softcap<
// Scores squashed to (-cap, cap).
sattn.pattern @softcap<cap: float = 50.0, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %y = sattn.map %z : cap * tanh(z / cap)
  %p = sattn.accumulate softmax %y over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

// CHECK-LABEL: sattn.pattern @star_phase1<
// Star Attention, context phase: anchor tokens and the own block.
sattn.pattern @star_phase1<a: int = 1024, static b: int = 1024, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t and (s < a or s floordiv b == t floordiv b)
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

// CHECK-LABEL: sattn.pattern @star_phase2<
// Star Attention, query phase: the partial result of other hosts enters as (o0, lse0) and is merged by lse.
sattn.pattern @star_phase2<scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %o0: [t, h, Dv], %lse0: [t, h]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %here = sattn.accumulate softmax %z over %keys, %v
  %there = sattn.reopen %o0, %lse0
  %p = sattn.merge %here, %there
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

// CHECK-LABEL: sattn.pattern @top_p<
// Nucleus selection: the fewest past blocks whose probabilities sum to p, at most n, the first block among them.
// CHECK: sattn.select top(n) mass(p) %{{.*}} where %{{.*}} force(first(1))
sattn.pattern @top_p<p: float = 0.95, static b: int = 64, static n: int = 64, static qblock: int = 1,
                     scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %mq = sattn.summarize mean %q blocks(qblock)
  %mk = sattn.summarize mean %k blocks(b)
  %a = sattn.score dot %mq, %mk scale(scale)
  %past = sattn.set (u(qblock), c(b)) : last(c) < first(u)
  %ph = sattn.normalize %a over %past
  %pg = sattn.reduce mean %ph over h to g
  %far = sattn.select top(n) mass(p) %pg where %past force(first(1))
  %near = sattn.set (t, s) : s <= t and s floordiv b >= t floordiv qblock * qblock floordiv b
  %keys = sattn.union %far, %near
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// CHECK-LABEL: sattn.pattern @window_sinks_logit<
// gpt-oss: sliding window and a learned sink logit for each head (not in lse).
sattn.pattern @window_sinks_logit<W: int = 128, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %sink: [h]) -> (o) {
  %keys = sattn.set (t, s) : 0 <= t - s < W
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v sink(%sink)
  sattn.yield %o
}

// What the texts above leave out.
// CHECK-LABEL: sattn.pattern @rest<a: int, b: float, static l: int = 8, n: int = 2 * l + 1, x: float = b * 0.5>(
// CHECK-SAME: %q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %i: int[t, g, 4], %u: [u(8), h, D], %o0: [t, h, Dv],
// CHECK-SAME: %l0: [t, h], %w: [8])
// CHECK-SAME: -> (o, lse, kw) bind {D = 64 : i64, dtype = "f32"} attributes {causal = "{{[^"]*}}", note = "kept"}
sattn.pattern @rest<a: int, b: float, static l: int = 8, n: int = l + 1 + l, x: float = b * 0.5>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %i: int[t, g, 4], %u: [u(8), h, D], %o0: [t, h, Dv], %l0: [t, h],
     %w: [8]) -> (o, lse, kw) bind {D = 64 : i64, dtype = "f32"} attributes {note = "kept"} {
  // CHECK: %[[LIST:.*]] = sattn.listed %i blocks(l)
  %list = sattn.listed %i blocks(l)
  // CHECK: %[[PAST:.*]] = sattn.set (t, s) : s <= t
  %past = sattn.set (t, s) : t >= s
  // CHECK: %[[HEADS:.*]] = sattn.set (t, s) : t - s + h >= 0
  %heads = sattn.set (t, s) : s <= t + h
  // CHECK: sattn.minus %[[PAST]], %[[LIST]]
  %rest = sattn.minus %past, %list
  // CHECK: sattn.intersect %{{.*}}, %[[HEADS]]
  %keys = sattn.intersect %rest, %heads
  // CHECK: sattn.summarize weighted %k by %w blocks(l, 4)
  %kw = sattn.summarize weighted %k by %w blocks(l, 4)
  // CHECK: sattn.score dot %u, %k scale(x + 2.0)
  %zu = sattn.score dot %u, %k scale(x + 2.0)
  // CHECK: sattn.map {{.*}} : min(z, 0) + abs(z) - exp(-z) / sigmoid(z) {dialect.note = 1 : i64}
  %m = sattn.map %zu : min(z, 0) + abs(z) - exp(-z) / sigmoid(z) {dialect.note = 1 : i64}
  // CHECK: sattn.set (u(8), s) : s <= last(u) and s mod 2 == 0
  %even = sattn.set (u(8), s) : s <= last(u) and not s mod 2 >= 1 and not s mod 2 < 0
  // CHECK: sattn.select top(n) above(-1.5) {{.*}} force(first(a) last(2) %{{.*}})
  %sel = sattn.select top(n) above(-1.5) %m where %even force(first(a) last(2) %even)
  %z = sattn.score dot %q, %k
  %selected = sattn.intersect %sel, %past
  %far = sattn.minus %selected, %keys
  // CHECK: sattn.accumulate linear
  %p = sattn.accumulate linear %z over %far, %v
  %p1 = sattn.accumulate softmax %z over %keys, %v
  // CHECK: sattn.reopen %o0, %l0
  %p2 = sattn.reopen %o0, %l0
  // CHECK: sattn.merge %{{.*}}, %{{.*}}, %{{.*}}
  %all = sattn.merge %p, %p1, %p2
  %o = sattn.finalize %all
  %lse = sattn.lse %all
  sattn.yield %o, %lse, %kw
}

// Inside the brackets of an attribute comparisons are words and tables are numbered.
// GENERIC: #sattn.keys<(t, s) : s le t and table(0)[s] eq table(0)[t]>
// GENERIC: #sattn.expr<z + table(0)[t, h] - table(0)[s, h]>

// Multi-head latent attention with its projections absorbed: one latent key head for all query heads, whose first `dv`
// features are the values. `scale` is that of the heads before they were absorbed.
// "DeepSeek-V2: A Strong, Economical, and Efficient Mixture-of-Experts Language Model", DeepSeek-AI, 2024,
// arXiv:2405.04434.
sattn.pattern @mla<static dv: int = 512, scale: float = rsqrt(D)>
    (%q: [t, h, D], %kv: [s, 1, D]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t
  %v = sattn.prefix %kv to dv
  %z = sattn.score dot %q, %kv scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

// SeerAttention for decoding: complete blocks of b keys above a probability, at most n of them, for each kv head, whose gate
// query the caller pools over its heads and whose gate keys hold complete blocks alone. The block of the row is attended to.
// "SeerAttention-R: Sparse Attention Adaptation for Long Reasoning", Gao et al., 2025, arXiv:2506.08889.
sattn.pattern @seer_decode<static b: int = 64, static n: int = 64, theta: float = 0.005, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %gq: [t, g, D2], %gk: [c(b), g, D2]) -> (o) {
  %past = sattn.set (t, c(b)) : last(c) <= t
  %a = sattn.score dot %gq, %gk scale(rsqrt(D2))
  %p = sattn.normalize %a over %past
  %sel = sattn.select top(n) above(theta) %p where %past
  %own = sattn.set (t, s) : s <= t and s floordiv b == t floordiv b
  %keys = sattn.union %sel, %own
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// Blocks of b keys above a probability, and at most n of them, for blocks of b rows and each head: a gate of pooled queries
// and keys, which the caller projects, is normalised over the blocks up to the row block's own. The own block is forced; it
// is there as long as `gk` has a row for it, for the last one, too, which may be incomplete.
// "SeerAttention: Learning Intrinsic Sparse Attention in Your LLMs", Gao et al., 2024, arXiv:2410.13276.
sattn.pattern @seer<static b: int = 64, static n: int = 64, theta: float = 0.005, scale: float = rsqrt(D)>
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

// The own chunk and the n - 1 best past chunks by mean key, for each query head; the gate is not scaled.
// "MoBA: Mixture of Block Attention for Long-Context LLMs", Lu et al., 2025, arXiv:2502.13189.
sattn.pattern @moba<static l: int = 64, static n: int = 3, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(l) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(l)) : first(c) <= t
  %sel = sattn.select top(n) %a where %open force(last(1))
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

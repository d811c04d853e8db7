// Adamas: tokens whose Hadamard transforms fall into the same buckets. Queries and keys become codes of four values, and
// the `n` keys of the smallest Manhattan distance are attended to, the newest among them.
// "Adamas: Hadamard Sparse Attention for Efficient Long-Context Inference", Yan et al., 2025.
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

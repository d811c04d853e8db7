// The n pages of keys that could hold the largest products, for each query head: a page's bound is the sum over features
// of max(q * most, q * least), from its extremes. The page of the query is forced and counts.
// "Quest: Query-Aware Sparsity for Efficient Long-Context LLM Inference", Tang, Zhao, Zhu, Xiao, Kasikci, Han, 2024,
// arXiv:2406.10774.
sattn.pattern @quest<static page: int = 16, static n: int = 64, scale: float = rsqrt(D)>
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

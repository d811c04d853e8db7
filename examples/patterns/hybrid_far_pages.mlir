// A hybrid that no paper ships, as an example of authoring: a window and the first S tokens, and of what lies before the
// window the n pages that could hold the largest products, in one softmax, with a penalty for distance and within the
// row's document. Its parts: "Quest", Tang et al., 2024; "Efficient Streaming Language Models with Attention Sinks",
// Xiao et al., 2023; "Train Short, Test Long" (ALiBi), Press, Smith, Lewis, 2021.
sattn.pattern @hybrid_far_pages<W: int = 256, S: int = 4, static page: int = 16, static n: int = 32,
                                scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %slope: [h], %doc: int[s]) -> (o, lse) {
  %near = sattn.set (t, s) : s <= t and (t - s < W or s < S)
  %mm = sattn.summarize minmax %k blocks(page)
  %a = sattn.score bound %q, %mm
  %open = sattn.set (t, c(page)) : first(c) >= S and last(c) <= t - W
  %far = sattn.select top(n) %a where %open
  %both = sattn.union %near, %far
  %same = sattn.set (t, s) : s <= t and %doc[t] == %doc[s]
  %keys = sattn.intersect %both, %same
  %z = sattn.score dot %q, %k scale(scale)
  %y = sattn.map %z : z - %slope[h] * (t - s)
  %p = sattn.accumulate softmax %y over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

// Hierarchical sparse attention: one softmax for each of the n best chunks by landmark score;
// chunks are weighted by stick-breaking over their landmark scores, newest first. A chunk is visible after its last
// token.
// "Hardware-aligned Hierarchical Sparse Attention for Efficient Long-term Memory Access", Hu, Leng, Zhao, Tu,
// Wu, 2025.
sattn.pattern @hsa_stickbreak<static l: int = 64, static n: int = 8, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %r: [t, g2, D2], %m: [c(l), g2, D2]) -> (o) {
  %far = sattn.set (t, c(l)) : last(c) < t
  %a = sattn.score dot %r, %m scale(rsqrt(D2))
  %sel = sattn.select top(n) %a where %far
  %w = sattn.weigh stickbreak %a over %sel
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %o = sattn.blend %p by %w
  sattn.yield %o
}

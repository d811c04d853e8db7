sattn.pattern @placed_hsa<static l: int = 64, static n: int = 8, scale: float = rsqrt(D)>
    (%slope: [h], %q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %r: [t, g2, D2], %m: [c(l), g2, D2]) -> (o) {
  %far = sattn.set (t, c(l)) : last(c) < t
  %a = sattn.score dot %r, %m scale(rsqrt(D2))
  %sel = sattn.select top(n) %a where %far
  %w = sattn.weigh softmax %a over %sel
  %z0 = sattn.score dot %q, %k scale(scale)
  %z = sattn.map %z0 : z - 0.01 * %slope[h] * (t - s)
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %o = sattn.blend %p by %w
  sattn.yield %o
}

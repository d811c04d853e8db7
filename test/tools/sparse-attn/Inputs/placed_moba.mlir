sattn.pattern @placed_moba<static l: int = 64, static n: int = 3, scale: float = rsqrt(D)>
    (%slope: [h], %bias: [t, h], %cost: [s], %q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(l) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(l)) : first(c) <= t
  %sel = sattn.select top(n) %a where %open force(last(1))
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %z0 = sattn.score dot %q, %k scale(scale)
  %z = sattn.map %z0 : z - 0.01 * %slope[h] * (t - s) + %bias[t, h] - %cost[s]
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

sattn.pattern @placed_nsa<static l: int = 32, static d: int = 16, static b: int = 64, static n: int = 16,
                   W: int = 512, init: int = 1, local: int = 2, scale: float = rsqrt(D)>
    (%slope: [h], %q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %g: [t, h, 3]) -> (o) {
  %kc = sattn.summarize mean %k blocks(l, d)
  %vc = sattn.summarize mean %v blocks(l, d)
  %past = sattn.set (t, c(l, d)) : last(c) <= t
  %zc = sattn.score dot %q, %kc scale(scale)
  %oc = sattn.attend %zc over %past, %vc
  %p = sattn.normalize %zc over %past
  %pg = sattn.reduce sum %p over h to g
  %imp = sattn.rebin sum %pg to blocks(b)
  %open = sattn.set (t, c(b)) : first(c) <= t
  %sel = sattn.select top(n) %imp where %open force(first(init) last(local))
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %win = sattn.set (t, s) : 0 <= t - s < W
  %z0 = sattn.score dot %q, %k scale(scale)
  %z = sattn.map %z0 : z - 0.01 * %slope[h] * (t - s)
  %os = sattn.attend %z over %keys, %v
  %ow = sattn.attend %z over %win, %v
  %o = sattn.mix %g[t, h, 0] * %oc + %g[t, h, 1] * %os + %g[t, h, 2] * %ow
  sattn.yield %o
}

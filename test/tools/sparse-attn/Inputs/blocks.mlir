// Attention to blocks that the caller brings: nothing over s.
sattn.pattern @blocks<static l: int = 16, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [c(l), g, D], %v: [c(l), g, Dv]) -> (o) {
  %keys = sattn.set (t, c(l)) : last(c) <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// The difference of two attention maps that share their values; the norm of each head behind it is left out.
// "Differential Transformer", Ye, Dong, Xia, Sun, Zhu, Huang, Wei, 2024, arXiv:2410.05258.
sattn.pattern @differential<lam: float = 0.2, scale: float = rsqrt(D)>
    (%q0: [t, h, D], %q1: [t, h, D], %k0: [s, g, D], %k1: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z0 = sattn.score dot %q0, %k0 scale(scale)
  %z1 = sattn.score dot %q1, %k1 scale(scale)
  %o0 = sattn.attend %z0 over %keys, %v
  %o1 = sattn.attend %z1 over %keys, %v
  %o = sattn.mix %o0 - lam * %o1
  sattn.yield %o
}

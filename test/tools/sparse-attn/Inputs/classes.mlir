// Positions of rows and keys that are computed class by class of residues.
sattn.pattern @classes<static stride: int = 16, scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t and (t - s) mod stride == 0
  %z = sattn.score dot %q, %k scale(scale)
  %y = sattn.map %z : z - 0.01 * (t - s) + 0.001 * t
  %p = sattn.accumulate softmax %y over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

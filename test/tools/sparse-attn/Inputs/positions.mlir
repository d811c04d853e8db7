// Positions, heads, a number a head and a remainder in one map.
sattn.pattern @positions<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %slope: [h]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %y = sattn.map %z : z - 0.125 * h * (2 * t - 2 * s - 3) + max(0.5, tanh(z)) * %slope[h] - 0.001 * ((t - s) mod 7)
  %p = sattn.accumulate softmax %y over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

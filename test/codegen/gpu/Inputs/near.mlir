// A function of positions, heads, a table and a param, called twice.
sattn.function @near(x: float, row: int, key: int, slope: float)
    cuda text "float near(float x, int row, int key, float slope) { return x - slope * (row - key); }"
    as x - slope * (row - key)

sattn.pattern @near_keys<n: int = 2, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %slope: [h]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %y = sattn.map %z : @near(z, t - n, s, %slope[h]) + max(@near(0.5 * z, h, 3, 0.25), -1)
  %p = sattn.accumulate softmax %y over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

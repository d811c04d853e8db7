// Sinks and window counted in whole blocks: the first S blocks and the W last ones, own block included.
sattn.pattern @block_streaming<static b: int = 128, S: int = 1, W: int = 2, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t and (s floordiv b < S or t floordiv b - s floordiv b < W)
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// Block-sparse by a given map: row block u attends key block c where the map holds 1 for its head.
sattn.pattern @block_bitmap<static b: int = 128, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %map: int[h, u(b), c(b)]) -> (o) {
  %keys = sattn.set (t, s) : s <= t and %map[h, t floordiv b, s floordiv b] == 1
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

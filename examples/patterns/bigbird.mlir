// Its own block and the two beside it, the first and the last block both ways, and `r` random blocks; not causal.
// "Big Bird: Transformers for Longer Sequences", Zaheer et al., 2020, arXiv:2007.14062.
sattn.pattern @bigbird<static b: int = 64, static r: int = 3, seed: int = 7, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %near = sattn.set (t, s) : -1 <= t floordiv b - s floordiv b <= 1
  %glob = sattn.set (t, s) : t < b or s < b or size(s) - b <= t or size(s) - b <= s
  %rand = sattn.random count(r) seed(seed) blocks(b)
  %keys = sattn.union %near, %glob, %rand
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

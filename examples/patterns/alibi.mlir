// A penalty that grows with the distance, with one slope for each head.
// "Train Short, Test Long: Attention with Linear Biases Enables Input Length Extrapolation", Press, Smith, Lewis, 2021,
// arXiv:2108.12409.
sattn.pattern @alibi<scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %slope: [h]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %y = sattn.map %z : z - %slope[h] * (t - s)
  %p = sattn.accumulate softmax %y over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

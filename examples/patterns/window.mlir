// The last W keys, the row itself included: t - W < s <= t.
// "Mistral 7B", Jiang et al., 2023, arXiv:2310.06825.
sattn.pattern @window<W: int = 512, scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : 0 <= t - s < W
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

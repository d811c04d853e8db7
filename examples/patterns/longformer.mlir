// W keys to either side; not causal. Global tokens, which have projections of their own, are left out.
// "Longformer: The Long-Document Transformer", Beltagy, Peters, Cohan, 2020, arXiv:2004.05150.
sattn.pattern @longformer<W: int = 256, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : -W <= t - s <= W
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

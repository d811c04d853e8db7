// W keys up to the row itself, every `dil`-th one: the dilated window, its causal half.
// "Longformer: The Long-Document Transformer", Beltagy, Peters, Cohan, 2020, arXiv:2004.05150.
sattn.pattern @dilated<W: int = 128, static dil: int = 4, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : 0 <= t - s < dil * W and (t - s) mod dil == 0
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

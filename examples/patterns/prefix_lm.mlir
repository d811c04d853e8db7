// The first P positions see each other, later ones all before them: the decoder-only form of an encoder and a decoder.
// "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", Raffel et al., 2019,
// arXiv:1910.10683.
sattn.pattern @prefix_lm<P: int = 128, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t or s < P
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

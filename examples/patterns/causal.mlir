// Keys up to the row itself: the attention of decoder-only language models.
// "Attention Is All You Need", Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin, 2017,
// arXiv:1706.03762.
sattn.pattern @causal<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

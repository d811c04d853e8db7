// Every key for every row: softmax attention without a mask.
// "Attention Is All You Need", Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin, 2017,
// arXiv:1706.03762.
// One kv head for several query heads (`g` smaller than `h`): "GQA: Training Generalized Multi-Query Transformer Models
// from Multi-Head Checkpoints", Ainslie et al., 2023, arXiv:2305.13245.
sattn.pattern @dense<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : all
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

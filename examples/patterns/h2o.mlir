// Heavy-hitter oracle: beside attending, each call adds up the probabilities that every key has got. The `heavy` keys with
// the largest sums and the `recent` last ones stay, in order, with their sums. The next call brings them in front of its
// own keys, with sums of 0 for these, and counts positions in that cache.
// "H2O: Heavy-Hitter Oracle for Efficient Generative Inference of Large Language Models", Zhang et al., 2023,
// arXiv:2306.14048.
sattn.pattern @h2o<heavy: int = 512, recent: int = 512, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %before: [s, g]) -> (o, kk, vk, sums) {
  %past = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %past, %v
  %p = sattn.normalize %z over %past
  %shared = sattn.reduce sum %p over h to g
  %votes = sattn.colsum %shared over %past
  %all = sattn.mix %before + %votes
  %kept = sattn.route top(heavy + recent) %all force(last(recent))
  %kk = sattn.gather %k at %kept
  %vk = sattn.gather %v at %kept
  %sums = sattn.gather %all at %kept
  sattn.yield %o, %kk, %vk, %sums
}

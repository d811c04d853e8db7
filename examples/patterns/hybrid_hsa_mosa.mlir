// A hybrid that no paper ships, as an example of authoring: every row attends to the n past chunks that its landmarks
// choose, one softmax for each, and the m tokens that each head chooses of the whole sequence attend causally among
// themselves besides, weighed by their routing score. Routing sees later tokens, so nothing here is causal.
// Its parts: hierarchical sparse attention, Hu et al., 2025; "Mixture of Sparse Attention", Piekos et al., 2025.
sattn.pattern @hybrid_hsa_mosa<static l: int = 64, static n: int = 8, m: int = 256, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv], %r: [t, h, D2], %lm: [c(l), h, D2], %e: [t, h]) -> (o) {
  %past = sattn.set (t, c(l)) : last(c) < t
  %a = sattn.score dot %r, %lm scale(rsqrt(D2))
  %sel = sattn.select top(n) %a where %past
  %w = sattn.weigh softmax %a over %sel
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %far = sattn.blend %p by %w
  %rows = sattn.route top(m) %e
  %qr = sattn.gather %q at %rows
  %kr = sattn.gather %k at %rows
  %vr = sattn.gather %v at %rows
  %zr = sattn.score dot %qr, %kr scale(scale)
  %causal = sattn.set (t, s) : s <= t
  %or = sattn.attend %zr over %causal, %vr
  %routed = sattn.scatter %or at %rows
  %o = sattn.mix %far + %e[t, h] * %routed
  sattn.yield %o
}

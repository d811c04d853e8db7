// Keys up to the row itself, merged with the result (o0, lse0) that other hosts computed over their part of the context.
// "Star Attention: Efficient LLM Inference over Long Sequences", Acharya, Jia, Ginsburg, 2024, arXiv:2411.17116.
sattn.pattern @star_phase2<scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %o0: [t, h, Dv], %lse0: [t, h]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %here = sattn.accumulate softmax %z over %keys, %v
  %there = sattn.reopen %o0, %lse0
  %p = sattn.merge %here, %there
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

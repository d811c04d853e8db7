// The anchor, which is the first `a` positions, and the own block of `b`: what each host computes of the context.
// "Star Attention: Efficient LLM Inference over Long Sequences", Acharya, Jia, Ginsburg, 2024, arXiv:2411.17116.
sattn.pattern @star_phase1<a: int = 1024, static b: int = 1024, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t and (s < a or s floordiv b == t floordiv b)
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

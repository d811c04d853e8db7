// The last W keys, and a learned logit for each head in the denominator; the lse is without it.
// "gpt-oss-120b & gpt-oss-20b Model Card", OpenAI, 2025, arXiv:2508.10925.
sattn.pattern @window_sinks_logit<W: int = 128, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %sink: [h]) -> (o, lse) {
  %keys = sattn.set (t, s) : 0 <= t - s < W
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p sink(%sink)
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

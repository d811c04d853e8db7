// The last W keys and the first S positions, the attention sinks.
// "Efficient Streaming Language Models with Attention Sinks", Xiao, Tian, Chen, Han, Lewis, 2023, arXiv:2309.17453.
// Positions are those of the sequence; the paper's rotary positions inside the cache are the caller's.
sattn.pattern @window_sinks<W: int = 512, S: int = 4, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t and (t - s < W or s < S)
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

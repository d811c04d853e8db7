// The last W tokens and the S first, in a cache of fixed size whose slot s holds the token of position pos[s], or none
// where that is -1; slots come in any order. Keys are rotated by the slots that the caller gives them, as in the paper.
// "Efficient Streaming Language Models with Attention Sinks", Xiao, Tian, Chen, Han, Lewis, 2023, arXiv:2309.17453.
sattn.pattern @streaming_llm<W: int = 512, S: int = 4, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %pos: int[s]) -> (o, lse) {
  %keys = sattn.set (t, s) : 0 <= %pos[s] <= t and (t - %pos[s] < W or %pos[s] < S)
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

// Keys up to the row itself, of its own document; `doc` numbers the documents of a packed sequence.
// "Analysing The Impact of Sequence Composition on Language Model Pre-Training", Zhao et al., 2024, arXiv:2402.13991.
sattn.pattern @doc_causal<scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %doc: int[s]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t and %doc[t] == %doc[s]
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

// Keys up to the row itself that hashing or clustering has put into its bucket; `bucket` numbers them for each head.
// "Reformer: The Efficient Transformer", Kitaev, Kaiser, Levskaya, 2020, arXiv:2001.04451; "Efficient Content-Based
// Sparse Attention with Routing Transformers", Roy, Saffar, Vaswani, Grangier, 2020, arXiv:2003.05997.
sattn.pattern @bucketed<scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %bucket: int[s, h]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t and %bucket[t, h] == %bucket[s, h]
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

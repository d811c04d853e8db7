// Vertical and slash lines of a prompt: each head sees the keys of some columns, and those at some distances, which the
// caller has found (MInference estimates both from the last 64 queries). `%vertical` is 1 for a key that all later rows
// see, `%slash` for a distance t - s at which every row sees a key. A tile without a line costs a look, no product.
// "MInference 1.0: Accelerating Pre-filling for Long-Context LLMs via Dynamic Sparse Attention", Jiang et al., 2024,
// arXiv:2407.02490.
sattn.pattern @vertical_slash<scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %vertical: int[s, h], %slash: int[s, h]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t and (%vertical[s, h] == 1 or %slash[t - s, h] == 1)
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

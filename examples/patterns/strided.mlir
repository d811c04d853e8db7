// Every stride-th key up to the row itself: the strided heads, without the local heads beside them.
// "Generating Long Sequences with Sparse Transformers", Child, Gray, Radford, Sutskever, 2019, arXiv:1904.10509.
sattn.pattern @strided<static stride: int = 128, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t and (t - s) mod stride == 0
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

// The own block of `stride` keys, and the last `verts` keys of every block before it: the fixed heads.
// "Generating Long Sequences with Sparse Transformers", Child, Gray, Radford, Sutskever, 2019, arXiv:1904.10509.
sattn.pattern @fixed<static stride: int = 128, verts: int = 8, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t and (t floordiv stride == s floordiv stride or s mod stride >= stride - verts)
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

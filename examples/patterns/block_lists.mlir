// Blocks of b keys that the caller lists for each block of qblock rows and each head, D2 at most; token by token causal
// inside. Decoded rows begin no block of rows: with qblock = 1 each has a list of its own.
// Entries that are -1 or name no block are ignored, repeated ones count once, in any order. Lists of this kind are what
// MInference, XAttention and FlexPrefill estimate before they attend: "MInference 1.0", Jiang et al., 2024,
// arXiv:2407.02490; "XAttention", Xu, Xiao, Huang, Guo, Han, 2025, arXiv:2503.16428.
sattn.pattern @block_lists<static b: int = 128, static qblock: int = b, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %idx: int[u(qblock), h, D2]) -> (o, lse) {
  %list = sattn.listed %idx blocks(b)
  %past = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %list, %past
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

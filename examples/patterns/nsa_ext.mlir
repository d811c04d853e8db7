// NSA whose compressed keys and values are operands, as a learned compression makes them.
// "Native Sparse Attention: Hardware-Aligned and Natively Trainable Sparse Attention", Yuan et al., 2025,
// arXiv:2502.11089.
sattn.pattern @nsa_ext<static l: int = 32, static d: int = 16, static b: int = 64, static n: int = 16,
                       W: int = 512, init: int = 1, local: int = 2, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %kc: [c(l, d), g, D], %vc: [c(l, d), g, Dv], %g: [t, h, 3]) -> (o) {
  %past = sattn.set (t, c(l, d)) : last(c) <= t
  %zc = sattn.score dot %q, %kc scale(scale)
  %oc = sattn.attend %zc over %past, %vc
  %p = sattn.normalize %zc over %past
  %pg = sattn.reduce sum %p over h to g
  %imp = sattn.rebin sum %pg to blocks(b)
  %open = sattn.set (t, c(b)) : first(c) <= t
  %sel = sattn.select top(n) %imp where %open force(first(init) last(local))
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %win = sattn.set (t, s) : 0 <= t - s < W
  %z = sattn.score dot %q, %k scale(scale)
  %os = sattn.attend %z over %keys, %v
  %ow = sattn.attend %z over %win, %v
  %o = sattn.mix %g[t, h, 0] * %oc + %g[t, h, 1] * %os + %g[t, h, 2] * %ow
  sattn.yield %o
}

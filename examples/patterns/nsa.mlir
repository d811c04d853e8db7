// Compressed, selected and window branches under gates. Importance of a block is the sum over the group's heads of the
// compressed probabilities that overlap it; the first block and the last ones are forced and count inside n.
// "Native Sparse Attention: Hardware-Aligned and Natively Trainable Sparse Attention", Yuan et al., 2025,
// arXiv:2502.11089.
sattn.pattern @nsa<static l: int = 32, static d: int = 16, static b: int = 64, static n: int = 16,
                   W: int = 512, init: int = 1, local: int = 2, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %g: [t, h, 3]) -> (o) {
  %kc = sattn.summarize mean %k blocks(l, d)
  %vc = sattn.summarize mean %v blocks(l, d)
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

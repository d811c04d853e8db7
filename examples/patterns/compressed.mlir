// Block compression alone: keys and values are means of l tokens, one every d; a row sees the blocks that are complete
// at it, and the summaries of the keys are a result. The compressed branch of
// "Native Sparse Attention: Hardware-Aligned and Natively Trainable Sparse Attention", Yuan et al., 2025,
// arXiv:2502.11089.
sattn.pattern @compressed<static l: int = 32, static d: int = 16, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, kc) {
  %kc = sattn.summarize mean %k blocks(l, d)
  %vc = sattn.summarize mean %v blocks(l, d)
  %past = sattn.set (t, c(l, d)) : last(c) <= t
  %z = sattn.score dot %q, %kc scale(scale)
  %o = sattn.attend %z over %past, %vc
  sattn.yield %o, %kc
}

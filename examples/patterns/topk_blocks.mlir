// The n best blocks of b keys by mean key, one selection for the heads of a kv head and for qblock rows (by their mean
// query). Candidates are the blocks that are complete before the row block, and its own, which are forced and count.
// Block top-k selection as in "MoBA: Mixture of Block Attention for Long-Context LLMs", Lu et al., 2025,
// arXiv:2502.13189, shared by groups of heads and rows as block-sparse kernels want it.
sattn.pattern @topk_blocks<static b: int = 64, static n: int = 8, static qblock: int = 1, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %mq = sattn.summarize mean %q blocks(qblock)
  %mk = sattn.summarize mean %k blocks(b) ragged
  %a = sattn.score dot %mq, %mk
  %ag = sattn.reduce sum %a over h to g
  %open = sattn.set (u(qblock), c(b)) : first(c) <= last(u)
  %own = sattn.set (u(qblock), c(b)) : first(c) <= last(u) and first(u) <= last(c)
  %sel = sattn.select top(n) %ag where %open force(%own)
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

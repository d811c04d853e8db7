// Nucleus selection: the fewest blocks of b keys that hold a share p of what attention to past blocks promises to be, by
// the softmax of their mean keys' scores, its mean over the heads of a kv head; at most n, the first block among them.
// One selection for qblock rows, by their mean query. Beside it the keys from the rows' own block on.
// "Twilight: Adaptive Attention Sparsity with Hierarchical Top-p Pruning", Lin et al., 2025, arXiv:2502.02770; of blocks
// as in "FlexPrefill: A Context-Aware Sparse Attention Mechanism for Efficient Long-Sequence Inference", Lai et al., 2025,
// arXiv:2502.20766.
sattn.pattern @top_p<p: float = 0.95, static b: int = 64, static n: int = 64, static qblock: int = 1,
                     scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %mq = sattn.summarize mean %q blocks(qblock)
  %mk = sattn.summarize mean %k blocks(b)
  %a = sattn.score dot %mq, %mk scale(scale)
  %past = sattn.set (u(qblock), c(b)) : last(c) < first(u)
  %ph = sattn.normalize %a over %past
  %pg = sattn.reduce mean %ph over h to g
  %far = sattn.select top(n) mass(p) %pg where %past force(first(1))
  %near = sattn.set (t, s) : s <= t and s floordiv b >= t floordiv qblock * qblock floordiv b
  %keys = sattn.union %far, %near
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

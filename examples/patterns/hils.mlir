// HiLS: each row attends to a window and to the `n` best chunks before it. Chunks are ranked by landmarks, and share one
// softmax with the window: its lse stands beside the scores of chunks when these are ranked, for each kv head, and when
// they are weighted, for each query head. The last key of a chunk holds its landmark and is nobody's key. With W = 1 mod l
// the window begins where the chunks end.
// "HiLS-Attention", Tencent Hunyuan, 2026: github.com/Tencent-Hunyuan/HiLS-Attention.
sattn.pattern @hils<static l: int = 64, static n: int = 32, W: int = 512, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %r: [t, h, D2], %m: [c(l), g, D2], %bias: [c(l), h]) -> (o) {
  %near = sattn.set (t, s) : s <= t and s floordiv l >= (t - W + 1) floordiv l and s mod l < l - 1
  %far = sattn.set (t, c(l)) : c < (t - W + 1) floordiv l
  %body = sattn.set (t, s) : s mod l < l - 1
  %z = sattn.score dot %q, %k scale(scale)
  %pw = sattn.accumulate softmax %z over %near, %v
  %ow = sattn.finalize %pw
  %lw = sattn.lse %pw
  %a0 = sattn.score dot %r, %m scale(scale)
  %a = sattn.map %a0 : z + %bias[c, h]
  %prob = sattn.normalize %a over %far with %lw
  %vote = sattn.reduce max %prob over h to g
  %sel = sattn.select top(n) %vote where %far
  %w = sattn.weigh softmax %a over %sel with %lw
  %keys = sattn.intersect %sel, %body
  %p = sattn.accumulate softmax %z over %keys, %v per block
  %o = sattn.blend %p and %ow by %w
  sattn.yield %o
}

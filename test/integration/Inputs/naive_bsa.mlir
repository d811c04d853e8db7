// HiLS without landmarks among the keys: every key of a window or of a chunk is one. With the lse of a chunk as its score
// the softmax over chunks and window is one over their keys.
sattn.pattern @naive_bsa<static l: int = 64, static n: int = 32, W: int = 512, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %r: [t, h, D2], %m: [c(l), g, D2]) -> (o) {
  %near = sattn.set (t, s) : s <= t and s floordiv l >= (t - W + 1) floordiv l
  %far = sattn.set (t, c(l)) : c < (t - W + 1) floordiv l
  %z = sattn.score dot %q, %k scale(scale)
  %pw = sattn.accumulate softmax %z over %near, %v
  %ow = sattn.finalize %pw
  %lw = sattn.lse %pw
  %a = sattn.score dot %r, %m
  %prob = sattn.normalize %a over %far with %lw
  %vote = sattn.reduce max %prob over h to g
  %sel = sattn.select top(n) %vote where %far
  %w = sattn.weigh softmax %a over %sel with %lw
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %o = sattn.blend %p and %ow by %w
  sattn.yield %o
}

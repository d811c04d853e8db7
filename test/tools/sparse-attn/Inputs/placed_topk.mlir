sattn.pattern @placed_topk<static b: int = 64, static n: int = 8, static qblock: int = 1, scale: float = rsqrt(D)>
    (%doc: int[s], %q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %mq = sattn.summarize mean %q blocks(qblock)
  %mk = sattn.summarize mean %k blocks(b) ragged
  %a = sattn.score dot %mq, %mk
  %ag = sattn.reduce sum %a over h to g
  %open = sattn.set (u(qblock), c(b)) : first(c) <= last(u)
  %own = sattn.set (u(qblock), c(b)) : first(c) <= last(u) and first(u) <= last(c)
  %sel = sattn.select top(n) %ag where %open force(%own)
  %causal = sattn.set (t, s) : s <= t and %doc[t] == %doc[s]
  %keys = sattn.intersect %sel, %causal
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

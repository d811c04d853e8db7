// The `n` best single keys of each row, ranked by dot products of int8 rows: queries and keys are rounded to integers that
// share a scale with their row alone, and what is chosen is attended to as it is.
// Rows are rounded as in "LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale", Dettmers et al., 2022.
sattn.pattern @int8_topk<n: int = 1024, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %causal = sattn.set (t, s) : s <= t
  %qi = sattn.encode int8 %q
  %ki = sattn.encode int8 %k
  %a = sattn.score dot %qi, %ki
  %sel = sattn.select top(n) %a where %causal
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

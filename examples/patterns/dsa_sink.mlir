// DeepSeek sparse attention: a light indexer ranks the keys of each row with heads of its own, and `n` single tokens serve
// all query heads, beside a learned logit for each head. The keys are one latent head, whose first `dv` features are the values.
// "DeepSeek-V3.2: Pushing the Frontier of Open Large Language Models", DeepSeek-AI, 2025.
sattn.pattern @dsa_sink<n: int = 2048, static dv: int = 512, scale: float = rsqrt(D)>
    (%q: [t, h, D], %kv: [s, 1, D], %iq: [t, h2, D2], %ik: [s, 1, D2], %iw: [t, h2], %sink: [h]) -> (o) {
  %causal = sattn.set (t, s) : s <= t
  %a = sattn.score dot %iq, %ik
  %b = sattn.map %a : max(z, 0) * %iw[t, h2]
  %i = sattn.reduce sum %b over h2 to one
  %sel = sattn.select top(n) %i where %causal
  %v = sattn.prefix %kv to dv
  %z = sattn.score dot %q, %kv scale(scale)
  %o = sattn.attend %z over %sel, %v sink(%sink)
  sattn.yield %o
}

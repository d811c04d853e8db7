// A hybrid that no paper ships: the light indexer of DSA looks into the `m` best blocks alone, ranked by its own scores of
// their mean keys, the first block and the one that holds the row among them. So a row scores m * b keys, not all before
// it.
// The indexer: "DeepSeek-V3.2: Pushing the Frontier of Open Large Language Models", DeepSeek-AI, 2025.
sattn.pattern @hybrid_dsa_two_level<static b: int = 128, m: int = 64, n: int = 2048, static dv: int = 512,
                                    scale: float = rsqrt(D)>
    (%q: [t, h, D], %kv: [s, 1, D], %iq: [t, h2, D2], %ik: [s, 1, D2], %iw: [t, h2]) -> (o) {
  %means = sattn.summarize mean %ik blocks(b) ragged
  %a0 = sattn.score dot %iq, %means
  %b0 = sattn.map %a0 : max(z, 0) * %iw[t, h2]
  %i0 = sattn.reduce sum %b0 over h2 to one
  %open = sattn.set (t, c(b)) : first(c) <= t
  %coarse = sattn.select top(m) %i0 where %open force(first(1) last(1))
  %causal = sattn.set (t, s) : s <= t
  %candidates = sattn.intersect %coarse, %causal
  %a = sattn.score dot %iq, %ik
  %b1 = sattn.map %a : max(z, 0) * %iw[t, h2]
  %i = sattn.reduce sum %b1 over h2 to one
  %sel = sattn.select top(n) %i where %candidates
  %v = sattn.prefix %kv to dv
  %z = sattn.score dot %q, %kv scale(scale)
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// SnapKV: after a prompt, its last `w` rows vote for the keys before them by summed probability; votes are smoothed along
// the sequence, and `cap` keys and values stay for each kv head, the last `w` among them. A call needs the queries of the
// last `w` rows only.
// "SnapKV: LLM Knows What You are Looking for Before Generation", Li et al., 2024, arXiv:2404.14469.
sattn.pattern @snapkv<cap: int = 1024, w: int = 64, pool: int = 5, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (kk, vk) {
  %past = sattn.set (t, s) : s <= t
  %watch = sattn.set (t, s) : t >= size(s) - w and s < size(s) - w
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.normalize %z over %past
  %shared = sattn.reduce sum %p over h to g
  %votes = sattn.colsum %shared over %watch
  %soft = sattn.smooth mean %votes width(pool)
  %kept = sattn.route top(cap) %soft force(last(w))
  %kk = sattn.gather %k at %kept
  %vk = sattn.gather %v at %kept
  sattn.yield %kk, %vk
}

// Forget gates: `gate` is the sum of the log gates up to each position, so that a score loses what was forgotten since.
// The sums of a long sequence are large: their difference comes first, or it loses what they have in common.
// "Forgetting Transformer: Softmax Attention with a Forget Gate", Lin, Nikishin, He, Courville, 2025, arXiv:2503.02130.
sattn.pattern @forgetting<scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %gate: [s, h]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %y = sattn.map %z : z + (%gate[t, h] - %gate[s, h])
  %p = sattn.accumulate softmax %y over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

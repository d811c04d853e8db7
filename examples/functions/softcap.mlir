// Causal attention over scores that a function in CUDA C++ bounds to (-cap, cap). GPU targets compile softcap.cu with
// NVRTC; CPU targets and the oracle compute the formula behind `as`.
// "Gemma 2: Improving Open Language Models at a Practical Size", Gemma Team, 2024, arXiv:2408.00118.
sattn.function @softcap(x: float, cap: float) cuda file "softcap.cu" as cap * tanh(x / cap)

sattn.pattern @softcapped<cap: float = 50.0, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %y = sattn.map %z : @softcap(z, cap)
  %p = sattn.accumulate softmax %y over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

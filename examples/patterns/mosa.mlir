// Mixture of sparse attention: every head chooses its own `n` tokens by a routing score of the whole sequence, attends
// causally among them, and puts the outputs back, weighed by the score. The choice sees later tokens.
// "Mixture of Sparse Attention: Content-Based Learnable Sparse Attention via Expert-Choice Routing", Piekos, Csordas and
// Schmidhuber, 2025, arXiv:2505.00315.
sattn.pattern @mosa<n: int = 64, first: int = 0, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv], %r: [t, h]) -> (o) {
  %rows = sattn.route top(n) %r force(first(first))
  %qr = sattn.gather %q at %rows
  %kr = sattn.gather %k at %rows
  %vr = sattn.gather %v at %rows
  %rr = sattn.gather %r at %rows
  %causal = sattn.set (t, s) : s <= t
  %z = sattn.score dot %qr, %kr scale(scale)
  %oh = sattn.attend %z over %causal, %vr
  %ow = sattn.mix %rr * %oh
  %o = sattn.scatter %ow at %rows
  sattn.yield %o
}

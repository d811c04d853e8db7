// What sattn-verify-causal refuses, each with its smallest counter-example.
// RUN: sparse-attn-opt %s --split-input-file --sattn-verify-causal --verify-diagnostics

// A flipped comparison.
sattn.pattern @flipped(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : t <= s
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0220] key 1 is visible to row 0, and nothing earlier: turn the comparison round}}
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  sattn.yield %o
}

// -----
// One flipped part of a union is seen behind the other.
sattn.pattern @flipped_sinks<W: int = 8>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : 0 <= s - t < W or s < 4 and s <= t
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0220] key 1 is visible to row 0, and nothing earlier: turn the comparison round}}
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----
sattn.pattern @flipped_strided(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : t <= s and (s - t) mod 128 == 0
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0220] key 128 is visible to row 0, and nothing earlier: turn the comparison round}}
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----
sattn.pattern @flipped_documents(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %doc: int[s]) -> (o) {
  %keys = sattn.set (t, s) : t <= s and %doc[t] == %doc[s]
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0220] key 1 is visible to row 0, and nothing earlier: turn the comparison round}}
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----
// A compressed block before its last token.
sattn.pattern @open_block(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %kc = sattn.summarize mean %k blocks(32, 16)
  %vc = sattn.summarize mean %v blocks(32, 16)
  %open = sattn.set (t, c(32, 16)) : first(c) <= t
  %z = sattn.score dot %q, %kc
  // expected-error @below {{[SA0220] block 0 ends at token 31 but is visible to row 0: compare last(c), not first(c)}}
  %o = sattn.attend %z over %open, %vc
  sattn.yield %o
}

// -----
// Off by one.
sattn.pattern @almost_complete(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %kc = sattn.summarize mean %k blocks(32, 16)
  %vc = sattn.summarize mean %v blocks(32, 16)
  %open = sattn.set (t, c(32, 16)) : last(c) <= t + 1
  %z = sattn.score dot %q, %kc
  // expected-error @below {{[SA0220] block 0 ends at token 31 but is visible to row 30: compare last(c), not first(c)}}
  %o = sattn.attend %z over %open, %vc
  sattn.yield %o
}

// -----
sattn.pattern @flipped_blocks(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %kc = sattn.summarize mean %k blocks(32)
  %vc = sattn.summarize mean %v blocks(32)
  %late = sattn.set (t, c(32)) : t <= last(c)
  %z = sattn.score dot %q, %kc
  // expected-error @below {{[SA0220] block 0 ends at token 31 but is visible to row 0, and nothing earlier: turn the comparison round}}
  %o = sattn.attend %z over %late, %vc
  sattn.yield %o
}

// -----
// A selection whose open block is not cut at the row.
sattn.pattern @reaches(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(64) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(64)) : first(c) <= t
  %sel = sattn.select top(3) %a where %open force(last(1))
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0220] selection can reach key 1 from row 0: intersect it with a set where s <= t}}
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----
// moba with its causal comparison flipped.
sattn.pattern @moba_flipped(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(64) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(64)) : first(c) <= t
  %sel = sattn.select top(3) %a where %open force(last(1))
  %causal = sattn.set (t, s) : t <= s
  %keys = sattn.intersect %sel, %causal
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0220] selection can reach key 1 from row 0: intersect it with a set where s <= t}}
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----
// moba without force: the mean of the open block ranks it.
sattn.pattern @moba_unforced<static l: int = 64>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(l) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(l)) : first(c) <= t
  // expected-error @below {{[SA0220] block 0 ends at token 63 but is ranked for row 0: compare last(c), not first(c), or force the block that still grows with force(last(1))}}
  %sel = sattn.select top(3) %a where %open
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----
// topk_blocks without force.
sattn.pattern @topk_unforced<static b: int = 64, static n: int = 8, static qblock: int = 1>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %mq = sattn.summarize mean %q blocks(qblock)
  %mk = sattn.summarize mean %k blocks(b) ragged
  %a = sattn.score dot %mq, %mk
  %ag = sattn.reduce sum %a over h to g
  %open = sattn.set (u(qblock), c(b)) : first(c) <= last(u)
  // expected-error @below {{[SA0220] block 0 ends at token 63 but is ranked for row 0: compare last(c)}}
  %sel = sattn.select top(n) %ag where %open
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----
// Forcing the first block does not help the open one.
sattn.pattern @first_forced(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(64) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(64)) : first(c) <= t
  // expected-error @below {{[SA0220] block 1 ends at token 127 but is ranked for row 64: compare last(c)}}
  %sel = sattn.select top(3) %a where %open force(first(1))
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----
// How many blocks are forced is known only at the call: none is not enough.
sattn.pattern @maybe_forced<local: int>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(64) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(64)) : first(c) <= t
  // expected-error @below {{[SA0220] block 0 ends at token 63 but is ranked for row 0 with local = 0: compare last(c)}}
  %sel = sattn.select top(3) %a where %open force(last(local))
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----
// A later token competes for a place, even if it is cut afterwards.
sattn.pattern @ranked_token(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %all = sattn.set (t, s) : all
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0220] key 1 is ranked for row 0: select where s <= t}}
  %sel = sattn.select top(8) %z where %all
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----
// Probabilities over blocks that still grow.
sattn.pattern @normalised_open(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %kc = sattn.summarize mean %k blocks(32, 16)
  %open = sattn.set (t, c(32, 16)) : first(c) <= t
  %zc = sattn.score dot %q, %kc
  // expected-error @below {{[SA0220] block 0 ends at token 31 but enters the denominator of row 0: compare last(c), not first(c)}}
  %p = sattn.normalize %zc over %open
  %imp = sattn.rebin sum %p to blocks(64)
  %cand = sattn.set (t, c(64)) : first(c) <= t
  %sel = sattn.select top(4) %imp where %cand
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----
// Landmarks of open chunks weigh.
sattn.pattern @weighed_open(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %m: [c(64), g, D]) -> (o) {
  %open = sattn.set (t, c(64)) : first(c) <= t
  %a = sattn.score dot %q, %m
  %sel = sattn.select top(8) %a where %open force(last(1))
  // expected-error @below {{[SA0220] block 0 ends at token 63 but enters the weights of row 0: compare last(c), not first(c)}}
  %w = sattn.weigh softmax %a over %sel
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %z = sattn.score dot %q, %k
  %p = sattn.accumulate softmax %z over %keys, %v per block
  %o = sattn.blend %p by %w
  sattn.yield %o
}

// -----
// Binned without normalisation, a column holds what reaches beyond its end: block 0 of 64 meets tokens 48 to 79.
sattn.pattern @binned_raw(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %kc = sattn.summarize mean %k blocks(32, 16)
  %zc = sattn.score dot %q, %kc
  %imp = sattn.rebin sum %zc to blocks(64)
  %past = sattn.set (t, c(64)) : last(c) <= t
  // expected-error @below {{[SA0220] block 0 ends at token 79 but is ranked for row 63: compare last(c)}}
  %sel = sattn.select top(4) %imp where %past
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

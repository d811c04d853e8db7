// What the language has of kept keys and the compiler does not lower yet.
// RUN: sparse-attn-opt %s --split-input-file --verify-diagnostics --pass-pipeline="builtin.module(sattn.pattern(sattn-specialize{bind=dtype=f32,D=8},sattn-normalize-sets,sattn-choose-dataflow{target=keyLayout=rows:4,valueLayout=cols:4}),sattn-to-tile{target=keyLayout=rows:4,valueLayout=cols:4})"

sattn.pattern @back(%k: [s, h, D], %r: [s, h]) -> (y, kk) {
  %kept = sattn.route top(4) %r
  // expected-error @below {{[SA0201] 'sattn.gather' of keys that are attended to, or put back, is not compiled yet: run the pattern with the reference (--oracle)}}
  %kk = sattn.gather %k at %kept
  %y = sattn.scatter %kk at %kept
  sattn.yield %y, %kk
}

// -----

sattn.pattern @rows(%k: [s, h, D], %x: [t, h, D], %r: [s, h], %rr: [t, h]) -> (kk, y) {
  %kept = sattn.route top(4) %r
  %kk = sattn.gather %k at %kept
  // expected-error @below {{[SA0201] 'sattn.route' of rows beside kept keys is not compiled yet: run the pattern with the reference (--oracle)}}
  %rows = sattn.route top(4) %rr
  %xr = sattn.gather %x at %rows
  %y = sattn.scatter %xr at %rows
  sattn.yield %kk, %y
}

// -----

sattn.pattern @summaries(%k: [s, h, D], %r: [s, h]) -> (kk) {
  %kept = sattn.route top(4) %r
  %p = sattn.prefix %k to 4
  // expected-error @below {{[SA0201] 'sattn.gather' of anything but roles, and numbers of keys, is not compiled yet: run the pattern with the reference (--oracle)}}
  %kk = sattn.gather %p at %kept
  sattn.yield %kk
}

// -----

sattn.pattern @ints(%k: [s, h, D], %r: int[s, h]) -> (kk) {
  // expected-error @below {{[SA0201] an int role as an operand of 'sattn.route' is not compiled yet: run the pattern with the reference (--oracle)}}
  %kept = sattn.route top(4) %r
  %kk = sattn.gather %k at %kept
  sattn.yield %kk
}

// -----

sattn.pattern @indexed(%k: [s, h, D], %r: [s, h], %x: [s, h]) -> (y, kk) {
  // expected-error @below {{[SA0201] an index, a head or a position in 'sattn.mix' of keys is not compiled yet: run the pattern with the reference (--oracle)}}
  %y = sattn.mix %r * %x[s, h]
  %kept = sattn.route top(2) %y
  %kk = sattn.gather %k at %kept
  sattn.yield %y, %kk
}

// -----

sattn.pattern @features(%k: [s, h, D]) -> (y) {
  // expected-error @below {{[SA0201] 'sattn.mix' of keys with features is not compiled yet: run the pattern with the reference (--oracle)}}
  %y = sattn.mix 2 * %k
  sattn.yield %y
}

// -----

sattn.pattern @role(%k: [s, h, D], %r: [s, h]) -> (kk, r) {
  %kept = sattn.route top(4) %r
  %kk = sattn.gather %k at %kept
  // expected-error @below {{[SA0201] a role as a result is not compiled yet: run the pattern with the reference (--oracle)}}
  sattn.yield %kk, %r
}

// -----

sattn.pattern @rebinned(%q: [t, h, D], %k: [s, h, D]) -> (votes) {
  %kc = sattn.summarize mean %k blocks(8)
  %past = sattn.set (t, c(8)) : last(c) <= t
  %z = sattn.score dot %q, %kc
  %p = sattn.normalize %z over %past
  %pb = sattn.rebin sum %p to blocks(16)
  %all = sattn.set (t, c(16)) : first(c) <= t
  // expected-error @below {{[SA0201] 'sattn.colsum' of anything but probabilities, or sums of them over heads, is not compiled yet: run the pattern with the reference (--oracle)}}
  %votes = sattn.colsum %pb over %all
  sattn.yield %votes
}

// What the language has of votes and the compiler does not lower yet.
// RUN: sparse-attn-opt %s --split-input-file --verify-diagnostics --pass-pipeline="builtin.module(sattn.pattern(sattn-specialize{bind=dtype=f32,D=8,group=2},sattn-normalize-sets,sattn-choose-dataflow{target=keyLayout=rows:4,valueLayout=cols:4}),sattn-to-tile{target=keyLayout=rows:4,valueLayout=cols:4})"

sattn.pattern @most(%q: [t, h, D], %k: [s, g, D]) -> (votes) {
  %past = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  %p = sattn.normalize %z over %past
  // expected-error @below {{[SA0201] 'sattn.reduce max' of probabilities is not compiled yet: run the pattern with the reference (--oracle)}}
  %g = sattn.reduce max %p over h to g
  %votes = sattn.colsum %g over %past
  sattn.yield %votes
}

// -----

sattn.pattern @one(%q: [t, h, D], %k: [s, g, D]) -> (votes) {
  %past = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  %p = sattn.normalize %z over %past
  // expected-error @below {{[SA0201] 'sattn.reduce' to one before 'sattn.colsum' is not compiled yet: run the pattern with the reference (--oracle)}}
  %g = sattn.reduce sum %p over h to one
  %votes = sattn.colsum %g over %past
  sattn.yield %votes
}

// -----

sattn.pattern @twice(%q: [t, h, D], %k: [s, g, D]) -> (votes) {
  %past = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  %r = sattn.reduce sum %z over h to g
  %p = sattn.normalize %r over %past
  // expected-error @below {{[SA0201] 'sattn.colsum' of a score made by 'sattn.reduce' is not compiled yet: run the pattern with the reference (--oracle)}}
  %votes = sattn.colsum %p over %past
  sattn.yield %votes
}

// -----

sattn.pattern @given(%q: [t, h, D], %k: [s, g, D], %lse: [t, h]) -> (votes) {
  %past = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0201] 'sattn.normalize' with a given lse before 'sattn.colsum' is not compiled yet: run the pattern with the reference (--oracle)}}
  %p = sattn.normalize %z over %past with %lse
  %votes = sattn.colsum %p over %past
  sattn.yield %votes
}

// -----

sattn.pattern @places(%q: [t, h, D], %k: [s, g, D]) -> (votes) {
  %past = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0201] 'sattn.map' with positions, heads or tables before 'sattn.colsum' is not compiled yet: run the pattern with the reference (--oracle)}}
  %y = sattn.map %z : z + t - s
  %p = sattn.normalize %y over %past
  %votes = sattn.colsum %p over %past
  sattn.yield %votes
}

// -----

sattn.pattern @tables(%q: [t, h, D], %k: [s, g, D], %doc: int[s]) -> (votes) {
  %past = sattn.set (t, s) : s <= t and %doc[t] == %doc[s]
  %z = sattn.score dot %q, %k
  %p = sattn.normalize %z over %past
  // expected-error @below {{[SA0201] 'sattn.colsum' over anything but formulas over rows and keys is not compiled yet: run the pattern with the reference (--oracle)}}
  %votes = sattn.colsum %p over %past
  sattn.yield %votes
}

// -----

sattn.pattern @heads(%q: [t, h, D], %k: [s, g, D]) -> (votes) {
  %past = sattn.set (t, s) : s <= t
  %some = sattn.set (t, s) : s <= t and (s + h) mod 2 == 0
  %z = sattn.score dot %q, %k
  %p = sattn.normalize %z over %some
  %g = sattn.reduce sum %p over h to g
  // expected-error @below {{[SA0201] a set that differs between the heads of a group is not compiled yet: run the pattern with the reference (--oracle)}}
  %votes = sattn.colsum %g over %past
  sattn.yield %votes
}

// -----

sattn.pattern @own_keys(%q: [t, h, D], %k: [s, h, D], %v: [s, g, D]) -> (votes, o) {
  %past = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  %p = sattn.normalize %z over %past
  // expected-error @below {{[SA0201] 'sattn.reduce' over heads of different keys is not compiled yet: run the pattern with the reference (--oracle)}}
  %g = sattn.reduce sum %p over h to g
  %votes = sattn.colsum %g over %past
  %o = sattn.attend %z over %past, %v
  sattn.yield %votes, %o
}

// -----

sattn.pattern @beside(%q: [t, h, D], %k: [s, g, D], %v: [s, g, D], %r: [s, g]) -> (o, kk) {
  %past = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0201] 'sattn.select' beside kept keys is not compiled yet: run the pattern with the reference (--oracle)}}
  %best = sattn.select top(4) %z where %past
  %o = sattn.attend %z over %best, %v
  %kept = sattn.route top(4) %r
  %kk = sattn.gather %k at %kept
  sattn.yield %o, %kk
}


// What the language has of selections of single tokens and the compiler does not lower yet.
// RUN: sparse-attn-opt %s --split-input-file --verify-diagnostics --pass-pipeline="builtin.module(sattn.pattern(sattn-specialize{bind=dtype=f32,D=8,D2=8,Dv=8,group=2,group.h2=2},sattn-normalize-sets,sattn-choose-dataflow{target=keyLayout=rows:4,valueLayout=cols:4}),sattn-to-tile{target=keyLayout=rows:4,valueLayout=cols:4})"

sattn.pattern @blocks_of_rows(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %iq: [t, h2, D2], %ik: [s, 1, D2]) -> (o) {
  %u = sattn.summarize mean %iq blocks(16)
  %a = sattn.score dot %u, %ik
  %i = sattn.reduce sum %a over h2 to one
  %past = sattn.set (u(16), s) : s <= first(u)
  // expected-error @below {{[SA0201] 'sattn.select' of single tokens for blocks of rows is not compiled yet: run the pattern with the reference (--oracle)}}
  %keys = sattn.select top(2) %i where %past
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @mass(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %iq: [t, h2, D2], %ik: [s, 1, D2]) -> (o) {
  %past = sattn.set (t, s) : s <= t
  %a = sattn.score dot %iq, %ik
  %p = sattn.normalize %a over %past
  %i = sattn.reduce mean %p over h2 to one
  // expected-error @below {{[SA0201] 'sattn.select mass' of single tokens is not compiled yet: run the pattern with the reference (--oracle)}}
  %keys = sattn.select top(8) mass(0.9) %i where %past
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @two_maps(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %iq: [t, h2, D2], %ik: [s, 1, D2]) -> (o) {
  %past = sattn.set (t, s) : s <= t
  %a = sattn.score dot %iq, %ik
  %x = sattn.map %a : relu(z)
  // expected-error @below {{[SA0201] 'sattn.map' of another one before 'sattn.reduce' to one is not compiled yet: run the pattern with the reference (--oracle)}}
  %y = sattn.map %x : tanh(z)
  %b = sattn.reduce sum %y over h2 to one
  %keys = sattn.select top(2) %b where %past
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @positions(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %iq: [t, h2, D2], %ik: [s, 1, D2]) -> (o) {
  %past = sattn.set (t, s) : s <= t
  %a = sattn.score dot %iq, %ik
  // expected-error @below {{[SA0201] 't' before 'sattn.reduce' to one is not compiled yet: run the pattern with the reference (--oracle)}}
  %y = sattn.map %a : z + t - s
  %b = sattn.reduce sum %y over h2 to one
  %keys = sattn.select top(2) %b where %past
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @blocks_beside(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %iq: [t, h2, D2], %ik: [s, 1, D2]) -> (o) {
  %past = sattn.set (t, s) : s <= t
  %a = sattn.score dot %iq, %ik
  %b = sattn.reduce sum %a over h2 to one
  %keys = sattn.select top(2) %b where %past
  %m = sattn.summarize mean %k blocks(16)
  %c = sattn.score dot %q, %m
  %open = sattn.set (t, c(16)) : last(c) <= t
  // expected-error @below {{[SA0201] a selection of blocks beside one of single tokens is not compiled yet: run the pattern with the reference (--oracle)}}
  %some = sattn.select top(2) %c where %open
  %z = sattn.score dot %q, %k
  %o1 = sattn.attend %z over %keys, %v
  %o2 = sattn.attend %z over %some, %v
  %o = sattn.mix %o1 + %o2
  sattn.yield %o
}

// -----

sattn.pattern @tables(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %iq: [t, h2, D2], %ik: [s, 1, D2], %doc: int[s]) -> (o) {
  %past = sattn.set (t, s) : s <= t
  %own = sattn.set (t, s) : s <= t and %doc[t] == %doc[s]
  %a = sattn.score dot %iq, %ik
  %b = sattn.reduce sum %a over h2 to one
  %keys = sattn.select top(2) %b where %past
  %z = sattn.score dot %q, %k
  %o1 = sattn.attend %z over %keys, %v
  // expected-error @below {{[SA0201] a set of tables beside a selection of single tokens is not compiled yet: run the pattern with the reference (--oracle)}}
  %o2 = sattn.attend %z over %own, %v
  %o = sattn.mix %o1 + %o2
  sattn.yield %o
}

// -----

sattn.pattern @places(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %iq: [t, h2, D2], %ik: [s, 1, D2]) -> (o) {
  %past = sattn.set (t, s) : s <= t
  %a = sattn.score dot %iq, %ik
  %b = sattn.reduce sum %a over h2 to one
  %keys = sattn.select top(2) %b where %past
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0201] 'sattn.map' with positions, heads or tables beside a selection of single tokens is not compiled yet: run the pattern with the reference (--oracle)}}
  %y = sattn.map %z : z - 0.5 * (t - s)
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @other_heads(%q: [t, h2, D], %k: [s, g, D], %v: [s, g, Dv], %iq: [t, h, D2], %ik: [s, 1, D2]) -> (o) {
  %past = sattn.set (t, s) : s <= t
  %a = sattn.score dot %iq, %ik
  %b = sattn.reduce sum %a over h to one
  %keys = sattn.select top(2) %b where %past
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0201] queries without heads of their own beside a selection of single tokens is not compiled yet: run the pattern with the reference (--oracle)}}
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @gate(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %iq: [t, h2, D2], %ik: [s, 1, D2], %w: [t, 3]) -> (o) {
  %past = sattn.set (t, s) : s <= t
  %a = sattn.score dot %iq, %ik
  %b = sattn.reduce sum %a over h2 to one
  %keys = sattn.select top(2) %b where %past
  %z = sattn.score dot %q, %k
  %x = sattn.attend %z over %keys, %v
  // expected-error @below {{[SA0201] a role without query heads beside a selection of single tokens is not compiled yet: run the pattern with the reference (--oracle)}}
  %o = sattn.mix %w[t, 1] * %x
  sattn.yield %o
}

// -----

sattn.pattern @residual(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %iq: [t, h2, D2], %ik: [s, 1, D2]) -> (o) {
  %past = sattn.set (t, s) : s <= t
  %near = sattn.set (u(16), s) : first(u) - s < 50
  %a = sattn.score dot %iq, %ik
  %b = sattn.reduce sum %a over h2 to one
  %best = sattn.select top(2) %b where %past
  // expected-error @below {{[SA0201] a formula over blocks beside a selection of single tokens is not compiled yet: run the pattern with the reference (--oracle)}}
  %keys = sattn.intersect %best, %near
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @summed_distance(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %iq: [t, h2, D2], %ik: [s, 1, D2]) -> (o) {
  %past = sattn.set (t, s) : s <= t
  %qb = sattn.encode buckets %iq at(0.0)
  %kb = sattn.encode buckets %ik at(0.0)
  // expected-error @below {{[SA0201] 'sattn.score l1' before 'sattn.reduce' to one is not compiled yet: run the pattern with the reference (--oracle)}}
  %a = sattn.score l1 %qb, %kb scale(-1)
  %b = sattn.reduce sum %a over h2 to one
  %keys = sattn.select top(2) %b where %past
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @prefix(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %iq: [t, h2, D2], %ik: [s, g, D2]) -> (o) {
  %past = sattn.set (t, s) : s <= t
  // expected-error @below {{[SA0201] 'sattn.prefix' as an operand of 'sattn.encode' is not compiled yet: run the pattern with the reference (--oracle)}}
  %qp = sattn.prefix %iq to 4
  %kp = sattn.prefix %ik to 4
  %qb = sattn.encode buckets %qp at(0.0)
  %kb = sattn.encode buckets %kp at(0.0)
  %a = sattn.score l1 %qb, %kb scale(-1)
  %b = sattn.reduce sum %a over h2 to g
  %keys = sattn.select top(2) %b where %past
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @summed_integers(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %iq: [t, h2, D2], %ik: [s, 1, D2]) -> (o) {
  %past = sattn.set (t, s) : s <= t
  %qi = sattn.encode int8 %iq
  %ki = sattn.encode int8 %ik
  // expected-error @below {{[SA0201] 'sattn.score dot' of codes before 'sattn.reduce' to one is not compiled yet: run the pattern with the reference (--oracle)}}
  %a = sattn.score dot %qi, %ki
  %b = sattn.reduce sum %a over h2 to one
  %keys = sattn.select top(2) %b where %past
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @one_code(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %iq: [t, h2, D2], %ik: [s, g, D2]) -> (o) {
  %past = sattn.set (t, s) : s <= t
  %ki = sattn.encode int8 %ik
  // expected-error @below {{[SA0201] 'sattn.score dot' of a code and what is none is not compiled yet: run the pattern with the reference (--oracle)}}
  %a = sattn.score dot %iq, %ki
  %b = sattn.reduce sum %a over h2 to g
  %keys = sattn.select top(2) %b where %past
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @turned(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %iq: [t, h2, D2], %ik: [s, g, D2]) -> (o) {
  %past = sattn.set (t, s) : s <= t
  // expected-error @below {{[SA0201] 'sattn.encode' as an operand of 'sattn.encode' is not compiled yet: run the pattern with the reference (--oracle)}}
  %qh = sattn.encode hadamard %iq
  %kh = sattn.encode hadamard %ik
  %qi = sattn.encode int8 %qh
  %ki = sattn.encode int8 %kh
  %a = sattn.score dot %qi, %ki
  %b = sattn.reduce sum %a over h2 to g
  %keys = sattn.select top(2) %b where %past
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @whole_blocks(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %iq: [t, h2, D2], %ik: [s, 1, D2]) -> (o) {
  %means = sattn.summarize mean %ik blocks(16) ragged
  %a0 = sattn.score dot %iq, %means
  %i0 = sattn.reduce sum %a0 over h2 to one
  %open = sattn.set (t, c(16)) : first(c) <= t
  %coarse = sattn.select top(2) %i0 where %open
  %a = sattn.score dot %iq, %ik
  %i = sattn.reduce sum %a over h2 to one
  // expected-error @below {{[SA0201] 'sattn.select' from another selection without a formula beside it is not compiled yet: run the pattern with the reference (--oracle)}}
  %sel = sattn.select top(8) %i where %coarse
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

sattn.pattern @tokens_of_each_head(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %iq: [t, h2, D2], %ik: [s, 1, D2]) -> (o) {
  %means = sattn.summarize mean %ik blocks(16) ragged
  %a0 = sattn.score dot %iq, %means
  %i0 = sattn.reduce sum %a0 over h2 to one
  %open = sattn.set (t, c(16)) : first(c) <= t
  %coarse = sattn.select top(2) %i0 where %open
  %causal = sattn.set (t, s) : s <= t
  %some = sattn.intersect %coarse, %causal
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0201] 'sattn.select' from another selection is not compiled yet: run the pattern with the reference (--oracle)}}
  %sel = sattn.select top(8) %z where %some
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

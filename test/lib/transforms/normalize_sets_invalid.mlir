// RUN: sparse-attn-opt %s --split-input-file --verify-diagnostics --sattn-specialize=bind=dtype=f32,D=8,Dv=8,group=2 --sattn-normalize-sets

sattn.pattern @two_selections(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %a2 = sattn.score dot %q, %m scale(-1.0)
  %open = sattn.set (t, c(8)) : first(c) <= t
  %sel = sattn.select top(2) %a where %open
  %sel2 = sattn.select top(2) %a2 where %open
  // expected-error @below {{[SA0208] keys in both of two selections are not compiled yet: intersect the sets before selecting, or run the pattern with the reference (--oracle)}}
  %keys = sattn.intersect %sel, %sel2
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @union_of_selections(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %a2 = sattn.score dot %q, %m scale(-1.0)
  %open = sattn.set (t, c(8)) : first(c) <= t
  %sel = sattn.select top(2) %a where %open
  %sel2 = sattn.select top(2) %a2 where %open
  %keys = sattn.union %sel, %sel2
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0208] the union of two selections is not compiled yet, because a key of both would count twice: run the pattern with the reference (--oracle)}}
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @minus_selection(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : first(c) <= t
  %sel = sattn.select top(2) %a where %open
  %causal = sattn.set (t, s) : s <= t
  // expected-error @below {{[SA0208] a set minus a selection is not compiled yet: subtract from the selection instead, or run the pattern with the reference (--oracle)}}
  %keys = sattn.minus %causal, %sel
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @select_from_union(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : first(c) <= t
  %sel = sattn.select top(2) %a where %open
  %near = sattn.set (t, s) : 0 <= t - s < 4
  %keys = sattn.union %near, %sel
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0208] the union of a formula and a selection can be attended to, but not used here: give each part an op of its own}}
  %best = sattn.select top(2) %z where %keys
  %o = sattn.attend %z over %best, %v
  sattn.yield %o
}

// -----

sattn.pattern @linear_union(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : first(c) <= t
  %sel = sattn.select top(2) %a where %open
  %near = sattn.set (t, s) : 0 <= t - s < 4
  %keys = sattn.union %near, %sel
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0208] the union of a formula and a selection has no blocks: accumulate its parts}}
  %p = sattn.accumulate linear %z over %keys, %v
  %o = sattn.finalize %p
  sattn.yield %o
}

// -----

sattn.pattern @too_many(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %a = sattn.set (t, s) : s == 0 or s == 2 or s == 4 or s == 6 or s == 8 or s == 10 or s == 12 or s == 14 or s == 16
  %b = sattn.set (t, s) : t == 0 or t == 2 or t == 4 or t == 6 or t == 8 or t == 10 or t == 12 or t == 14 or t == 16
  // expected-error @below {{[SA0208] sets cannot be joined: set has more than 64 disjuncts}}
  %keys = sattn.intersect %a, %b
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

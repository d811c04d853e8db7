// What the language has and the compiler does not lower yet: named, at the op, with what to do.
// The passes stand without the proofs, which would refuse some of these texts for another reason first.
// RUN: sparse-attn-opt %s --split-input-file --verify-diagnostics --pass-pipeline="builtin.module(sattn.pattern(sattn-specialize{bind=dtype=f32,D=8,Dv=8,group=2},sattn-normalize-sets,sattn-choose-dataflow{target=keyLayout=rows:4,valueLayout=cols:4}),sattn-to-tile{target=keyLayout=rows:4,valueLayout=cols:4})"

sattn.pattern @linear(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0201] 'sattn.accumulate linear' is not compiled yet: run the pattern with the reference (--oracle)}}
  %p = sattn.accumulate linear %z over %keys, %v
  %o = sattn.finalize %p
  sattn.yield %o
}

// -----

sattn.pattern @set_shifted(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %doc: int[s]) -> (o) {
  // expected-error @below {{[SA0201] 'table(0)[t - 1]' in 'sattn.set' is not compiled yet: run the pattern with the reference (--oracle)}}
  %keys = sattn.set (t, s) : s <= t and %doc[t - 1] == %doc[s]
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @set_selected(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %row: int[t], %kind: int[c(8)]) -> (o) {
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : last(c) <= t
  %sel = sattn.select top(2) %a where %open
  %same = sattn.set (t, c(8)) : last(c) <= t and %row[t] == %kind[c]
  // expected-error @below {{[SA0201] 'sattn.set' of blocks that reads tables beside a selection is not compiled yet: run the pattern with the reference (--oracle)}}
  %keys = sattn.intersect %sel, %same
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @set_where(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %full: int[c(8)]) -> (o) {
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  // expected-error @below {{[SA0201] 'sattn.set' that reads tables in 'sattn.select' is not compiled yet: run the pattern with the reference (--oracle)}}
  %open = sattn.set (t, c(8)) : last(c) <= t and %full[c] == 1
  %keys = sattn.select top(2) %a where %open
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @listed(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %idx: int[t, g, 4]) -> (o) {
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  // expected-error @below {{[SA0201] 'sattn.listed' that reads tables or lists is not compiled yet: run the pattern with the reference (--oracle)}}
  %list = sattn.listed %idx blocks(8)
  %past = sattn.set (t, c(8)) : last(c) <= t
  %where = sattn.intersect %list, %past
  %keys = sattn.select top(2) %a where %where
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @random_count<r: int = 3>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error @below {{[SA0201] 'count(r)' of a dynamic param is not compiled yet: run the pattern with the reference (--oracle)}}
  %keys = sattn.random count(r) seed(1) blocks(64)
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @random_seed<seed: int = 3>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error @below {{[SA0201] 'seed(seed + 1)', a sum of params, is not compiled yet: run the pattern with the reference (--oracle)}}
  %keys = sattn.random count(3) seed(seed + 1) blocks(64)
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @random_tables(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %doc: int[s]) -> (o) {
  %some = sattn.random count(3) seed(1) blocks(64)
  %same = sattn.set (t, s) : %doc[t] == %doc[s]
  // expected-error @below {{[SA0201] 'sattn.set' of blocks or tables beside 'sattn.random' is not compiled yet: run the pattern with the reference (--oracle)}}
  %keys = sattn.intersect %some, %same
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @random_many(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error @below {{[SA0207] set cannot be compiled: set has more than 64 disjuncts}}
  %keys = sattn.random count(20) seed(1) blocks(8)
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @map_shifted(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %gate: [s, h]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0201] 'table(0)[s - 1, h]' in 'sattn.map' is not compiled yet: run the pattern with the reference (--oracle)}}
  %y = sattn.map %z : z - %gate[s - 1, h]
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @map_pairs(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %bias: [t, s]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0201] 'table(0)[t, s]' in 'sattn.map' is not compiled yet: run the pattern with the reference (--oracle)}}
  %y = sattn.map %z : z + %bias[t, s]
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @distances_selected(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %slash: int[s]) -> (o) {
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : last(c) <= t
  %sel = sattn.select top(2) %a where %open
  %near = sattn.set (t, s) : s <= t and %slash[t - s] == 1
  // expected-error @below {{[SA0201] 'sattn.set' with tables by distance beside a selection is not compiled yet: run the pattern with the reference (--oracle)}}
  %keys = sattn.intersect %sel, %near
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @bound(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %mm = sattn.summarize minmax %k blocks(8)
  %mv = sattn.summarize mean %v blocks(8)
  // expected-error @below {{[SA0201] 'sattn.score bound' in 'sattn.accumulate' is not compiled yet: run the pattern with the reference (--oracle)}}
  %a = sattn.score bound %q, %mm
  %past = sattn.set (t, c(8)) : last(c) <= t
  %o = sattn.attend %a over %past, %mv
  sattn.yield %o
}

// -----

sattn.pattern @weighted(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %w: [8]) -> (o) {
  // expected-error @below {{[SA0201] 'sattn.summarize weighted' is not compiled yet: run the pattern with the reference (--oracle)}}
  %m = sattn.summarize weighted %k by %w blocks(8)
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : last(c) <= t
  %keys = sattn.select top(2) %a where %open
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @prefix(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, o2) {
  %keys = sattn.set (t, s) : s <= t
  // expected-error @below {{[SA0201] 'sattn.prefix' as an operand of 'sattn.accumulate' is not compiled yet: run the pattern with the reference (--oracle)}}
  %u = sattn.prefix %v to 4
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %u
  %o2 = sattn.attend %z over %keys, %v
  sattn.yield %o, %o2
}

// -----

sattn.pattern @reduced(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %r: [t, h, D]) -> (o, o2) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %r, %k
  %y = sattn.reduce sum %z over h to g
  // expected-error @below {{[SA0201] 'sattn.accumulate' of a score made by 'sattn.reduce' is not compiled yet: run the pattern with the reference (--oracle)}}
  %o = sattn.attend %y over %keys, %v
  %z2 = sattn.score dot %q, %k
  %o2 = sattn.attend %z2 over %keys, %v
  sattn.yield %o, %o2
}

// -----

sattn.pattern @above(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : first(c) <= t
  // expected-error @below {{[SA0201] 'sattn.select above' without 'top' is not compiled yet: run the pattern with the reference (--oracle)}}
  %keys = sattn.select above(0.5) %a where %open
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @mass(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : first(c) <= t
  %p = sattn.normalize %a over %open
  // expected-error @below {{[SA0201] 'sattn.select mass' without 'top' is not compiled yet: run the pattern with the reference (--oracle)}}
  %keys = sattn.select mass(0.5) %p where %open
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @above_forced(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : last(c) <= t
  %first = sattn.set (t, c(8)) : last(c) <= t and c < 3
  // expected-error @below {{[SA0201] 'sattn.select above' that forces a set is not compiled yet: run the pattern with the reference (--oracle)}}
  %keys = sattn.select top(4) above(0.5) %a where %open force(%first)
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @above_weighed(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : last(c) < t
  %keys = sattn.select top(4) above(0.5) %a where %open
  // expected-error @below {{[SA0201] 'sattn.weigh' of a selection above a threshold is not compiled yet: run the pattern with the reference (--oracle)}}
  %w = sattn.weigh softmax %a over %keys
  %z = sattn.score dot %q, %k
  %p = sattn.accumulate softmax %z over %keys, %v per block
  %o = sattn.blend %p by %w
  sattn.yield %o
}

// -----

sattn.pattern @two_axes(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %idx: int[t, g, 4, 2]) -> (o) {
  // expected-error @below {{[SA0201] 'sattn.listed' of entries along two axes is not compiled yet: run the pattern with the reference (--oracle)}}
  %list = sattn.listed %idx blocks(8)
  %past = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %list, %past
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @compressed_rows(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %ptr: int[t, h], %idx: int[h, 32]) -> (o) {
  // expected-error @below {{[SA0201] 'sattn.listed rows' of single rows is not compiled yet: run the pattern with the reference (--oracle)}}
  %list = sattn.listed %idx rows(%ptr) blocks(8)
  %past = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %list, %past
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @starts_of_others(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %ptr: int[u(16), g], %idx: int[h, 32]) -> (o) {
  // expected-error @below {{[SA0201] 'sattn.listed rows' with starts of other heads is not compiled yet: run the pattern with the reference (--oracle)}}
  %list = sattn.listed %idx rows(%ptr) blocks(16)
  %past = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %list, %past
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @dynamic_top<n: int = 4>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : first(c) <= t
  // expected-error @below {{[SA0201] 'top(n)' of a dynamic param is not compiled yet: run the pattern with the reference (--oracle)}}
  %keys = sattn.select top(n) %a where %open
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @rebin_raw(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, o2) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : first(c) <= t
  // expected-error @below {{[SA0201] 'sattn.rebin' of scores that are no probabilities is not compiled yet: run the pattern with the reference (--oracle)}}
  %b = sattn.rebin sum %a to blocks(16)
  %wide = sattn.set (t, c(16)) : first(c) <= t
  %keys = sattn.select top(2) %b where %wide
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  %o2 = sattn.attend %a over %open, %m
  sattn.yield %o, %o2
}

// -----

sattn.pattern @rebin_max(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : first(c) <= t
  %p = sattn.normalize %a over %open
  // expected-error @below {{[SA0201] 'sattn.rebin max' is not compiled yet: run the pattern with the reference (--oracle)}}
  %b = sattn.rebin max %p to blocks(16)
  %wide = sattn.set (t, c(16)) : first(c) <= t
  %keys = sattn.select top(2) %b where %wide
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @rebin_stride(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8, 3)
  %a = sattn.score dot %q, %m
  %past = sattn.set (t, c(8, 3)) : last(c) <= t
  %p = sattn.normalize %a over %past
  // expected-error @below {{[SA0207] blocks(8, 3) cannot be pooled to blocks(12): the stride must divide both lengths}}
  %b = sattn.rebin sum %p to blocks(12)
  %wide = sattn.set (t, c(12)) : first(c) <= t
  %keys = sattn.select top(2) %b where %wide
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @rebin_tile(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  %past = sattn.set (t, c(8)) : last(c) <= t
  %p = sattn.normalize %a over %past
  // expected-error @below {{[SA0201] 'sattn.rebin' of 3 strides to a block, which do not divide a tile of 64 is not compiled yet: run the pattern with the reference (--oracle)}}
  %b = sattn.rebin sum %p to blocks(24)
  %wide = sattn.set (t, c(24)) : first(c) <= t
  %keys = sattn.select top(2) %b where %wide
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @two_blends(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, o2) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : first(c) <= t
  %sel = sattn.select top(2) %a where %open
  %w = sattn.weigh softmax %a over %sel
  %w2 = sattn.weigh stickbreak %a over %sel
  %z = sattn.score dot %q, %k
  %p = sattn.accumulate softmax %z over %sel, %v per block
  // expected-error @below {{[SA0201] this use of partial results for each block is not compiled yet: run the pattern with the reference (--oracle)}}
  %o = sattn.blend %p by %w
  %o2 = sattn.blend %p by %w2
  sattn.yield %o, %o2
}

// -----

sattn.pattern @tokens(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %past = sattn.set (t, s) : s <= t
  %a = sattn.score dot %q, %k
  // expected-error @below {{[SA0201] 'sattn.reduce max' to one is not compiled yet: run the pattern with the reference (--oracle)}}
  %most = sattn.reduce max %a over h to one
  %keys = sattn.select top(2) %most where %past
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @to_one(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : first(c) <= t
  // expected-error @below {{[SA0201] 'sattn.reduce' to one is not compiled yet: run the pattern with the reference (--oracle)}}
  %one = sattn.reduce sum %a over h to one
  %keys = sattn.select top(2) %one where %open
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @keys_of_heads(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %kh: [s, h, D]) -> (o) {
  %m = sattn.summarize mean %kh blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : first(c) <= t
  // expected-error @below {{[SA0201] 'sattn.reduce' over heads of different keys is not compiled yet: run the pattern with the reference (--oracle)}}
  %ag = sattn.reduce sum %a over h to g
  %keys = sattn.select top(2) %ag where %open
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @select_from_selection(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : first(c) <= t
  %sel = sattn.select top(4) %a where %open
  %a2 = sattn.score dot %q, %m scale(-1.0)
  // expected-error @below {{[SA0201] 'sattn.select' from another selection is not compiled yet: run the pattern with the reference (--oracle)}}
  %keys = sattn.select top(2) %a2 where %sel
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @normalize_selection(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : first(c) <= t
  %sel = sattn.select top(4) %a where %open
  // expected-error @below {{[SA0201] 'sattn.normalize' over a selection is not compiled yet: run the pattern with the reference (--oracle)}}
  %p = sattn.normalize %a over %sel
  %keys = sattn.select top(2) %p where %open
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @group_of_sets(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : first(c) <= t
  %some = sattn.set (t, c(8)) : first(c) <= t and c mod 2 == h mod 2
  %p = sattn.normalize %a over %some
  %ag = sattn.reduce sum %p over h to g
  // expected-error @below {{[SA0201] a set that differs between the heads of a group is not compiled yet: run the pattern with the reference (--oracle)}}
  %keys = sattn.select top(2) %ag where %open
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @force_selection(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : first(c) <= t
  %sel = sattn.select top(1) %a where %open
  %a2 = sattn.score dot %q, %m scale(-1.0)
  // expected-error @below {{[SA0201] 'force' of a selection is not compiled yet: run the pattern with the reference (--oracle)}}
  %keys = sattn.select top(2) %a2 where %open force(%sel)
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @rows_and_lists(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, o2) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : first(c) <= t
  %sel = sattn.select top(2) %a where %open
  %mq = sattn.summarize mean %q blocks(16)
  %a2 = sattn.score dot %mq, %m
  %open2 = sattn.set (u(16), c(8)) : first(c) <= first(u)
  %sel2 = sattn.select top(2) %a2 where %open2
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %sel, %v
  // expected-error @below {{[SA0201] attention to lists of single rows beside lists of blocks of rows is not compiled yet: run the pattern with the reference (--oracle)}}
  %o2 = sattn.attend %z over %sel2, %v
  sattn.yield %o, %o2
}

// -----

sattn.pattern @small_row_blocks(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %mq = sattn.summarize mean %q blocks(8)
  %a = sattn.score dot %mq, %m
  %open = sattn.set (u(8), c(8)) : first(c) <= first(u)
  %keys = sattn.select top(2) %a where %open
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0201] a selection for blocks of 8 rows, which tiles of 16 rows do not divide, is not compiled yet: run the pattern with the reference (--oracle)}}
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @odd_blocks(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(7) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(7)) : first(c) <= t
  %keys = sattn.select top(2) %a where %open
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0201] a selection of blocks of 7 keys, which no key tile divides, is not compiled yet: run the pattern with the reference (--oracle)}}
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @mix_summary(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %w: [t, h]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  %o1 = sattn.attend %z over %keys, %v
  // expected-error @below {{[SA0201] 'table(0)[t - 1, h]' in 'sattn.mix' is not compiled yet: run the pattern with the reference (--oracle)}}
  %o = sattn.mix %w[t - 1, h] * %o1
  sattn.yield %o
}

// -----

sattn.pattern @mix_keys(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %w: [s, h]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  %o1 = sattn.attend %z over %keys, %v
  // expected-error @below {{[SA0201] 'table(0)[t, h]' in 'sattn.mix' is not compiled yet: run the pattern with the reference (--oracle)}}
  %o = sattn.mix %w[t, h] * %o1
  sattn.yield %o
}

// -----

sattn.pattern @mix_position(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %w: [t, h]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  %o1 = sattn.attend %z over %keys, %v
  // expected-error @below {{[SA0201] 't' in 'sattn.mix' is not compiled yet: run the pattern with the reference (--oracle)}}
  %o = sattn.mix %w[t, h] * t * %o1
  sattn.yield %o
}

// -----

sattn.pattern @large_factor(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error @below {{[SA0207] set cannot be compiled: coefficient -8589934592 is out of range: the largest is 2^31}}
  %keys = sattn.set (t, s) : 8589934592 * s <= t
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @mix_of_codes(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %q2: [t, h, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  %o1 = sattn.attend %z over %keys, %v
  // expected-error @below {{[SA0201] a tensor without rows of queries as an operand of 'sattn.mix' is not compiled yet: run the pattern with the reference (--oracle)}}
  %m = sattn.encode hadamard %q2
  %o = sattn.mix %o1 + %m
  sattn.yield %o
}

// -----

sattn.pattern @rows_of_blocks(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %mq = sattn.summarize mean %q blocks(4)
  %keys = sattn.set (u(4), s) : s <= first(u)
  %z = sattn.score dot %mq, %k
  // expected-error @below {{[SA0201] attention of blocks of rows is not compiled yet: run the pattern with the reference (--oracle)}}
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @formula_of_row_blocks(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %mq = sattn.summarize mean %q blocks(16)
  %a = sattn.score dot %mq, %m
  %open = sattn.set (u(16), c(8)) : first(c) <= first(u)
  %near = sattn.set (u(16), s) : first(u) - s < 64
  %sel = sattn.select top(2) %a where %open
  %keys = sattn.intersect %sel, %near
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0201] a formula over blocks of rows beside a selection is not compiled yet: run the pattern with the reference (--oracle)}}
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @int_keys(%q: [t, h, D], %k: int[s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0201] an int role as an operand of a score is not compiled yet: run the pattern with the reference (--oracle)}}
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// RUN: sparse-attn-opt %s -split-input-file -verify-diagnostics
// Values, partial results and rows: (C28) to (C34), and what tensor ops refuse.

// -----

// C28
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-note@below {{the operand is made here}}
  %m = sattn.summarize mean %v blocks(8)
  // expected-error@below {{[SA0128] values are over 'c(8)' but the score has columns 's': give the values of the same keys}}
  %o = sattn.attend %z over %keys, %m
  sattn.yield %o
}

// -----

// C28
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %x: [g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0128] values are over 'nothing' but the score has columns 's': give the values of the same keys}}
  %o = sattn.attend %z over %keys, %x
  sattn.yield %o
}

// -----

// C28
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %x: [s, g]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0128] values have no feature axis: pass a role such as [s, g, Dv]}}
  %o = sattn.attend %z over %keys, %x
  sattn.yield %o
}

// -----

// C28
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %x: [s, h, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %y = sattn.reduce sum %z over h to one
  // expected-error@below {{[SA0128] values have heads 'h' but the score has heads 'one': a value head serves a group of score heads}}
  %o = sattn.attend %y over %keys, %x
  sattn.yield %o
}

// -----

// C28
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8)
  // expected-note@below {{the operand is made here}}
  %x = sattn.summarize minmax %v blocks(8)
  %z = sattn.score dot %q, %m
  %keys = sattn.set (t, c(8)) : last(c) < t
  // expected-error@below {{[SA0128] operand is a minmax summary: only sattn.score bound reads it}}
  %o = sattn.attend %z over %keys, %x
  sattn.yield %o
}

// -----

// C29
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-note@below {{the operand is made here}}
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0129] 'per block' needs a selection of blocks: the set is static}}
  %p = sattn.accumulate softmax %z over %keys, %v per block
  %o = sattn.finalize %p
  sattn.yield %o
}

// -----

// C29
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %open = sattn.set (t, c(8)) : last(c) < t
  %z = sattn.score dot %q, %k scale(scale)
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  %sel = sattn.select top(4) %a where %open
  // expected-note@below {{the operand is made here}}
  %x = sattn.union %sel, %open
  // expected-error@below {{[SA0129] 'per block' needs a selection of blocks: the set is not one selection}}
  %p = sattn.accumulate softmax %z over %x, %v per block
  %o = sattn.finalize %p
  sattn.yield %o
}

// -----

// C29
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-note@below {{the operand is made here}}
  %sel = sattn.select top(4) %z where %keys
  // expected-error@below {{[SA0129] 'per block' needs a selection of blocks: the set selects tokens, select from c(l)}}
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %o = sattn.finalize %p
  sattn.yield %o
}

// -----

// C30
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %open = sattn.set (t, c(8)) : last(c) < t
  %z = sattn.score dot %q, %k scale(scale)
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  %sel = sattn.select top(4) %a where %open
  // expected-note@below {{the operand is made here}}
  %p = sattn.accumulate softmax %z over %sel, %v per block
  // expected-error@below {{[SA0130] partial result is per block: combine it with sattn.blend}}
  %o = sattn.finalize %p
  sattn.yield %o
}

// -----

// C30
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %open = sattn.set (t, c(8)) : last(c) < t
  %z = sattn.score dot %q, %k scale(scale)
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  %sel = sattn.select top(4) %a where %open
  // expected-note@below {{the operand is made here}}
  %p = sattn.accumulate softmax %z over %sel, %v per block
  // expected-error@below {{[SA0130] partial result is per block: combine it with sattn.blend}}
  %x = sattn.merge %p, %p
  %o = sattn.finalize %x
  sattn.yield %o
}

// -----

// C30
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %open = sattn.set (t, c(8)) : last(c) < t
  %z = sattn.score dot %q, %k scale(scale)
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  %sel = sattn.select top(4) %a where %open
  // expected-note@below {{the operand is made here}}
  %p = sattn.accumulate softmax %z over %sel, %v per block
  // expected-error@below {{[SA0130] partial result is per block: it has one lse for each block, use sattn.blend}}
  %o = sattn.lse %p
  sattn.yield %o
}

// -----

// C30
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %open = sattn.set (t, c(8)) : last(c) < t
  %z = sattn.score dot %q, %k scale(scale)
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  %sel = sattn.select top(4) %a where %open
  %w = sattn.weigh softmax %a over %sel
  // expected-note@below {{the operand is made here}}
  %p = sattn.accumulate softmax %z over %sel, %v
  // expected-error@below {{[SA0130] partial result is not per block: use sattn.finalize, or accumulate 'per block'}}
  %o = sattn.blend %p by %w
  sattn.yield %o
}

// -----

// C31
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-note@below {{the operand is made here}}
  %open = sattn.set (t, c(8)) : last(c) < t
  %z = sattn.score dot %q, %k scale(scale)
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  %sel = sattn.select top(4) %a where %open
  // expected-error@below {{[SA0131] weights exist only for selected blocks: the set is static, make it with sattn.select}}
  %w = sattn.weigh softmax %a over %open
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %o = sattn.blend %p by %w
  sattn.yield %o
}

// -----

// C31
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %open = sattn.set (t, c(8)) : last(c) < t
  %z = sattn.score dot %q, %k scale(scale)
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  %sel = sattn.select top(4) %a where %open
  // expected-note@below {{the operand is made here}}
  %x = sattn.union %sel, %open
  // expected-error@below {{[SA0131] weights exist only for selected blocks: the set is not one selection, make it with sattn.select}}
  %w = sattn.weigh softmax %a over %x
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %o = sattn.blend %p by %w
  sattn.yield %o
}

// -----

// C20
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %open = sattn.set (t, c(8)) : last(c) < t
  %z = sattn.score dot %q, %k scale(scale)
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  %sel = sattn.select top(4) %a where %open
  // expected-note@below {{the operand is made here}}
  %b = sattn.normalize %a over %open
  // expected-error@below {{[SA0120] score is already a probability: weigh the score itself}}
  %w = sattn.weigh softmax %b over %sel
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %o = sattn.blend %p by %w
  sattn.yield %o
}

// -----

// C31
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %l: [t, h]) -> (o) {
  %open = sattn.set (t, c(8)) : last(c) < t
  %z = sattn.score dot %q, %k scale(scale)
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  %sel = sattn.select top(4) %a where %open
  // expected-error@below {{[SA0131] stick-breaking has no place for an lse: use softmax, or remove 'with'}}
  %w = sattn.weigh stickbreak %a over %sel with %l
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %o = sattn.blend %p by %w
  sattn.yield %o
}

// -----

// C31
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %open = sattn.set (t, c(8)) : last(c) < t
  %z = sattn.score dot %q, %k scale(scale)
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  %sel = sattn.select top(4) %a where %open
  %sel2 = sattn.select top(2) %a where %open
  // expected-note@below {{the operand is made here}}
  %w = sattn.weigh softmax %a over %sel2
  %p = sattn.accumulate softmax %z over %sel, %v per block
  // expected-error@below {{[SA0131] weights are for another selection than the partial results: use the same selection}}
  %o = sattn.blend %p by %w
  sattn.yield %o
}

// -----

// C31
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %x: [t, h, 4]) -> (o) {
  %open = sattn.set (t, c(8)) : last(c) < t
  %z = sattn.score dot %q, %k scale(scale)
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  %sel = sattn.select top(4) %a where %open
  %p = sattn.accumulate softmax %z over %sel, %v per block
  // expected-error@below {{[SA0131] operand has no weight for each slot: make it with sattn.weigh over the same selection}}
  %o = sattn.blend %p by %x
  sattn.yield %o
}

// -----

// C31
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %open = sattn.set (t, c(8)) : last(c) < t
  %z = sattn.score dot %q, %k scale(scale)
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  %sel = sattn.select top(4) %a where %open
  // expected-note@below {{the operand is made here}}
  %w = sattn.weigh softmax %a over %sel
  %x = sattn.attend %z over %sel, %v
  // expected-error@below {{[SA0131] weights belong to the slots of a selection: use them in sattn.blend}}
  %o = sattn.mix %w[t, h] * %x
  sattn.yield %o
}

// -----

// C32
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %open = sattn.set (t, c(8)) : last(c) < t
  %z = sattn.score dot %q, %k scale(scale)
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  %sel = sattn.select top(4) %a where %open
  // expected-note@below {{the operand is made here}}
  %w = sattn.weigh softmax %a over %sel
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %x = sattn.attend %z over %sel, %v
  // expected-error@below {{[SA0132] weights have no slot for a further output: give its lse to sattn.weigh with 'with'}}
  %o = sattn.blend %p and %x by %w
  sattn.yield %o
}

// -----

// C32
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %l: [t, h]) -> (o) {
  %open = sattn.set (t, c(8)) : last(c) < t
  %z = sattn.score dot %q, %k scale(scale)
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  %sel = sattn.select top(4) %a where %open
  // expected-note@below {{the operand is made here}}
  %w = sattn.weigh softmax %a over %sel with %l
  %p = sattn.accumulate softmax %z over %sel, %v per block
  // expected-error@below {{[SA0132] weights have a slot for the lse given to sattn.weigh: add 'and %o' with its output}}
  %o = sattn.blend %p by %w
  sattn.yield %o
}

// -----

// C32
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %l: [t, h]) -> (o) {
  %open = sattn.set (t, c(8)) : last(c) < t
  %z = sattn.score dot %q, %k scale(scale)
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  %sel = sattn.select top(4) %a where %open
  %w = sattn.weigh softmax %a over %sel with %l
  %p = sattn.accumulate softmax %z over %sel, %v per block
  // expected-error@below {{[SA0132] further output has axes [t, h, D] but the partial results have [t, h, Dv]: use the same rows, heads and features}}
  %o = sattn.blend %p and %q by %w
  sattn.yield %o
}

// -----

// C33
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %x: [t, h]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0133] sink logits need one number for each head: declare the role as [h]}}
  %o = sattn.attend %z over %keys, %v sink(%x)
  sattn.yield %o
}

// -----

// C33
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %x: [t, h]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  // expected-error@below {{[SA0133] sink logits need one number for each head: declare the role as [h]}}
  %o = sattn.finalize %p sink(%x)
  sattn.yield %o
}

// -----

// C34
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv], %r: [t, h]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %rows = sattn.route top(4) %r
  %kr = sattn.gather %k at %rows
  // expected-error@below {{[SA0134] one operand is gathered and the other is not: gather both at the same rows}}
  %z = sattn.score dot %q, %kr scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C34
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv], %r: [t, h]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %rows = sattn.route top(4) %r
  %kr = sattn.gather %k at %rows
  %qr = sattn.gather %q at %rows
  %z = sattn.score dot %qr, %kr scale(scale)
  // expected-error@below {{[SA0134] one operand is gathered and the other is not: gather both at the same rows}}
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C34
// expected-note@below {{the operand is declared here}}
sattn.pattern @p(%q: [t, h, D], %r: [t, h]) -> (o) {
  %rows = sattn.route top(4) %r
  // expected-error@below {{[SA0134] operand was not gathered at these rows: gather and scatter need the same rows}}
  %o = sattn.scatter %q at %rows
  sattn.yield %o
}

// -----

// C34
sattn.pattern @p(%q: [t, h, D], %r: [t, h]) -> (o) {
  %rows = sattn.route top(4) %r
  // expected-note@below {{the operand is made here}}
  %x = sattn.gather %q at %rows
  // expected-error@below {{[SA0134] one operand is gathered and the other is not: gather both at the same rows}}
  %o = sattn.mix %q + %x
  sattn.yield %o
}

// -----

// rows
sattn.pattern @p(%k: [s, g, D], %r: [t, h]) -> (o) {
  // expected-note@below {{the operand is made here}}
  %rows = sattn.route top(4) %r
  // expected-error@below {{[SA0135] rows are chosen for each 'h' but the operand has heads 'g': route and gather over the same heads}}
  %o = sattn.gather %k at %rows
  sattn.yield %o
}

// -----

// rows
// expected-note@below {{the operand is declared here}}
sattn.pattern @p(%k: [h, D], %r: [t, h]) -> (o) {
  %rows = sattn.route top(4) %r
  // expected-error@below {{[SA0135] operand has no position axis to gather along: its axes are [h, D]}}
  %o = sattn.gather %k at %rows
  sattn.yield %o
}

// -----

// rows
// expected-note@below {{the operand is declared here}}
sattn.pattern @p(%q: [t, h, D]) -> (o) {
  // expected-error@below {{[SA0135] routing needs one number for each position and head, such as [t, h]: the operand has axes [t, h, D]}}
  %rows = sattn.route top(4) %q
  %o = sattn.gather %q at %rows
  sattn.yield %o
}

// -----

// rows
sattn.pattern @p(%q: [t, h]) -> (o) {
  // expected-error@below {{[SA0135] force is empty: write force(first(n)), force(last(n)) or both}}
  %rows = sattn.route top(4) %q force()
  %o = sattn.gather %q at %rows
  sattn.yield %o
}

// -----

// summaries
sattn.pattern @p(%k: [s, g, D]) -> (y) {
  // expected-error@below {{[SA0136] unknown summary 'median': use one of mean, sum, min, max, minmax, weighted, linear}}
  %y = sattn.summarize median %k blocks(8)
  sattn.yield %y
}

// -----

// summaries
// expected-note@below {{the operand is declared here}}
sattn.pattern @p(%k: [c(8), g, D]) -> (y) {
  // expected-error@below {{[SA0135] only tokens or rows can be summarized: the operand has blocks 'c(8)'}}
  %y = sattn.summarize mean %k blocks(8)
  sattn.yield %y
}

// -----

// summaries
// expected-note@below {{the operand is declared here}}
sattn.pattern @p(%k: [g, D]) -> (y) {
  // expected-error@below {{[SA0135] only tokens or rows can be summarized: the operand has no position axis}}
  %y = sattn.summarize mean %k blocks(8)
  sattn.yield %y
}

// -----

// summaries
sattn.pattern @p(%k: [s, g, D]) -> (y) {
  // expected-error@below {{[SA0135] 'weighted' needs weights: add 'by %w'}}
  %y = sattn.summarize weighted %k blocks(8)
  sattn.yield %y
}

// -----

// summaries
sattn.pattern @p(%k: [s, g, D], %w: [8]) -> (y) {
  // expected-error@below {{[SA0135] 'mean' takes no weights: remove 'by'}}
  %y = sattn.summarize mean %k by %w blocks(8)
  sattn.yield %y
}

// -----

// summaries
sattn.pattern @p(%k: [t, g, D]) -> (y) {
  // expected-error@below {{[SA0135] row blocks always cover the last rows: remove 'ragged'}}
  %y = sattn.summarize mean %k blocks(8) ragged
  sattn.yield %y
}

// -----

// summaries
sattn.pattern @p(%k: [s, g, D]) -> (y) {
  // expected-error@below {{[SA0135] ragged blocks must be disjoint: 'c(8, 4)' overlap}}
  %y = sattn.summarize mean %k blocks(8, 4) ragged
  sattn.yield %y
}

// -----

// codes
sattn.pattern @p(%k: [s, g, D]) -> (y) {
  // expected-error@below {{[SA0136] unknown code 'int2': use one of hadamard, int8, int4, fp8, buckets}}
  %y = sattn.encode int2 %k
  sattn.yield %y
}

// -----

// codes
sattn.pattern @p(%k: [s, g, D]) -> (y) {
  // expected-error@below {{[SA0135] 'buckets' needs its levels: add 'at(lo, 0.0, hi)'}}
  %y = sattn.encode buckets %k
  sattn.yield %y
}

// -----

// codes
sattn.pattern @p(%k: [s, g, D]) -> (y) {
  // expected-error@below {{[SA0135] 'int8' takes no levels: remove 'at'}}
  %y = sattn.encode int8 %k at(0.0)
  sattn.yield %y
}

// -----

// codes
// expected-note@below {{the operand is declared here}}
sattn.pattern @p(%k: [s, g]) -> (y) {
  // expected-error@below {{[SA0135] only rows of features can be encoded: the operand has axes [s, g]}}
  %y = sattn.encode int8 %k
  sattn.yield %y
}

// -----

// prefix
// expected-note@below {{the operand is declared here}}
sattn.pattern @p(%k: [s, g]) -> (y) {
  // expected-error@below {{[SA0135] operand has no feature axis to take a prefix of: its axes are [s, g]}}
  %y = sattn.prefix %k to 4
  sattn.yield %y
}

// -----

// C11
sattn.pattern @p<dv: int>(%k: [s, 1, D]) -> (y) {
  // expected-error@below {{[SA0111] param 'dv' is the width of a tensor: declare it static}}
  %y = sattn.prefix %k to dv
  sattn.yield %y
}

// -----

// smooth
sattn.pattern @p(%k: [s, g]) -> (y) {
  // expected-error@below {{[SA0135] 'width(4)' is even: centred pooling needs an odd width}}
  %y = sattn.smooth max %k width(4)
  sattn.yield %y
}

// -----

// smooth
sattn.pattern @p(%k: [s, g]) -> (y) {
  // expected-error@below {{[SA0136] unknown smoothing 'sum': use one of mean, max}}
  %y = sattn.smooth sum %k width(5)
  sattn.yield %y
}

// -----

// smooth
// expected-note@below {{the operand is declared here}}
sattn.pattern @p(%k: [g]) -> (y) {
  // expected-error@below {{[SA0135] operand has no position axis to smooth along: its axes are [g]}}
  %y = sattn.smooth mean %k width(5)
  sattn.yield %y
}

// -----

// mix
sattn.pattern @p(%k: [t, h]) -> (y) {
  // expected-error@below {{[SA0135] mixes no output: use at least one operand without an index}}
  %y = sattn.mix 2 * %k[t, h]
  sattn.yield %y
}

// -----

// C15
// expected-note@below {{the operand is declared here}}
sattn.pattern @p(%x: [t, h, D], %g: [t, h, 3]) -> (y) {
  // expected-error@below {{[SA0115] index 3 is outside an axis of size 3: the last one is 2}}
  %y = sattn.mix %g[t, h, 3] * %x
  sattn.yield %y
}

// -----

// mix
// expected-note@below {{the operand is declared here}}
sattn.pattern @p(%x: [t, h, D], %w: [t, h, Dv]) -> (y) {
  // expected-error@below {{[SA0135] outputs have different feature axes 'D' and 'Dv'}}
  %y = sattn.mix %x + %w
  sattn.yield %y
}

// -----

// mix
// expected-note@below {{the operand is declared here}}
sattn.pattern @p(%x: [t, h, D], %w: [s, h, D]) -> (y) {
  // expected-error@below {{[SA0135] outputs have different rows or heads: [t, h, D] and [s, h, D]}}
  %y = sattn.mix %x + %w
  sattn.yield %y
}

// -----

// partials
// expected-note@below {{the operand is declared here}}
sattn.pattern @p(%o0: [t, h], %l0: [t, h]) -> (y) {
  // expected-error@below {{[SA0135] output needs rows and features, such as [t, h, Dv]: the operand has axes [t, h]}}
  %p = sattn.reopen %o0, %l0
  %y = sattn.finalize %p
  sattn.yield %y
}

// -----

// partials
// expected-note@below {{the operand is declared here}}
sattn.pattern @p(%o0: [t, h, Dv], %l0: [t]) -> (y) {
  // expected-error@below {{[SA0135] lse needs one number for each row and head, axes [t, h]: the operand has [t]}}
  %p = sattn.reopen %o0, %l0
  %y = sattn.finalize %p
  sattn.yield %y
}

// -----

// partials
sattn.pattern @p(%o0: [t, h, Dv], %o1: [t, h, D], %l0: [t, h]) -> (y) {
  %p = sattn.reopen %o0, %l0
  // expected-note@below {{the operand is made here}}
  %p1 = sattn.reopen %o1, %l0
  // expected-error@below {{[SA0135] partial results differ in their axes: [t, h, Dv] and [t, h, D]}}
  %m = sattn.merge %p, %p1
  %y = sattn.finalize %m
  sattn.yield %y
}

// -----

// partials
sattn.pattern @p(%o0: [t, h, Dv], %l0: [t, h]) -> (y) {
  %p = sattn.reopen %o0, %l0
  // expected-error@below {{[SA0135] has 1 partial results: it joins at least two}}
  %m = sattn.merge %p
  %y = sattn.finalize %m
  sattn.yield %y
}

// -----

// partials
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-note@below {{the operand is made here}}
  %p = sattn.accumulate linear %z over %keys, %v
  // expected-error@below {{[SA0135] linear partial results have no lse: accumulate softmax}}
  %o = sattn.lse %p
  sattn.yield %o
}

// -----

// C18
sattn.pattern @p(%k: [s, g, D]) -> (x) {
  // expected-note@below {{the operand is made here}}
  %m = sattn.summarize minmax %k blocks(8)
  // expected-error@below {{[SA0118] operand is a minmax summary: only sattn.score bound reads it}}
  %x = sattn.encode hadamard %m
  sattn.yield %x
}

// -----

// C18
sattn.pattern @p(%k: [s, g, D]) -> (x) {
  // expected-note@below {{the operand is made here}}
  %m = sattn.summarize minmax %k blocks(8)
  // expected-error@below {{[SA0118] operand is a minmax summary: only sattn.score bound reads it}}
  %x = sattn.mix 2 * %m
  sattn.yield %x
}

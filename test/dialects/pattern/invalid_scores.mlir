// RUN: sparse-attn-opt %s -split-input-file -verify-diagnostics
// Numbers (C14), scores and selections: (C17) to (C27).

// -----

// C14
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %n: int[h]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0114] a value cannot appear here: write params and integers}}
  %sel = sattn.select top(%n) %z where %keys
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// C14
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0114] 'top(0)' is out of range: it must be at least 1}}
  %sel = sattn.select top(0) %z where %keys
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// C14
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0114] 'top(1.5)' is not an integer: write a whole number}}
  %sel = sattn.select top(1.5) %z where %keys
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// C14
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0114] param 'scale' is a float but 'top' takes an integer: declare it as int}}
  %sel = sattn.select top(scale) %z where %keys
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// C14
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0114] 'first(-1)' is out of range: it must be at least 0}}
  %sel = sattn.select top(4) %z where %keys force(first(-1))
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// C14
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0114] a value cannot appear here: write params and integers}}
  %sel = "sattn.select"(%z, %keys) <{top = #sattn.expr<table(0)>}> : (!sattn.score, !sattn.set) -> !sattn.set
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// C14
sattn.pattern @p(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // expected-error@below {{[SA0114] a value cannot appear here: write params and integers}}
  %z = "sattn.score"(%q, %k) <{how = #sattn.scorer<dot>, scale = #sattn.expr<table(0)>}> : (!sattn.tensor, !sattn.tensor) -> !sattn.score
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C14
sattn.pattern @p(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // expected-error@below {{[SA0114] '1 <= 2' is a condition: 'scale' takes a number, use max, min or relu}}
  %z = "sattn.score"(%q, %k) <{how = #sattn.scorer<dot>, scale = #sattn.expr<1 le 2>}> : (!sattn.tensor, !sattn.tensor) -> !sattn.score
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C17
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // expected-error@below {{[SA0117] queries have feature axis 'D' but keys have 'Dv': a dot product needs the same axis}}
  %z = sattn.score dot %q, %v scale(scale)
  %o = sattn.attend %z over %keys, %k
  sattn.yield %o
}

// -----

// C17
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %x: [s, g]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // expected-error@below {{[SA0117] queries have feature axis 'D' but keys have none: a dot product needs the same axis}}
  %z = sattn.score dot %q, %x scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C17
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %x: [t, h]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // expected-error@below {{[SA0117] queries have no feature axis but keys have 'D': a dot product needs the same axis}}
  %z = sattn.score dot %x, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C17
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // expected-error@below {{[SA0117] first operand has no row axis: queries are over t or u, keys over s or c, swap the operands}}
  %z = sattn.score dot %k, %q scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C17
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // expected-error@below {{[SA0117] second operand has no key axis: keys are over s or c}}
  %z = sattn.score dot %q, %q scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C18
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // expected-error@below {{[SA0118] 'bound' needs a minmax summary: use sattn.summarize minmax}}
  %z = sattn.score bound %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C18
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, c(8)) : last(c) < t
  // expected-note@below {{the operand is made here}}
  %m = sattn.summarize minmax %k blocks(8)
  // expected-error@below {{[SA0118] keys are a minmax summary: score them with 'bound'}}
  %z = sattn.score dot %q, %m scale(scale)
  %x = sattn.summarize mean %v blocks(8)
  %o = sattn.attend %z over %keys, %x
  sattn.yield %o
}

// -----

// C18
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (u(8), s) : s <= first(u)
  // expected-note@below {{the operand is made here}}
  %m = sattn.summarize minmax %q blocks(8)
  // expected-error@below {{[SA0118] operand is a minmax summary: only the keys of sattn.score bound can be one}}
  %z = sattn.score dot %m, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C18
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // expected-error@below {{[SA0118] 'l1' compares codes: encode both operands with 'buckets'}}
  %z = sattn.score l1 %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C19
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0119] formula does not use the score 'z': it would be the same for every key content}}
  %y = sattn.map %z : t - s
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// -----

// C20
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-note@below {{the operand is made here}}
  %p = sattn.normalize %z over %keys
  // expected-error@below {{[SA0120] probabilities cannot be mapped: map the score before sattn.normalize}}
  %y = sattn.map %p : 2.0 * z
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// -----

// C20
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-note@below {{the operand is made here}}
  %p = sattn.normalize %z over %keys
  // expected-error@below {{[SA0120] score is already a probability: attend with the score itself}}
  %o = sattn.attend %p over %keys, %v
  sattn.yield %o
}

// -----

// C20
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-note@below {{the operand is made here}}
  %p = sattn.normalize %z over %keys
  // expected-error@below {{[SA0120] score is already a probability: accumulate with the score itself}}
  %x = sattn.accumulate softmax %p over %keys, %v
  %o = sattn.finalize %x
  sattn.yield %o
}

// -----

// C20
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, votes) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-note@below {{the operand is made here}}
  %p = sattn.normalize %z over %keys
  // expected-error@below {{[SA0120] score is already a probability: normalize the score itself}}
  %p2 = sattn.normalize %p over %keys
  %o = sattn.colsum %p2 over %keys
  %x = sattn.attend %z over %keys, %v
  sattn.yield %x, %o
}

// -----

// C20
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, votes) {
  %keys = sattn.set (t, s) : s <= t
  // expected-note@below {{the operand is made here}}
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0120] column sums are of probabilities: use sattn.normalize first}}
  %o = sattn.colsum %z over %keys
  %x = sattn.attend %z over %keys, %v
  sattn.yield %x, %o
}

// -----

// C21
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-note@below {{the operand is made here}}
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  // expected-error@below {{[SA0121] score has one column for each block 'c(8)' but the set is over tokens 's': say when a block is visible with first(c) or last(c) in a set over (t, c(8))}}
  %sel = sattn.select top(4) %a where %keys
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// C22
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-note@below {{the operand is made here}}
  %open = sattn.set (t, c(16)) : last(c) < t
  %z = sattn.score dot %q, %k scale(scale)
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  // expected-error@below {{[SA0122] set is over 'c(16)' but the score has columns 'c(8)': use the same blocks}}
  %sel = sattn.select top(4) %a where %open
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// C22
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %mq = sattn.summarize mean %q blocks(8)
  %z = sattn.score dot %mq, %k scale(scale)
  // expected-note@below {{the operand is made here}}
  %keys = sattn.set (t, s) : s <= t
  // expected-error@below {{[SA0122] set has rows 't' but the score has rows 'u(8)': use the same rows}}
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C23
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %open = sattn.set (t, c(8, 4)) : last(c) <= t
  %z = sattn.score dot %q, %k scale(scale)
  %m = sattn.summarize mean %k blocks(8, 4)
  // expected-note@below {{the operand is made here}}
  %a = sattn.score dot %q, %m
  // expected-error@below {{[SA0123] blocks 'c(8, 4)' overlap, so a key could be visited twice: rebin the score to disjoint blocks before selecting}}
  %sel = sattn.select top(4) %a where %open
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// C23
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-note@below {{the operand is made here}}
  %open = sattn.set (t, c(8, 4)) : last(c) <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0123] blocks 'c(8, 4)' overlap, so a key could be visited twice: rebin the score to disjoint blocks before selecting}}
  %o = sattn.attend %z over %open, %v
  sattn.yield %o
}

// -----

// C25
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %iq: [t, h2, D2], %ik: [s, 1, D2]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %a = sattn.score dot %iq, %ik
  // expected-note@below {{the operand is made here}}
  %sel = sattn.select top(4) %a where %keys
  // expected-error@below {{[SA0125] selection is made for each 'h2' but the score has heads 'h': reduce over h2 to g or to one before selecting}}
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// C25
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-note@below {{the operand is made here}}
  %keys = sattn.set (t, s) : s <= t + g
  %z = sattn.score dot %q, %k scale(scale)
  %r = sattn.reduce sum %z over h to one
  // expected-error@below {{[SA0125] set is made for each 'g' but the score has heads 'one': keep these heads in the score}}
  %sel = sattn.select top(4) %r where %keys
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// C26
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // expected-note@below {{the operand is made here}}
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0126] score has heads 'h', not 'h2': reduce over those it has}}
  %y = sattn.reduce sum %z over h2 to g
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// -----

// C26
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0126] heads 'h' are reduced to 'h2': write g (one for each kv head, from query heads) or one}}
  %y = sattn.reduce sum %z over h to h2
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// -----

// C26
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0126] heads are reduced to 'g3' but no role has that axis: reduce to g of a role, or to one}}
  %y = sattn.reduce sum %z over h to g3
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// -----

// C27
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0127] select needs 'top(n)', 'above(threshold)' or 'mass(p)'}}
  %sel = sattn.select %z where %keys
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// C27
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0127] select needs 'top(n)', 'above(threshold)' or 'mass(p)'}}
  %sel = "sattn.select"(%z, %keys) : (!sattn.score, !sattn.set) -> !sattn.set
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// C20
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // expected-note@below {{the operand is made here}}
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0120] mass sums shares of a whole: select from probabilities (sattn.normalize) or their mean over heads}}
  %sel = sattn.select mass(0.9) %z where %keys
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// C20
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.normalize %z over %keys
  // expected-note@below {{the operand is made here}}
  %pg = sattn.reduce sum %p over h to g
  // expected-error@below {{[SA0120] mass sums shares of a whole: select from probabilities (sattn.normalize) or their mean over heads}}
  %sel = sattn.select top(4) mass(0.9) %pg where %keys
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// C14
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.normalize %z over %keys
  // expected-error@below {{[SA0114] '0 <= 1' is a condition: 'mass' takes a number, use max, min or relu}}
  %sel = "sattn.select"(%p, %keys) <{mass = #sattn.expr<0 le 1>}> : (!sattn.score, !sattn.set) -> !sattn.set
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// C27
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0127] forces 5 but selects 4: forced ones count inside top, raise it or force fewer}}
  %sel = sattn.select top(4) %z where %keys force(first(1) last(4))
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// C27
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0127] force is empty: write force(first(n)), force(last(n)) or force(%set)}}
  %sel = sattn.select top(4) %z where %keys force()
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// heads
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %x: [t, D]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // expected-error@below {{[SA0117] keys have heads 'g' but queries have none: add a head axis to the queries}}
  %z = sattn.score dot %x, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// heads
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %x: [t, g, D], %y: [s, h, D]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // expected-error@below {{[SA0117] keys have query heads 'h' but queries have kv heads 'g': a key head serves a group of query heads, swap the operands}}
  %z = sattn.score dot %x, %y scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// lse
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %x: [t, g]) -> (o, votes) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0135] lse needs one number for each row and head, axes [t, h]: the operand has [t, g]}}
  %p = sattn.normalize %z over %keys with %x
  %o = sattn.colsum %p over %keys
  %y = sattn.attend %z over %keys, %v
  sattn.yield %y, %o
}

// -----

// rebin
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // expected-note@below {{the operand is made here}}
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0135] score has one column for each token: only scores of blocks can be rebinned, score a summary}}
  %y = sattn.rebin sum %z to blocks(8)
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// -----

// rebin
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(32, 16)
  // expected-note@below {{the operand is made here}}
  %a = sattn.score dot %q, %m
  // expected-error@below {{[SA0135] blocks of 40 are not whole strides of the source blocks 'c(32, 16)': use a multiple of 16}}
  %y = sattn.rebin sum %a to blocks(40)
  %open = sattn.set (t, c(40)) : last(c) < t
  %sel = sattn.select top(4) %y where %open
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// words
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // expected-error@below {{[SA0136] unknown scorer 'cosine': use one of dot, l1, bound}}
  %z = sattn.score cosine %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// words
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0114] 'z <= 0' is a condition: a value is a number, use max, min or relu}}
  %y = sattn.map %z : z <= 0
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// -----

// C10
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0110] mod by 0: the divisor must be positive}}
  %y = sattn.map %z : z + t mod 0
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// -----

// C10
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0110] floordiv by -1: the divisor must be positive}}
  %y = sattn.map %z : z + t floordiv -1
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

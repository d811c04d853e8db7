// RUN: sparse-attn-opt %s -split-input-file -verify-diagnostics
// What the parser and the local verifiers refuse, also in generic form.

// -----

// grammar
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0136] expected a number, a name, a value or '('}}
  %keys = sattn.set (t, s) : s <= )
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// grammar
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0136] expected a number, a name, a value or '('}}
  %keys = sattn.set (t, s) : s <= [1]
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// grammar
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // expected-error@below {{[SA0136] number is too large for a 64-bit float: write a smaller one}}
  %z = sattn.score dot %q, %k scale(1.0e999)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// grammar
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{integer value too large}}
  %keys = sattn.set (t, s) : s <= 99999999999999999999
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// generic
sattn.pattern @p(%x: [t]) -> (y) {
  // expected-error@below {{[SA0136] table index is out of range: tables are numbered from 0, write a smaller one}}
  %y = "sattn.mix"(%x) <{formula = #sattn.expr<table(-1)>}> : (!sattn.tensor) -> !sattn.tensor
  sattn.yield %y
}

// -----

// generic
sattn.pattern @p(%x: [t]) -> (y) {
  // expected-error@below {{[SA0136] formula loads table 1 but the op has 1 tables: add the operand}}
  %y = "sattn.mix"(%x) <{formula = #sattn.expr<table(1)>}> : (!sattn.tensor) -> !sattn.tensor
  sattn.yield %y
}

// -----

// generic
sattn.pattern @p(%x: [t]) -> (y) {
  // expected-error@below {{[SA0136] has a table that its formula never loads: remove the operand}}
  %y = "sattn.mix"(%x, %x) <{formula = #sattn.expr<table(0)>}> : (!sattn.tensor, !sattn.tensor) -> !sattn.tensor
  sattn.yield %y
}

// -----

// generic
sattn.pattern @p(%x: [t]) -> (y) {
  // expected-error@below {{[SA0114] '1 <= 2' is a condition: a value is a number, use max, min or relu}}
  %y = "sattn.mix"(%x) <{formula = #sattn.expr<1 le 2>}> : (!sattn.tensor) -> !sattn.tensor
  sattn.yield %y
}

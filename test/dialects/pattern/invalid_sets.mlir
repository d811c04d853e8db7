// RUN: sparse-attn-opt %s -split-input-file -verify-diagnostics
// Key sets: (C7) to (C13), tables (C15), (C16), algebra (C23), (C24).

// -----

// C7
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0107] set is over (s, t): the row position (t or u) comes first, then the key position (s or c)}}
  %keys = sattn.set (s, t) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C8
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0108] block position 'c' has no block length: write c(l) or c(l, d)}}
  %keys = sattn.set (t, c) : c <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C8
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0108] 'last(s)' needs a block position: s is a single token}}
  %keys = sattn.set (t, s) : last(s) <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C8
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0108] 'last(h)' needs a block position: write last(c)}}
  %keys = sattn.set (t, s) : last(h) <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C8
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0108] 'size(c)' needs an axis of a role: write size(s), size(t) or size(h)}}
  %keys = sattn.set (t, s) : s <= size(c)
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C8
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %w: [c(8), g, D]) -> (o) {
  // expected-error@below {{[SA0108] 'size(c)' counts blocks: compare tokens with size(s) or rows with size(t)}}
  %keys = sattn.set (t, s) : s <= size(c)
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C9
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0109] 't * s' multiplies two positions: a set is quasi-affine; use floordiv, mod or a table}}
  %keys = sattn.set (t, s) : t * s <= 4
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C9
sattn.pattern @p<W: int = 8, n: int = 2, scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0109] 'W * n' multiplies two numbers that only a call knows: declare one of them static}}
  %keys = sattn.set (t, s) : 0 <= t - s < W * n
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C9
sattn.pattern @p<W: int = 4, scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0109] param 'W' scales a position: declare it static}}
  %keys = sattn.set (t, s) : W * s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C9
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0109] 't / 2' is not an integer: a set compares integers, use an int param or a whole number}}
  %keys = sattn.set (t, s) : t / 2 <= s
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C9
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0109] '0.5' is not an integer: a set compares integers, use an int param or a whole number}}
  %keys = sattn.set (t, s) : t <= s + 0.5
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C9
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0109] divisor 's' holds a position: divide by an integer or a static param}}
  %keys = sattn.set (t, s) : t mod s == 0
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C10
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0110] mod by 0: the divisor must be positive}}
  %keys = sattn.set (t, s) : t mod 0 == 1
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C10
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0110] floordiv by -2: the divisor must be positive}}
  %keys = sattn.set (t, s) : t floordiv -2 == s
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C10
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0110] mod by 2147483649: the divisor must be at most 2147483648}}
  %keys = sattn.set (t, s) : t mod 2147483649 == 1
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C10
sattn.pattern @p<b: int = 4, scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0110] param 'b' divides a position: declare it static}}
  %keys = sattn.set (t, s) : s floordiv b <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C11
sattn.pattern @p<b: int = 4, scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0111] param 'b' is a block length: declare it static}}
  %m = sattn.summarize mean %k blocks(b)
  %z = sattn.score dot %q, %m scale(scale)
  %keys = sattn.set (t, c(b)) : last(c) <= t
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C11
sattn.pattern @p<d: int = 4, scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0111] param 'd' is a block stride: declare it static}}
  %keys = sattn.set (t, c(8, d)) : last(c) <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C11
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0111] blocks(4, 8) leave gaps: the stride must not exceed the length}}
  %keys = sattn.set (t, c(4, 8)) : last(c) <= t
  %m = sattn.summarize mean %k blocks(4, 8)
  %z = sattn.score dot %q, %m scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C11
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0111] 'blocks(4294967296)' is out of range: it must be at most 2147483648}}
  %keys = sattn.set (t, c(4294967296)) : last(c) <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C11
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0111] row blocks 'u(8, 4)' overlap: a row belongs to one block, write u(8)}}
  %keys = sattn.set (u(8, 4), c(8)) : last(c) <= last(u)
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C12
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0112] 't - s' is not a condition: compare it with <, <=, ==, > or >=}}
  %keys = sattn.set (t, s) : t - s
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C12
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0112] expected '==': a set compares, it does not assign}}
  %keys = sattn.set (t, s) : t mod 4 = 0
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C12
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0112] 's <= t' is a condition: it cannot be part of a sum or comparison, join conditions with and, or, not}}
  %keys = sattn.set (t, s) : (s <= t) + 1 <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C12
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0112] 's <= t' is a condition: it cannot be part of a sum or comparison, join conditions with and, or, not}}
  %keys = sattn.set (t, s) : %q[(s <= t)] == 1
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C9
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0109] 'all' is not an integer: a set compares integers, use an int param or a whole number}}
  %keys = sattn.set (t, s) : all + 1 <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C13
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0113] set is empty: its conditions contradict each other, loosen one}}
  %keys = sattn.set (t, s) : 1 <= 0 and s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C13
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0113] set is empty: its conditions contradict each other, loosen one}}
  %keys = sattn.set (t, s) : t - s > 4 and s >= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C13
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0113] set is empty: its conditions contradict each other, loosen one}}
  %keys = sattn.set (t, s) : 2 * t - 4 * s == 1
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C13
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0113] set has more than 64 disjuncts: name its parts and use sattn.union}}
  %keys = sattn.set (t, s) : (t mod 2 == 0 or s mod 2 == 0) and (t mod 3 == 0 or s mod 3 == 0) and (t mod 4 == 0 or s mod 4 == 0) and (t mod 5 == 0 or s mod 5 == 0) and (t mod 6 == 0 or s mod 6 == 0) and (t mod 7 == 0 or s mod 7 == 0) and (t mod 8 == 0 or s mod 8 == 0)
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C13
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0113] formula is nested deeper than 64 levels: split it into named sets}}
  %keys = sattn.set (t, s) : (((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((t - s))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))) <= 4
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C13
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0113] formula is nested deeper than 64 levels: split it into named sets}}
  %keys = sattn.set (t, s) : - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - s <= 4
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C13
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0113] formula is nested deeper than 64 levels: split it into named sets}}
  %keys = sattn.set (t, s) : not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not s <= 4
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C13
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0113] formula is nested deeper than 64 levels: split it into named sets}}
  %keys = sattn.set (t, s) : max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(max(s)))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))) <= 4
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C13
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0113] formula has more than 1000 terms: split it into named sets}}
  %keys = sattn.set (t, s) : s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t or s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C13
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0113] a sum has more than 256 terms: split the formula into named sets}}
  %keys = sattn.set (t, s) : 0 <= (a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11 + a12 + a13 + a14 + a15 + a16 + a17 + a18 + a19) * (b0 + b1 + b2 + b3 + b4 + b5 + b6 + b7 + b8 + b9 + b10 + b11 + b12 + b13 + b14 + b15 + b16 + b17 + b18 + b19)
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C13
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0113] a sum has more than 256 terms: split the formula into named sets}}
  %keys = sattn.set (t, s) : 0 <= a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11 + a12 + a13 + a14 + a15 + a16 + a17 + a18 + a19 + a20 + a21 + a22 + a23 + a24 + a25 + a26 + a27 + a28 + a29 + a30 + a31 + a32 + a33 + a34 + a35 + a36 + a37 + a38 + a39 + a40 + a41 + a42 + a43 + a44 + a45 + a46 + a47 + a48 + a49 + a50 + a51 + a52 + a53 + a54 + a55 + a56 + a57 + a58 + a59 + a60 + a61 + a62 + a63 + a64 + a65 + a66 + a67 + a68 + a69 + a70 + a71 + a72 + a73 + a74 + a75 + a76 + a77 + a78 + a79 + a80 + a81 + a82 + a83 + a84 + a85 + a86 + a87 + a88 + a89 + a90 + a91 + a92 + a93 + a94 + a95 + a96 + a97 + a98 + a99 + a100 + a101 + a102 + a103 + a104 + a105 + a106 + a107 + a108 + a109 + a110 + a111 + a112 + a113 + a114 + a115 + a116 + a117 + a118 + a119 + a120 + a121 + a122 + a123 + a124 + a125 + a126 + a127 + a128 + a129 + a130 + a131 + a132 + a133 + a134 + a135 + a136 + a137 + a138 + a139 + a140 + a141 + a142 + a143 + a144 + a145 + a146 + a147 + a148 + a149 + a150 + a151 + a152 + a153 + a154 + a155 + a156 + a157 + a158 + a159 + a160 + a161 + a162 + a163 + a164 + a165 + a166 + a167 + a168 + a169 + a170 + a171 + a172 + a173 + a174 + a175 + a176 + a177 + a178 + a179 + a180 + a181 + a182 + a183 + a184 + a185 + a186 + a187 + a188 + a189 + a190 + a191 + a192 + a193 + a194 + a195 + a196 + a197 + a198 + a199 + a200 + a201 + a202 + a203 + a204 + a205 + a206 + a207 + a208 + a209 + a210 + a211 + a212 + a213 + a214 + a215 + a216 + a217 + a218 + a219 + a220 + a221 + a222 + a223 + a224 + a225 + a226 + a227 + a228 + a229 + a230 + a231 + a232 + a233 + a234 + a235 + a236 + a237 + a238 + a239 + a240 + a241 + a242 + a243 + a244 + a245 + a246 + a247 + a248 + a249 + a250 + a251 + a252 + a253 + a254 + a255 + a256 + a257 + a258 + a259 + a260 + a261 + a262 + a263 + a264 + a265 + a266 + a267 + a268 + a269 + a270 + a271 + a272 + a273 + a274 + a275 + a276 + a277 + a278 + a279 + a280 + a281 + a282 + a283 + a284 + a285 + a286 + a287 + a288 + a289 + a290 + a291 + a292 + a293 + a294 + a295 + a296 + a297 + a298 + a299
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C9
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0109] a coefficient leaves 64 bits: use smaller numbers}}
  %keys = sattn.set (t, s) : 9223372036854775807 * (2 * t) <= s
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C9
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0109] a coefficient leaves 64 bits: use smaller numbers}}
  %keys = sattn.set (t, s) : t - 9223372036854775807 < 9223372036854775807
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C9
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0109] a coefficient leaves 64 bits: use smaller numbers}}
  %keys = sattn.set (t, s) : not t == s + 9223372036854775807
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C15
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %doc: int[s]) -> (o) {
  // expected-error@below {{[SA0115] table has 1 axes but 2 indices: give one index for each axis}}
  %keys = sattn.set (t, s) : %doc[t, s] == 1
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C15
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %doc: int[s, 4]) -> (o) {
  // expected-error@below {{[SA0115] index 4 is outside an axis of size 4: the last one is 3}}
  %keys = sattn.set (t, s) : %doc[s, 4] == 1
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C15
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %doc: int[s]) -> (o) {
  // expected-error@below {{[SA0115] table is used without an index: write it with one index for each axis [s]}}
  %keys = sattn.set (t, s) : %doc == 1
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C15
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %doc: [s]) -> (o) {
  // expected-error@below {{[SA0115] table of a set holds floats: a set compares integers, declare the role as int[s]}}
  %keys = sattn.set (t, s) : %doc[s] == 1
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C16
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %m: int[h]) -> (o) {
  // expected-error@below {{[SA0116] axis 'h' is indexed by 's': a head axis takes a head, a position axis takes a position}}
  %keys = sattn.set (t, s) : %m[s] == 1
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C16
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %m: int[s]) -> (o) {
  // expected-error@below {{[SA0116] axis 's' is indexed by 'h + 1': a head axis takes a head, a position axis takes a position}}
  %keys = sattn.set (t, s) : %m[h + 1] == 1
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// heads
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %m: [t, h2]) -> (o) {
  // expected-error@below {{[SA0125] set depends on heads 'h' and 'h2': split it into one set for each}}
  %keys = sattn.set (t, s) : s <= t + h - h2
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C23
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-note@below {{the operand is made here}}
  %x = sattn.set (t, c(8, 4)) : last(c) < t
  %y = sattn.set (t, s) : s <= t
  // expected-error@below {{[SA0123] blocks 'c(8, 4)' overlap, so a key could be visited twice: rebin the score to disjoint blocks before selecting}}
  %keys = sattn.union %x, %y
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C24
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %x = sattn.set (t, c(8)) : last(c) < t
  // expected-note@below {{the operand is made here}}
  %y = sattn.set (t, c(16)) : last(c) < t
  // expected-error@below {{[SA0124] sets are over different blocks 'c(8)' and 'c(16)': bring one of them to tokens by intersecting it with a set over (t, s)}}
  %keys = sattn.union %x, %y
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// heads
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %m: [t, h2]) -> (o) {
  %x = sattn.set (t, s) : s <= t + h
  // expected-note@below {{the operand is made here}}
  %y = sattn.set (t, s) : s <= t + h2
  // expected-error@below {{[SA0125] sets are made for each 'h' and for each 'h2': reduce both to the same heads}}
  %keys = sattn.union %x, %y
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// structure
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // expected-error@below {{[SA0135] has 1 sets: it joins at least two}}
  %x = sattn.union %keys
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %x, %v
  sattn.yield %o
}

// -----

// lists
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %idx: [t, g, 4]) -> (o) {
  // expected-error@below {{[SA0135] list of blocks is not an int role: declare it as int[t, g, 4]}}
  %keys = sattn.listed %idx blocks(8)
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// lists
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %idx: int[h, 1], %ptr: [u(8)]) -> (o) {
  // expected-error@below {{[SA0135] list of blocks is not an int role: declare it as int[u(8)]}}
  %keys = sattn.listed %idx rows(%ptr) blocks(8)
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// lists
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %idx: int[h, 4], %ptr: int[u(8)]) -> (o) {
  // expected-error@below {{[SA0135] flags are one for each block, so that nothing is compressed: drop 'rows'}}
  %keys = sattn.listed %idx flags rows(%ptr) blocks(8)
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// lists
// expected-note@below {{the operand is declared here}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %idx: int[h, 4]) -> (o) {
  // expected-error@below {{[SA0135] list has no row axis: declare it over t, or over u(l) for one list a row block}}
  %keys = sattn.listed %idx blocks(8)
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C14
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0114] 'count(0)' is out of range: it must be at least 1}}
  %keys = sattn.random count(0) seed(1) blocks(8)
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

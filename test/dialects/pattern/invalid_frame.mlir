// RUN: sparse-attn-opt %s -split-input-file -verify-diagnostics
// The frame: names (C1) to (C3), axes (C4), idle parts (C5), results (C6).

// -----

// C1
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0101] unknown name 'w': declare it as a param of @p or pass it as a table}}
  %keys = sattn.set (t, s) : t - s < w
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C1
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // expected-error@below {{[SA0101] unknown feature axis 'D9': no role has it, use a feature axis of a role}}
  %z = sattn.score dot %q, %k scale(rsqrt(D9))
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C1
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // expected-error@below {{[SA0101] unknown function 'median': use max, min, abs, exp, log, tanh, sigmoid, relu or rsqrt}}
  %z = sattn.score dot %q, %k scale(median(scale))
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C1
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0101] unknown function 'next': use first(c), last(c) or size(s)}}
  %keys = sattn.set (t, s) : next(s) <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C1
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0101] unknown function 'rsqrt': integers are sums and products of params}}
  %sel = sattn.select top(rsqrt(D)) %z where %keys
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// C1
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0101] function 'max' was given 1 arguments: it takes 2}}
  %y = sattn.map %z : max(z)
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// -----

// C1
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0101] function 'exp' was given 2 arguments: it takes 1}}
  %y = sattn.map %z : exp(z, 1)
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// -----

// C2
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0102] position 'c' is not in scope here: in scope are 'g', 'h', 's', 't'}}
  %keys = sattn.set (t, s) : c <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C2
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0102] position 's' is not in scope here: in scope are none}}
  %sel = sattn.select top(s) %z where %keys
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// C2
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  // expected-error@below {{[SA0102] 'z' stands for a score: use it in sattn.map only}}
  %keys = sattn.set (t, s) : z <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C3
// expected-error@below {{[SA0103] param 's' has the reserved name of a position, head or score: rename it}}
sattn.pattern @p<s: int = 4>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C3
// expected-error@below {{[SA0103] param 'Dx' has the reserved name of a feature axis: rename it}}
sattn.pattern @p<Dx: int = 4>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C3
// expected-error@below {{[SA0103] param 'mod' has the reserved name of the formula language: rename it}}
sattn.pattern @p<mod: int = 4>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C3
// expected-error@below {{[SA0103] param 'n' is declared twice: rename one}}
sattn.pattern @p<n: int, n: int>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C3
// expected-error@below {{[SA0103] param 'n' has type 'i32': write int or float}}
sattn.pattern @p<n: i32>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C3
// expected-error@below {{[SA0103] role 'x' is declared twice: rename one}}
"sattn.pattern"() <{outputs = ["y"], params = [], roles = [#sattn.role<x: [t]>, #sattn.role<x: [t]>], sym_name = "p"}> ({
^bb0(%a: !sattn.tensor, %b: !sattn.tensor):
  "sattn.yield"(%a) : (!sattn.tensor) -> ()
}) : () -> ()

// -----

// C3
// expected-error@below {{[SA0103] result 'o' is declared twice: rename one}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o, %o
}

// -----

// C3
// expected-error@below {{[SA0103] param 'n' is an int but its default '0.5' is not: write a whole number}}
sattn.pattern @p<n: int = 0.5, scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C3
// expected-error@below {{[SA0103] param 'n' is an int but its default 'scale' is not: write a whole number}}
sattn.pattern @p<scale: float = rsqrt(D), n: int = scale>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C1
// expected-error@below {{[SA0101] unknown name 'm': declare it as a param of @p or pass it as a table}}
sattn.pattern @p<n: int = m, m: int = 2, scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C4
// expected-error@below {{[SA0104] role 'w' has unknown axis 'batch': axes are t, u (rows), s, c (keys), h, g (heads), D... (features) or a number}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %w: [batch, h]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C4
// expected-error@below {{[SA0104] role 'w' has axis 'c' without a block length: write c(l)}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %w: [c, g, D]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C4
// expected-error@below {{[SA0104] axis 'h' cannot have a block length: only c (key blocks) and u (row blocks) can}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %w: [h(4)]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C4
// expected-error@below {{[SA0104] axis has size 0: it must be at least 1}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %w: [t, 0]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C5
// expected-error@below {{[SA0105] param 'n' is never used: remove it}}
sattn.pattern @p<n: int = 4, scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C5
// expected-error@below {{[SA0105] role 'w' is never used: remove it}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %w: [h]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C5
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0105] result is never used: remove the line or yield it}}
  %m = sattn.summarize mean %k blocks(8)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C6
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  // expected-error@below {{[SA0106] yields 1 values but @p declares 2 results: yield one value for each}}
  sattn.yield %o
}

// -----

// C6
// expected-error@below {{[SA0106] body does not end with sattn.yield: yield 1 results}}
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
}

// -----

// C6
// expected-error@below {{[SA0106] body does not end with sattn.yield: yield 1 results}}
sattn.pattern @p(%q: [t]) -> (o) {
}

// -----

// structure
// expected-error@below {{[SA0136] has 2 roles but its body takes 1 arguments: declare one role for each}}
"sattn.pattern"() <{outputs = ["y"], params = [], roles = [#sattn.role<x: [t]>, #sattn.role<y: [t]>], sym_name = "p"}> ({
^bb0(%a: !sattn.tensor):
  "sattn.yield"(%a) : (!sattn.tensor) -> ()
}) : () -> ()

// -----

// structure
// expected-error@below {{[SA0136] body takes an argument of type '!sattn.set': roles are !sattn.tensor}}
"sattn.pattern"() <{outputs = ["y"], params = [], roles = [#sattn.role<x: [t]>], sym_name = "p"}> ({
^bb0(%a: !sattn.set):
  %z = "sattn.union"(%a, %a) : (!sattn.set, !sattn.set) -> !sattn.set
  "sattn.yield"() : () -> ()
}) : () -> ()

// -----

// structure
// expected-error@below {{[SA0136] name '0' is not an identifier: use letters, digits and '_', a letter first}}
sattn.pattern @p(%0: [t]) -> (y) {
  sattn.yield %0
}

// -----

// structure
// expected-error@below {{[SA0136] name 'y z' is not an identifier: use letters, digits and '_', a letter first}}
"sattn.pattern"() <{outputs = ["y z"], params = [], roles = [#sattn.role<x: [t]>], sym_name = "p"}> ({
^bb0(%a: !sattn.tensor):
  "sattn.yield"(%a) : (!sattn.tensor) -> ()
}) : () -> ()

// -----

// structure
// expected-error@below {{[SA0106] declares no result: name at least one after '->'}}
sattn.pattern @p(%x: [t]) -> () {
  sattn.yield
}

// -----

// structure
sattn.pattern @p(%x: [t]) -> (y) {
  // expected-error@below {{[SA0136] is not part of the pattern language: use ops of sattn only}}
  %y = builtin.unrealized_conversion_cast %x : !sattn.tensor to !sattn.tensor
  sattn.yield %y
}

// -----

// structure
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // expected-error@below {{[SA0136] operand is used before it is made: move its line up}}
  %o = sattn.attend %z over %keys, %v
  %z = sattn.score dot %q, %k scale(scale)
  sattn.yield %o
}

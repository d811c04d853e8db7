// RUN: sparse-attn-opt %s -split-input-file -verify-diagnostics
// Functions (C38) and their calls (C39).

// -----

// C38
// expected-error@below {{[SA0138] '@f' has no source: write cuda file "f.cu" or cuda text "..."}}
sattn.function @f(x: float) cuda

// -----

// C38
// expected-error@below {{[SA0138] '@f.g' is not a name of C++: use letters, digits and '_', a letter first}}
sattn.function @f.g(x: float) cuda text ""

// -----

// C38
// expected-error@below {{[SA0138] param 'x' of a function is static or has a default: each call gives it, write its type alone}}
sattn.function @f(x: float = 1.0) cuda text ""

// -----

// C38
// expected-error@below {{[SA0138] param 'x' of a function is static or has a default: each call gives it, write its type alone}}
sattn.function @f(static x: int) cuda text ""

// -----

// C38
// expected-error@below {{[SA0138] param 'x' is declared twice: rename one}}
sattn.function @f(x: float, x: int) cuda text ""

// -----

// C3
// expected-error@below {{[SA0103] param 'z' has the reserved name of a position, head or score: rename it}}
sattn.function @f(z: float) cuda text ""

// -----

// C38
// expected-error@below {{[SA0138] unknown name 'y': the formula of '@f' has its params alone, add one}}
sattn.function @f(x: float) cuda text "" as x + y

// -----

// C38
// expected-error@below {{[SA0138] 'x + 1 <= 2' is no number: the formula of a function has its params, numbers and functions of values}}
sattn.function @f(x: float) cuda text "" as x < 2

// -----

// C38
// expected-error@below {{[SA0138] 'sin(x)' is no function of values: use max, min of two, abs, exp, log, tanh, sigmoid, relu or rsqrt of one number}}
sattn.function @f(x: float) cuda text "" as sin(x)

// -----

// C38
// expected-error@below {{[SA0138] 'max(x)' is no function of values: use max, min of two, abs, exp, log, tanh, sigmoid, relu or rsqrt of one number}}
sattn.function @f(x: float) cuda text "" as max(x)

// -----

// C38
// expected-error@below {{[SA0138] '@f(x)' is no function of values: use max, min of two, abs, exp, log, tanh, sigmoid, relu or rsqrt of one number}}
sattn.function @f(x: float) cuda text "" as @f(x)

// -----

// C10
// expected-error@below {{[SA0110] mod by 0: the divisor must be positive}}
sattn.function @f(x: float) cuda text "" as x mod 0

// -----

// C38
// expected-error@below {{[SA0114] a value cannot appear here: write params and integers}}
sattn.function @f(x: float) cuda text "" as %x

// -----

// C36
// expected-note@below {{see existing symbol definition here}}
sattn.function @f(x: float) cuda text ""
// expected-error@below {{redefinition of symbol named 'f'}}
sattn.function @f(x: float) cuda text ""

// -----

// C39
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0139] unknown function '@f': declare it with sattn.function beside the pattern}}
  %y = sattn.map %z : @f(z)
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// -----

// C39
sattn.function @f(x: float) cuda text ""
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0139] function '@f' was given 2 arguments: it takes 1}}
  %y = sattn.map %z : @f(z, t)
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// -----

// C39
sattn.function @f(x: float, n: int) cuda text ""
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0139] 'scale * 2' is not an integer but param 'n' of function '@f' is: declare the param as float}}
  %y = sattn.map %z : @f(z, scale * 2)
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// -----

// C39
sattn.function @f(x: float, n: int) cuda text ""
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %slope: [h]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0139] '%slope[h]' is not an integer but param 'n' of function '@f' is: declare the param as float}}
  %y = sattn.map %z : @f(z, %slope[h])
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// -----

// C39
sattn.function @f(x: float) cuda text ""
// expected-error@below {{[SA0139] function '@f' is called outside sattn.map: it is a function of scores}}
sattn.pattern @p<scale: float = @f(2)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// C39
sattn.function @f(x: float, n: int) cuda text ""
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0139] 2147483648 is beyond the 32 bits of param 'n' of function '@f': declare the param as float}}
  %y = sattn.map %z : @f(z, 2147483648)
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// -----

// C38
// expected-error@below {{[SA0138] formula of '@f' does not use param 'cap': it means less than the source, use it or remove it}}
sattn.function @f(x: float, cap: float) cuda text "" as x

// -----

// C37
sattn.function @f(x: float) cuda text "" as x * x * x * x * x * x * x * x * x * x
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // expected-error@below {{[SA0137] formula has more than 10000 terms with the formulas of the functions that it calls: call them less deeply}}
  %y = sattn.map %z : @f(@f(@f(@f(@f(@f(@f(@f(@f(@f(@f(@f(@f(@f(@f(@f(@f(@f(@f(@f(z))))))))))))))))))))
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// A divisor is static and positive: the message names the place and what to write.
// RUN: split-file %s %t
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/dynamic.mlir
// RUN: not sparse-attn-opt %t/dynamic.mlir 2>&1 | FileCheck %s --check-prefix=DYNAMIC
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/zero.mlir
// RUN: not sparse-attn-opt %t/zero.mlir 2>&1 | FileCheck %s --check-prefix=ZERO
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/negative.mlir
// RUN: not sparse-attn-opt %t/negative.mlir 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/zero_static.mlir
// RUN: not sparse-attn-opt %t/zero_static.mlir 2>&1 | FileCheck %s --check-prefix=ZERO_STATIC
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/negative_static.mlir
// RUN: not sparse-attn-opt %t/negative_static.mlir 2>&1 | FileCheck %s --check-prefix=NEGATIVE_STATIC
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/bound.mlir --bind b=-2
// RUN: not sparse-attn-opt %t/bound.mlir --bind b=-2 2>&1 | FileCheck %s --check-prefix=BOUND
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/position.mlir
// RUN: not sparse-attn-opt %t/position.mlir 2>&1 | FileCheck %s --check-prefix=POSITION

//--- dynamic.mlir
// A param of the call.
sattn.pattern @dynamic<b: int = 4>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t and (t - s) mod b == 0
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
// DYNAMIC: dynamic.mlir:3:{{[0-9]+}}: error: {{.*}}param 'b' divides a position: declare it static

//--- zero.mlir
// The number 0.
sattn.pattern @zero(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t and (t - s) mod 0 == 0
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
// ZERO: zero.mlir:3:{{[0-9]+}}: error: {{.*}}mod by 0: the divisor must be positive

//--- negative.mlir
// A negative number.
sattn.pattern @negative(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t floordiv -4
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
// NEGATIVE: negative.mlir:3:{{[0-9]+}}: error: {{.*}}floordiv by -4: the divisor must be positive

//--- zero_static.mlir
// A static param of 0.
sattn.pattern @zero_static<static b: int = 0>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t and (t - s) mod b == 0
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
// ZERO_STATIC: zero_static.mlir:3:{{[0-9]+}}: error: {{.*}}[SA0207] static params do not fit: divisor 'b' is 0: it must be 1 to 2^31

//--- negative_static.mlir
// What is computed from static params is negative.
sattn.pattern @negative_static<static b: int = 4>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t and t floordiv (b - 8) <= 0
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
// NEGATIVE_STATIC: negative_static.mlir:3:{{[0-9]+}}: error: {{.*}}[SA0207] static params do not fit: divisor 'b - 8' is -4: it must be 1 to 2^31

//--- bound.mlir
// The default is right, the value of --bind is not.
sattn.pattern @bound<static b: int = 4>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t and (t - s) mod b == 0
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
// BOUND: bound.mlir:3:{{[0-9]+}}: error: {{.*}}[SA0207] static params do not fit: divisor 'b' is -2: it must be 1 to 2^31

//--- position.mlir
// A position.
sattn.pattern @position(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t and t mod s == 0
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
// POSITION: position.mlir:3:{{[0-9]+}}: error: {{.*}}divisor 's' holds a position: divide by an integer or a static param

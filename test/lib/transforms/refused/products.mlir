// A product has one factor that only a call knows: sets are quasi-affine.
// RUN: split-file %s %t
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/positions.mlir
// RUN: not sparse-attn-opt %t/positions.mlir 2>&1 | FileCheck %s --check-prefix=POSITIONS
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/scaled.mlir
// RUN: not sparse-attn-opt %t/scaled.mlir 2>&1 | FileCheck %s --check-prefix=SCALED
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/params.mlir
// RUN: not sparse-attn-opt %t/params.mlir 2>&1 | FileCheck %s --check-prefix=PARAMS
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/size.mlir
// RUN: not sparse-attn-opt %t/size.mlir 2>&1 | FileCheck %s --check-prefix=SIZE
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/loads.mlir
// RUN: not sparse-attn-opt %t/loads.mlir 2>&1 | FileCheck %s --check-prefix=LOADS

//--- positions.mlir
// Two positions.
sattn.pattern @positions(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t and t * s <= 100
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
// POSITIONS: positions.mlir:3:{{[0-9]+}}: error: {{.*}}'t * s' multiplies two positions: a set is quasi-affine; use floordiv, mod or a table

//--- scaled.mlir
// A dynamic param scales a position.
sattn.pattern @scaled<W: int = 4>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t and W * s <= t
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
// SCALED: scaled.mlir:3:{{[0-9]+}}: error: {{.*}}param 'W' scales a position: declare it static

//--- params.mlir
// Two dynamic params.
sattn.pattern @params<W: int = 4, S: int = 2>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : 0 <= t - s < W * S
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
// PARAMS: params.mlir:3:{{[0-9]+}}: error: {{.*}}multiplies two numbers that only a call knows: declare one of them static

//--- size.mlir
// A dynamic param and a length.
sattn.pattern @size<W: int = 4>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t and s < W * size(s)
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
// SIZE: size.mlir:3:{{[0-9]+}}: error: {{.*}}multiplies two numbers that only a call knows: declare one of them static

//--- loads.mlir
// Two table loads.
sattn.pattern @loads(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %doc: int[s]) -> (o) {
  %keys = sattn.set (t, s) : s <= t and %doc[t] * %doc[s] == 1
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
// LOADS: loads.mlir:3:{{[0-9]+}}: error: {{.*}}multiplies two positions

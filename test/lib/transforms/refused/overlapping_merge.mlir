// Two sets that share keys, merged: these keys would count twice.
// RUN: split-file %s %t
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/formulas.mlir
// RUN: not sparse-attn-opt %t/formulas.mlir 2>&1 | FileCheck %s --check-prefix=FORMULAS
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/far.mlir
// RUN: not sparse-attn-opt %t/far.mlir 2>&1 | FileCheck %s --check-prefix=FAR
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/selected.mlir
// RUN: not sparse-attn-opt %t/selected.mlir 2>&1 | FileCheck %s --check-prefix=SELECTED

//--- formulas.mlir
// Two formulas.
sattn.pattern @formulas<W: int = 512>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %near = sattn.set (t, s) : 0 <= t - s < W
  %sinks = sattn.set (t, s) : s <= t and s < 4
  %z = sattn.score dot %q, %k
  %a = sattn.accumulate softmax %z over %near, %v
  %b = sattn.accumulate softmax %z over %sinks, %v
  %p = sattn.merge %a, %b
  %o = sattn.finalize %p
  sattn.yield %o
}
// FORMULAS: formulas.mlir:8:{{[0-9]+}}: error: {{.*}}[SA0221] merged results overlap: key 0 of row 0 would count twice; use union, or minus on one set

//--- far.mlir
// They meet far from the origin.
sattn.pattern @far(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %near = sattn.set (t, s) : 0 <= t - s < 4
  %old = sattn.set (t, s) : 2 <= s <= t - 3
  %z = sattn.score dot %q, %k
  %a = sattn.accumulate softmax %z over %near, %v
  %b = sattn.accumulate softmax %z over %old, %v
  %p = sattn.merge %a, %b
  %o = sattn.finalize %p
  sattn.yield %o
}
// FAR: far.mlir:8:{{[0-9]+}}: error: {{.*}}[SA0221] merged results overlap: key 2 of row 5 would count twice; use union, or minus on one set

//--- selected.mlir
// A formula and a selection.
sattn.pattern @selected<W: int = 64>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %near = sattn.set (t, s) : 0 <= t - s < W
  %m = sattn.summarize mean %k blocks(16)
  %a = sattn.score dot %q, %m
  %past = sattn.set (t, c(16)) : last(c) <= t
  %sel = sattn.select top(4) %a where %past
  %z = sattn.score dot %q, %k
  %a2 = sattn.accumulate softmax %z over %near, %v
  %b2 = sattn.accumulate softmax %z over %sel, %v
  %p = sattn.merge %a2, %b2
  %o = sattn.finalize %p
  sattn.yield %o
}
// SELECTED: selected.mlir:11:{{[0-9]+}}: error: {{.*}}[SA0221] merged results overlap: key 0 of row 15 would count twice; use union, or minus on one set

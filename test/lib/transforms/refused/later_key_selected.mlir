// A selection that can reach s > t.
// RUN: split-file %s %t
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/uncut.mlir
// RUN: not sparse-attn-opt %t/uncut.mlir 2>&1 | FileCheck %s --check-prefix=UNCUT
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/cut_late.mlir
// RUN: not sparse-attn-opt %t/cut_late.mlir 2>&1 | FileCheck %s --check-prefix=CUT_LATE
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/ranked.mlir
// RUN: not sparse-attn-opt %t/ranked.mlir 2>&1 | FileCheck %s --check-prefix=RANKED

//--- uncut.mlir
// The own block holds later tokens, and nothing cuts them off.
sattn.pattern @uncut(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(64) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(64)) : first(c) <= t
  %sel = sattn.select top(3) %a where %open force(last(1))
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}
// UNCUT: uncut.mlir:8:{{[0-9]+}}: error: {{.*}}[SA0220] selection can reach key 1 from row 0: intersect it with a set where s <= t

//--- cut_late.mlir
// Cut one token too late.
sattn.pattern @cut_late(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(64) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(64)) : first(c) <= t
  %sel = sattn.select top(3) %a where %open force(last(1))
  %cut = sattn.set (t, s) : s <= t + 1
  %keys = sattn.intersect %sel, %cut
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
// CUT_LATE: cut_late.mlir:10:{{[0-9]+}}: error: {{.*}}[SA0220] selection can reach key 1 from row 0: intersect it with a set where s <= t

//--- ranked.mlir
// Later tokens are cut off, but compete for a place.
sattn.pattern @ranked(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %z = sattn.score dot %q, %k
  %all = sattn.set (t, s) : all
  %sel = sattn.select top(8) %z where %all
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
// RANKED: ranked.mlir:5:{{[0-9]+}}: error: {{.*}}[SA0220] key 1 is ranked for row 0: select where s <= t

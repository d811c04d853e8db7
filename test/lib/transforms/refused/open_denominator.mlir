// Scores normalised over blocks that still grow: later tokens enter the denominator.
// RUN: split-file %s %t
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/first.mlir
// RUN: not sparse-attn-opt %t/first.mlir 2>&1 | FileCheck %s --check-prefix=FIRST
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/early.mlir
// RUN: not sparse-attn-opt %t/early.mlir 2>&1 | FileCheck %s --check-prefix=EARLY

//--- first.mlir
// From the first token on.
sattn.pattern @first(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %kc = sattn.summarize mean %k blocks(32, 16)
  %open = sattn.set (t, c(32, 16)) : first(c) <= t
  %zc = sattn.score dot %q, %kc
  %p = sattn.normalize %zc over %open
  %imp = sattn.rebin sum %p to blocks(64)
  %cand = sattn.set (t, c(64)) : first(c) <= t
  %sel = sattn.select top(4) %imp where %cand
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
// FIRST: first.mlir:6:{{[0-9]+}}: error: {{.*}}[SA0220] block 0 ends at token 31 but enters the denominator of row 0: compare last(c), not first(c)

//--- early.mlir
// One token too early.
sattn.pattern @early(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %kc = sattn.summarize mean %k blocks(32, 16)
  %open = sattn.set (t, c(32, 16)) : last(c) <= t + 1
  %zc = sattn.score dot %q, %kc
  %p = sattn.normalize %zc over %open
  %imp = sattn.rebin sum %p to blocks(64)
  %cand = sattn.set (t, c(64)) : first(c) <= t
  %sel = sattn.select top(4) %imp where %cand
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
// EARLY: early.mlir:6:{{[0-9]+}}: error: {{.*}}[SA0220] block 0 ends at token 31 but enters the denominator of row 30: compare last(c), not first(c)

// A compressed block before its last token.
// RUN: split-file %s %t
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/first.mlir
// RUN: not sparse-attn-opt %t/first.mlir 2>&1 | FileCheck %s --check-prefix=FIRST
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/early.mlir
// RUN: not sparse-attn-opt %t/early.mlir 2>&1 | FileCheck %s --check-prefix=EARLY
// RUN: sparse-attn-opt %t/given.mlir | FileCheck %s --check-prefix=SMALL
// SMALL: causal = "proven"
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/given.mlir --bind l=16
// RUN: not sparse-attn-opt %t/given.mlir --bind l=16 2>&1 | FileCheck %s --check-prefix=GIVEN

//--- first.mlir
// Visible from its first token on.
sattn.pattern @first(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %kc = sattn.summarize mean %k blocks(32, 16)
  %vc = sattn.summarize mean %v blocks(32, 16)
  %open = sattn.set (t, c(32, 16)) : first(c) <= t
  %z = sattn.score dot %q, %kc
  %o = sattn.attend %z over %open, %vc
  sattn.yield %o
}
// FIRST: first.mlir:7:{{[0-9]+}}: error: {{.*}}[SA0220] block 0 ends at token 31 but is visible to row 0: compare last(c), not first(c)

//--- early.mlir
// One token too early.
sattn.pattern @early(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %kc = sattn.summarize mean %k blocks(32, 16)
  %vc = sattn.summarize mean %v blocks(32, 16)
  %open = sattn.set (t, c(32, 16)) : last(c) <= t + 1
  %z = sattn.score dot %q, %kc
  %o = sattn.attend %z over %open, %vc
  sattn.yield %o
}
// EARLY: early.mlir:7:{{[0-9]+}}: error: {{.*}}[SA0220] block 0 ends at token 31 but is visible to row 30: compare last(c), not first(c)

//--- given.mlir
// The values of --bind count: blocks of 8 are complete 7 tokens after their first one, blocks of 16 are not.
sattn.pattern @given<static l: int = 8>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %kc = sattn.summarize mean %k blocks(l)
  %vc = sattn.summarize mean %v blocks(l)
  %open = sattn.set (t, c(l)) : first(c) + 7 <= t
  %z = sattn.score dot %q, %kc
  %o = sattn.attend %z over %open, %vc
  sattn.yield %o
}
// GIVEN: given.mlir:7:{{[0-9]+}}: error: {{.*}}[SA0220] block 0 ends at token 15 but is visible to row 7: compare last(c), not first(c)

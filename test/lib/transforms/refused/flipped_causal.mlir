// A causal comparison the wrong way round: plain sparse-attn-opt names a row and a key that it sees too early.
// RUN: split-file %s %t
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/causal.mlir
// RUN: not sparse-attn-opt %t/causal.mlir 2>&1 | FileCheck %s --check-prefix=CAUSAL
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/window.mlir
// RUN: not sparse-attn-opt %t/window.mlir 2>&1 | FileCheck %s --check-prefix=WINDOW
// RUN: %python %src/test/tools/sparse-attn/Inputs/status.py 1 sparse-attn-opt %t/sinks.mlir
// RUN: not sparse-attn-opt %t/sinks.mlir 2>&1 | FileCheck %s --check-prefix=SINKS

//--- causal.mlir
// causal.mlir with its comparison flipped.
sattn.pattern @causal(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : t <= s
  %z = sattn.score dot %q, %k
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  sattn.yield %o
}
// CAUSAL: causal.mlir:5:{{[0-9]+}}: error: {{.*}}[SA0220] key 1 is visible to row 0, and nothing earlier: turn the comparison round

//--- window.mlir
// A window that looks ahead.
sattn.pattern @window<W: int = 512>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : 0 <= s - t < W
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
// WINDOW: window.mlir:5:{{[0-9]+}}: error: {{.*}}[SA0220] key 1 is visible to row 0, and nothing earlier: turn the comparison round

//--- sinks.mlir
// One part of two; the other is right.
sattn.pattern @sinks<W: int = 8>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : 0 <= s - t < W or s < 4 and s <= t
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
// SINKS: sinks.mlir:5:{{[0-9]+}}: error: {{.*}}[SA0220] key 1 is visible to row 0, and nothing earlier: turn the comparison round

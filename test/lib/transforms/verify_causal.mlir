// What sattn-verify-causal accepts, with its verdict.
// RUN: sparse-attn-opt %s --split-input-file --sattn-verify-causal --verify-diagnostics | FileCheck %s
// RUN: sparse-attn-opt %patterns/dense.mlir --sattn-verify-causal | FileCheck %s --check-prefix=DENSE
// RUN: sparse-attn-opt %patterns/causal.mlir --sattn-verify-causal | FileCheck %s --check-prefix=PROVEN
// RUN: sparse-attn-opt %patterns/window.mlir --sattn-verify-causal | FileCheck %s --check-prefix=PROVEN
// RUN: sparse-attn-opt %patterns/window_sinks.mlir --sattn-verify-causal | FileCheck %s --check-prefix=PROVEN
// RUN: sparse-attn-opt %patterns/strided.mlir --sattn-verify-causal | FileCheck %s --check-prefix=PROVEN
// RUN: sparse-attn-opt %patterns/longformer.mlir --sattn-verify-causal | FileCheck %s --check-prefix=DENSE
// RUN: sparse-attn-opt %patterns/compressed.mlir --sattn-verify-causal | FileCheck %s --check-prefix=PROVEN
// RUN: sparse-attn-opt %patterns/nsa.mlir --sattn-verify-causal | FileCheck %s --check-prefix=GIVEN
// RUN: sparse-attn-opt %patterns/nsa_ext.mlir --sattn-verify-causal | FileCheck %s --check-prefix=GIVEN
// RUN: sparse-attn-opt %patterns/hsa.mlir --sattn-verify-causal | FileCheck %s --check-prefix=GIVEN
// RUN: sparse-attn-opt %patterns/hsa_stickbreak.mlir --sattn-verify-causal | FileCheck %s --check-prefix=GIVEN
// RUN: sparse-attn-opt %patterns/moba.mlir --sattn-verify-causal | FileCheck %s --check-prefix=GIVEN
// RUN: sparse-attn-opt %patterns/topk_blocks.mlir --sattn-verify-causal | FileCheck %s --check-prefix=GIVEN
// PROVEN: causal = "proven"}
// GIVEN: causal = "proven given its where-clause"}
// DENSE: causal = "not claimed (key 1 is visible to row 0)"}

// The same after specialisation; one selection for 128 queries is made from all of them.
// RUN: sparse-attn-opt %patterns/nsa.mlir --sattn-specialize=bind=dtype=f32,D=64,Dv=64,group=4,l=16,d=8,b=32 --sattn-verify-causal | FileCheck %s --check-prefix=GIVEN
// RUN: sparse-attn-opt %patterns/topk_blocks.mlir --sattn-specialize=bind=dtype=f32,D=64,Dv=64,group=4 --sattn-verify-causal | FileCheck %s --check-prefix=GIVEN
// RUN: sparse-attn-opt %patterns/topk_blocks.mlir --sattn-specialize=bind=dtype=f32,D=64,Dv=64,group=4,qblock=128 --sattn-verify-causal | FileCheck %s --check-prefix=QBLOCK
// QBLOCK: causal = "not claimed (selections are made for blocks of 128 rows, from all queries of a block)"}

// Both directions but not the row itself: each half mirrors the other.
// CHECK-LABEL: @others
// CHECK-SAME: causal = "not claimed (key 1 is visible to row 0)"
sattn.pattern @others(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : not s == t
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----
// Some keys ahead are a choice, not a mistake.
// CHECK-LABEL: @lookahead
// CHECK-SAME: causal = "not claimed (key 1 is visible to row 0 with A = 1)"
sattn.pattern @lookahead<A: int, W: int = 8>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : -A <= t - s < W
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----
// A window of -63 keys would show blocks too early; nobody means one, but the claim says so.
// CHECK-LABEL: @far
// CHECK-SAME: causal = "proven given its where-clause, while no param is negative"
sattn.pattern @far<W: int = 512>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %m: [c(64), g, D]) -> (o) {
  %far = sattn.set (t, c(64)) : last(c) <= t - W
  %a = sattn.score dot %q, %m
  %sel = sattn.select top(4) %a where %far
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----
// Summaries of whole blocks for an encoder.
// CHECK-LABEL: @all_blocks
// CHECK-SAME: causal = "not claimed (block 0 ends at token 31 but is visible to row 0)"
sattn.pattern @all_blocks(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %kc = sattn.summarize mean %k blocks(32)
  %vc = sattn.summarize mean %v blocks(32)
  %all = sattn.set (t, c(32)) : all
  %z = sattn.score dot %q, %kc
  %o = sattn.attend %z over %all, %vc
  sattn.yield %o
}

// -----
// Probabilities over complete blocks hold nothing of the blocks they are binned to.
// CHECK-LABEL: @binned
// CHECK-SAME: causal = "proven given its where-clause"
sattn.pattern @binned(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %kc = sattn.summarize mean %k blocks(32, 16)
  %past = sattn.set (t, c(32, 16)) : last(c) <= t
  %zc = sattn.score dot %q, %kc
  %p = sattn.normalize %zc over %past
  %imp = sattn.rebin sum %p to blocks(64)
  %open = sattn.set (t, c(64)) : first(c) <= t
  %sel = sattn.select top(4) %imp where %open
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----
// Tables are unknown integers; lists and random blocks are unknown sets.
// CHECK-LABEL: @documents
// CHECK-SAME: causal = "proven"
sattn.pattern @documents(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %doc: int[s]) -> (o) {
  %same = sattn.set (t, s) : %doc[t] == %doc[s]
  %some = sattn.random count(3) seed(7) blocks(16)
  %past = sattn.set (t, s) : s <= t
  %either = sattn.union %same, %some
  %keys = sattn.intersect %either, %past
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----
// CHECK-LABEL: @gate_ahead
// CHECK-SAME: causal = "not claimed (a role is read at position 's + 1')"
sattn.pattern @gate_ahead(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %gate: [s, h]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  %y = sattn.map %z : z + %gate[s + 1, h] - %gate[s, h]
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// -----
// CHECK-LABEL: @kept
// CHECK-SAME: causal = "not claimed (sattn.smooth pools later neighbours)"
sattn.pattern @kept(%k: [s, h, D], %votes: [s, h]) -> (kept) {
  %soft = sattn.smooth max %votes width(5)
  %rows = sattn.route top(8) %soft
  %kept = sattn.gather %k at %rows
  sattn.yield %kept
}

// -----
// CHECK-LABEL: @votes
// CHECK-SAME: causal = "not claimed (sattn.colsum sums over later rows)"
sattn.pattern @votes(%q: [t, h, D], %k: [s, g, D]) -> (votes) {
  %past = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  %p = sattn.normalize %z over %past
  %votes = sattn.colsum %p over %past
  sattn.yield %votes
}

// -----
// CHECK-LABEL: @routed
// CHECK-SAME: causal = "not claimed (sattn.route ranks all positions at once)"
sattn.pattern @routed(%x: [t, h, D], %r: [t, h]) -> (y) {
  %rows = sattn.route top(8) %r
  %best = sattn.gather %x at %rows
  %y = sattn.scatter %best at %rows
  sattn.yield %y
}

// -----
// CHECK-LABEL: @unbound
// CHECK-SAME: causal = "not claimed (block length 'l' has no value yet: declare its params static)"
sattn.pattern @unbound<static l: int>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %kc = sattn.summarize mean %k blocks(l)
  %vc = sattn.summarize mean %v blocks(l)
  %past = sattn.set (t, c(l)) : last(c) <= t
  %z = sattn.score dot %q, %kc
  %o = sattn.attend %z over %past, %vc
  sattn.yield %o
}

// -----
// CHECK-LABEL: @useless_force
// CHECK-SAME: causal = "proven given its where-clause"
sattn.pattern @useless_force(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %m
  %past = sattn.set (t, c(8)) : last(c) <= t
  // expected-remark @below {{forced last block of row 0 is outside 'where': it will never be chosen}}
  %sel = sattn.select top(4) %a where %past force(last(1))
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----
// CHECK-LABEL: @useless_force_token
// CHECK-SAME: causal = "proven given its where-clause"
sattn.pattern @useless_force_token(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %z = sattn.score dot %q, %k
  %past = sattn.set (t, s) : s < t
  // expected-remark @below {{forced last key of row 0 is outside 'where': it will never be chosen}}
  %sel = sattn.select top(4) %z where %past force(last(1))
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

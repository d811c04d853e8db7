// RUN: sparse-attn-opt %s --split-input-file --sattn-specialize=bind=dtype=f32,D=8,Dv=8,group=2 --sattn-normalize-sets | FileCheck %s

// Formulas melt into one; blocks meet tokens as tokens.
// CHECK-LABEL: sattn.pattern @melt
// CHECK-NOT: sattn.{{union|minus|intersect}}
// CHECK: %[[KEYS:.*]] = sattn.set (t, s) : 0 <= t - s < W and t - 8 * (s floordiv 8) >= 8 or t - 8 * (s floordiv 8) >= 8 and s <= 3
// CHECK: sattn.accumulate softmax %{{.*}} over %[[KEYS]], %v
sattn.pattern @melt<W: int = 16>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %near = sattn.set (t, s) : 0 <= t - s < W
  %sinks = sattn.set (t, s) : s < 4
  %open = sattn.set (t, c(8)) : t < first(c) + 8
  %both = sattn.union %near, %sinks
  %keys = sattn.minus %both, %open
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// A selection keeps one residual formula, shared by its uses.
// CHECK-LABEL: sattn.pattern @residual
// CHECK: %[[SEL:.*]] = sattn.select
// CHECK: %[[REST:.*]] = sattn.set (t, s) : 0 <= t - s < W
// CHECK: %[[KEYS:.*]] = sattn.intersect %[[SEL]], %[[REST]]
// CHECK: sattn.accumulate softmax %{{.*}} over %[[KEYS]], %v
// CHECK-NOT: sattn.intersect
// CHECK: sattn.accumulate softmax %{{.*}} over %[[KEYS]], %v
sattn.pattern @residual<W: int = 16>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, o2) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : first(c) <= t
  %sel = sattn.select top(2) %a where %open
  %causal = sattn.set (t, s) : s <= t
  %near = sattn.set (t, s) : t - s < W
  %cut = sattn.intersect %sel, %causal
  %keys = sattn.intersect %near, %cut
  %z = sattn.score dot %q, %k
  %z2 = sattn.score dot %q, %k scale(2.0)
  %o = sattn.attend %z over %keys, %v
  %o2 = sattn.attend %z2 over %keys, %v
  sattn.yield %o, %o2
}

// -----

// The union of a formula and a selection: the selection gives up the keys of the formula.
// CHECK-LABEL: sattn.pattern @split
// CHECK: %[[SEL:.*]] = sattn.select
// CHECK: %[[NEAR:.*]] = sattn.set (t, s) : 0 <= t - s < W
// CHECK: %[[A:.*]] = sattn.accumulate softmax %[[Z:.*]] over %[[NEAR]], %v
// CHECK: %[[REST:.*]] = sattn.set (t, s) : s <= t and t - s >= W
// CHECK: %[[FAR:.*]] = sattn.intersect %[[SEL]], %[[REST]]
// CHECK: %[[B:.*]] = sattn.accumulate softmax %[[Z]] over %[[FAR]], %v
// CHECK: %[[ACC:.*]] = sattn.merge %[[A]], %[[B]]
// CHECK: sattn.finalize %[[ACC]]
sattn.pattern @split<W: int = 16>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : first(c) <= t
  %sel = sattn.select top(2) %a where %open
  %near = sattn.set (t, s) : t - s < W
  %both = sattn.union %near, %sel
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %both, %causal
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// Formulas that read tables melt as others do; an op has the tables that its formula mentions.
// CHECK-LABEL: sattn.pattern @tables
// CHECK-SAME: %[[DOC:[a-z]+]]: int[s]
// CHECK: %[[NEAR:.*]] = sattn.set (t, s) : s <= t and %doc[s] == %doc[t] and %pos[s] >= 0
// CHECK: sattn.accumulate softmax %{{.*}} over %[[NEAR]], %v
// CHECK: %[[FAR:.*]] = sattn.set (t, s) : s <= t and %pos[s] <= -1
// CHECK: sattn.accumulate softmax %{{.*}} over %[[FAR]], %v
sattn.pattern @tables(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %doc: int[s], %pos: int[s]) -> (o, o2) {
  %same = sattn.set (t, s) : %doc[t] == %doc[s]
  %here = sattn.set (t, s) : %pos[s] >= 0
  %causal = sattn.set (t, s) : s <= t
  %near = sattn.intersect %same, %here, %causal
  %far = sattn.minus %causal, %here
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %near, %v
  %o2 = sattn.attend %z over %far, %v
  sattn.yield %o, %o2
}

// -----

// Random blocks are known before any key is read: the union of them and a formula stays one set.
// CHECK-LABEL: sattn.pattern @random
// CHECK: %[[RAND:.*]] = sattn.random count(3) seed(7) blocks(64)
// CHECK: %[[NEAR:.*]] = sattn.set (t, s) : 0 <= t - s <= 63
// CHECK: %[[PAST:.*]] = sattn.set (t, s) : s <= t
// CHECK: %[[FAR:.*]] = sattn.intersect %[[RAND]], %[[PAST]]
// CHECK: %[[BOTH:.*]] = sattn.union %[[NEAR]], %[[FAR]]
// CHECK: sattn.accumulate softmax %{{.*}} over %[[BOTH]], %v
sattn.pattern @random(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %near = sattn.set (t, s) : t - s < 64
  %some = sattn.random count(3) seed(7) blocks(64)
  %all = sattn.union %near, %some
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %all, %causal
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

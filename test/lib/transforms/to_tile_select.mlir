// RUN: sparse-attn-opt %s --sattn-tile-pipeline="bind=dtype=f32,D=64,Dv=64,group=4 target=keyLayout=rows:4,valueLayout=cols:4" | FileCheck %s

// Compressed attention, importance and top-k in one kernel of two passes; no rows x blocks array.
// CHECK-LABEL: sattn_tile.program @nsa
// CHECK: sattn_tile.kernel @summarize_summary_keys(
// CHECK: sattn_tile.load_blocks mean %{{.*}} blocks(32, 16)
// CHECK: sattn_tile.kernel @select(
// CHECK: %[[Q:.*]] = sattn_tile.load %{{.*}} : <f32, 64, group = 4, outer> -> <64x64xf32>
// Nothing is folded into the queries: equal products stay equal.
// CHECK: %[[STATS:.*]]:3 = sattn_tile.stream
// CHECK: sattn_tile.softmax_step
// CHECK: sattn_tile.dot nn
// CHECK: %[[OC:.*]], %{{.*}} = sattn_tile.softmax_finish %[[STATS]]#0, %[[STATS]]#1, %[[STATS]]#2
// CHECK: sattn_tile.store %[[OC]], %{{.*}} : <64x64xf32>, <f32, 64, group = 4, outer>
// CHECK: %[[LSE:.*]] = sattn_tile.map {{.*}} = %[[STATS]]#0, {{.*}} = %[[STATS]]#1
// CHECK: %[[TOP:.*]]:2 = sattn_tile.stream %{{.*}} in %{{.*}} carry(%[[T:.*]] = %{{.*}}, %[[HALO:.*]] = %{{.*}}) : !sattn_tile.top<16x16>, !sattn_tile.tile<16x1xf32>
// CHECK: %[[DOT:.*]] = sattn_tile.dot nt %[[Q]]
// CHECK: %[[S:.*]] = sattn_tile.map (%{{.*}} = %[[DOT]]
// CHECK: %[[PAST:.*]] = sattn_tile.mask %[[S]]
// CHECK: %[[P:.*]] = sattn_tile.map (%{{.*}} = %[[PAST]], %{{.*}} = %[[LSE]])
// CHECK: %[[G:.*]] = sattn_tile.reduce sum %[[P]] over heads(4) outer
// CHECK: %[[IMP:.*]], %[[NEXT:.*]] = sattn_tile.pool %[[G]], %[[HALO]] weights [1.000000e+00, 2.000000e+00, 2.000000e+00, 2.000000e+00, 1.000000e+00] stride 4
// CHECK: %[[OPEN:.*]] = sattn_tile.mask %[[IMP]]
// CHECK: %[[T1:.*]] = sattn_tile.top_push %[[T]], %[[OPEN]] ids(%{{.*}}) rows(%{{.*}}) symbols(%{{.*}}, %local, %init) {forced = [
// CHECK: sattn_tile.yield %[[T1]], %[[NEXT]]
// CHECK: %[[IDS:.*]], %{{.*}} = sattn_tile.top_list %[[TOP]]#0
// CHECK: sattn_tile.store %[[IDS]], %{{.*}} : <16x16xi32>, <i32, 16>

// Selected, window and gates in one kernel; state in private memory, each selected block visited once for a task.
// CHECK: sattn_tile.kernel @attend(
// CHECK: %[[ACC:.*]] = sattn_tile.private [[ROWS:[0-9]+]] : <f32, 64, group = 4>
// CHECK: %[[M:.*]] = sattn_tile.private [[ROWS]] : <f32, 1, group = 4>
// CHECK: %[[L:.*]] = sattn_tile.private [[ROWS]] : <f32, 1, group = 4>
// CHECK: %[[QS:.*]] = sattn_tile.private [[ROWS]] : <f32, 64, group = 4>
// CHECK: scf.for
// CHECK: sattn_tile.store %{{.*}}, %[[QS]]
// CHECK: %[[INV:.*]] = sattn_tile.invert %{{.*}} count [[ROWS]] units(
// CHECK: sattn_tile.stream_inverse (%[[UNIT:.*]], %[[MEMBERS:.*]], %{{.*}}) in %[[INV]] members 16 {
// CHECK: sattn_tile.gather %[[ACC]][%{{.*}} + %[[MEMBERS]]]
// CHECK: sattn_tile.mask %{{.*}} rows(%{{.*}} + %[[MEMBERS]] : !sattn_tile.tile<16xi32>) {{.*}} when %
// CHECK: sattn_tile.scatter %{{.*}}, %[[ACC]]
// CHECK: scf.for
// CHECK: sattn_tile.slice %g{{.*}} column 0 : <f32, 3> -> <f32, 1, group = 4>
// CHECK: sattn_tile.softmax_finish
// CHECK: sattn_tile.stream
// CHECK: sattn_tile.softmax_finish
// CHECK: %[[MIX:.*]] = sattn_tile.map
// CHECK: sattn_tile.store %[[MIX]], %{{.*}} : <64x64xf32>, <f32, 64, group = 4>

// CHECK: sattn_tile.plan
// CHECK: sattn_tile.loop
// CHECK: sattn_tile.launch @pack_v_values
// CHECK: sattn_tile.loop
// CHECK: sattn_tile.launch @select
// CHECK: sattn_tile.launch @attend
sattn.pattern @nsa<W: int = 512, init: int = 1, local: int = 2, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %g: [t, h, 3]) -> (o) {
  %kc = sattn.summarize mean %k blocks(32, 16)
  %vc = sattn.summarize mean %v blocks(32, 16)
  %past = sattn.set (t, c(32, 16)) : last(c) <= t
  %zc = sattn.score dot %q, %kc scale(scale)
  %oc = sattn.attend %zc over %past, %vc
  %p = sattn.normalize %zc over %past
  %pg = sattn.reduce sum %p over h to g
  %imp = sattn.rebin sum %pg to blocks(64)
  %open = sattn.set (t, c(64)) : first(c) <= t
  %sel = sattn.select top(16) %imp where %open force(first(init) last(local))
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %win = sattn.set (t, s) : 0 <= t - s < W
  %z = sattn.score dot %q, %k scale(scale)
  %os = sattn.attend %z over %keys, %v
  %ow = sattn.attend %z over %win, %v
  %o = sattn.mix %g[t, h, 0] * %oc + %g[t, h, 1] * %os + %g[t, h, 2] * %ow
  sattn.yield %o
}

// One softmax for each block, weighted by the selection kernel: blocks of two key tiles, stick-breaking weights.
// CHECK-LABEL: sattn_tile.program @hsa
// CHECK: sattn_tile.kernel @select(
// CHECK: %{{.*}}, %[[SCORES:.*]] = sattn_tile.top_list
// CHECK: %[[SOFTPLUS:.*]] = sattn_tile.map (%{{.*}} = %[[SCORES]])
// CHECK: %[[USED:.*]] = sattn_tile.row_scan %[[SOFTPLUS]] reverse
// CHECK: %[[W:.*]] = sattn_tile.map (%{{.*}} = %[[SCORES]], %{{.*}} = %[[USED]])
// CHECK: sattn_tile.store %[[W]], %{{.*}} : <64x4xf32>, <f32, 4>
// CHECK: sattn_tile.kernel @attend(
// CHECK: sattn_tile.stream_inverse (%{{.*}}, %[[IDS:.*]], %[[SLOTS:.*]]) in
// CHECK: %[[R:.*]]:3 = sattn_tile.stream
// CHECK: sattn_tile.softmax_step
// CHECK: %[[WEIGHT:.*]] = sattn_tile.gather_at %{{.*}}[%{{.*}} + %[[IDS]], %[[SLOTS]]] : <f32, 4>, <16xi32>, <16xi32> -> <64xf32>
// CHECK: %[[F:.*]] = sattn_tile.map (%{{.*}} = %[[WEIGHT]], %{{.*}} = %[[R]]#1)
// CHECK: sattn_tile.map (%{{.*}} = %{{.*}}, %{{.*}} = %[[R]]#2, %{{.*}} = %[[F]])
sattn.pattern @hsa(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %r: [t, g, D], %m: [c(128), g, D]) -> (o) {
  %far = sattn.set (t, c(128)) : last(c) < t
  %a = sattn.score dot %r, %m
  %sel = sattn.select top(4) %a where %far
  %w = sattn.weigh stickbreak %a over %sel
  %z = sattn.score dot %q, %k scale(0.125)
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %o = sattn.blend %p by %w
  sattn.yield %o
}

// Rows that share a list: a task is a part of the block of rows, with one list.
// CHECK-LABEL: sattn_tile.program @listed
// CHECK: sattn_tile.kernel @summarize_q_means(
// CHECK: sattn_tile.kernel @attend(
// CHECK: sattn_tile.private 32 : <f32, 64, group = 2>
// CHECK: sattn_tile.invert %{{.*}} count 1 units(
// CHECK: sattn_tile.stream_inverse {{.*}} members 1 {
// CHECK-NOT: sattn_tile.gather
// CHECK: sattn_tile.plan
sattn.pattern @listed(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(64) ragged
  %mq = sattn.summarize mean %q blocks(96)
  %a = sattn.score dot %mq, %m
  %ag = sattn.reduce sum %a over h to g
  %open = sattn.set (u(96), c(64)) : first(c) <= last(u)
  %sel = sattn.select top(4) %ag where %open force(last(1))
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// RUN: sparse-attn-opt %s | sparse-attn-opt | FileCheck %s
// RUN: sparse-attn-opt %s --mlir-print-op-generic | sparse-attn-opt | FileCheck %s

// The text form of every op and type that attend.mlir leaves out.
// CHECK-LABEL: sattn_tile.program @ops
sattn_tile.program @ops {
  // CHECK: sattn_tile.kernel @select(%k: !sattn_tile.arg<bf16, 64>, %pages: !sattn_tile.arg<i32, 1>, %lists: !sattn_tile.arg<i32, 8>, %n: index) grid(%x, %y, %z)
  sattn_tile.kernel @select(%k: !sattn_tile.arg<bf16, 64>, %pages: !sattn_tile.arg<i32, 1>, %lists: !sattn_tile.arg<i32, 8>, %n: index) grid(%x, %y, %z) {
    %c0 = arith.constant 0 : index
    // CHECK: sattn_tile.slice %k[%z, %y] limit %n : <bf16, 64> -> <bf16, 64>
    %kv = sattn_tile.slice %k[%z, %y] limit %n : !sattn_tile.arg<bf16, 64> -> !sattn_tile.view<bf16, 64>
    // CHECK: sattn_tile.slice %k[%z, %y] limit %n every 8 from %x : <bf16, 64> -> <bf16, 64>
    %class = sattn_tile.slice %k[%z, %y] limit %n every 8 from %x : !sattn_tile.arg<bf16, 64> -> !sattn_tile.view<bf16, 64>
    // CHECK: sattn_tile.slice %k[%z, %y] : <bf16, 64> -> <bf16, 64, group = 4, outer>
    %qv = sattn_tile.slice %k[%z, %y] : !sattn_tile.arg<bf16, 64> -> !sattn_tile.view<bf16, 64, group = 4, outer>
    // CHECK: sattn_tile.slice %k[%z, %y] limit %n paged %pages by 48 : <bf16, 64> -> <bf16, 64>
    %pv = sattn_tile.slice %k[%z, %y] limit %n paged %pages by 48 : !sattn_tile.arg<bf16, 64> -> !sattn_tile.view<bf16, 64>
    // CHECK: sattn_tile.slice %k[%z, %y] every 8 from %x paged %pages by 1 : <bf16, 64> -> <bf16, 64>
    %pc = sattn_tile.slice %k[%z, %y] every 8 from %x paged %pages by 1 : !sattn_tile.arg<bf16, 64> -> !sattn_tile.view<bf16, 64>
    // CHECK: sattn_tile.prefetch %{{.*}}[%x] count 16 : <bf16, 64>
    sattn_tile.prefetch %kv[%x] count 16 : !sattn_tile.view<bf16, 64>
    %lv = sattn_tile.slice %lists[%z, %y] : !sattn_tile.arg<i32, 8> -> !sattn_tile.view<i32, 8>
    // CHECK: sattn_tile.slice %k[%z, %y] column 2 repeat : <bf16, 64> -> <bf16, 1>
    %one = sattn_tile.slice %k[%z, %y] column 2 repeat : !sattn_tile.arg<bf16, 64> -> !sattn_tile.view<bf16, 1>
    %cv = sattn_tile.slice %k[%z, %y] column 2 : !sattn_tile.arg<bf16, 64> -> !sattn_tile.view<bf16, 1>
    // CHECK: sattn_tile.load %{{.*}}[%x] : <bf16, 1> -> <1x64xf32>
    %columns = sattn_tile.load %cv[%x] : !sattn_tile.view<bf16, 1> -> !sattn_tile.tile<1x64xf32>
    // CHECK: sattn_tile.iota #{{.*}} : <16xf32>
    %rows = sattn_tile.iota affine_map<(r) -> (r floordiv 4)> : !sattn_tile.tile<16xf32>
    // CHECK: sattn_tile.iota #{{.*}} : <1x64xf32>
    %numbers = sattn_tile.iota affine_map<(c) -> (c)> : !sattn_tile.tile<1x64xf32>
    // CHECK: sattn_tile.count positions of %k : <bf16, 64>
    %s = sattn_tile.count positions of %k : !sattn_tile.arg<bf16, 64>
    // CHECK: sattn_tile.load_blocks mean %{{.*}}[%{{.*}}] blocks(32, 16) ragged : <bf16, 64> -> <64x64xf32>
    %km = sattn_tile.load_blocks mean %kv[%c0] blocks (32, 16) ragged : !sattn_tile.view<bf16, 64> -> !sattn_tile.tile<64x64xf32>
    // CHECK: sattn_tile.load_blocks max %{{.*}}[%{{.*}}] blocks(16, 16) ragged finite : <bf16, 64> -> <64x64xf32>
    %kx = sattn_tile.load_blocks max %kv[%c0] blocks (16, 16) ragged finite : !sattn_tile.view<bf16, 64> -> !sattn_tile.tile<64x64xf32>
    // CHECK: sattn_tile.load_blocks sum %{{.*}}[%{{.*}}] blocks(64, 64) : <bf16, 64> -> <64x64xf32>
    %ks = sattn_tile.load_blocks sum %kv[%c0] blocks (64, 64) : !sattn_tile.view<bf16, 64> -> !sattn_tile.tile<64x64xf32>
    %q = sattn_tile.load %qv[%x] : !sattn_tile.view<bf16, 64, group = 4, outer> -> !sattn_tile.tile<16x64xf32>
    %e = sattn_tile.dot nt %q, %km : !sattn_tile.tile<16x64xf32>, !sattn_tile.tile<64x64xf32> -> !sattn_tile.tile<16x64xf32>
    // CHECK: sattn_tile.dot l1 %{{.*}}, %{{.*}} {below = 4 : i64} : <16x64xf32>, <64x64xf32> -> <16x64xf32>
    %far = sattn_tile.dot l1 %q, %km {below = 4 : i64} : !sattn_tile.tile<16x64xf32>, !sattn_tile.tile<64x64xf32> -> !sattn_tile.tile<16x64xf32>
    // CHECK: sattn_tile.reduce sum %{{.*}} over heads(4) outer : <16x64xf32> -> <4x64xf32>
    %g = sattn_tile.reduce sum %e over heads(4) outer : !sattn_tile.tile<16x64xf32> -> !sattn_tile.tile<4x64xf32>
    // CHECK: sattn_tile.reduce max %{{.*}} over cols : <16x64xf32> -> <16xf32>
    %mx = sattn_tile.reduce max %e over cols : !sattn_tile.tile<16x64xf32> -> !sattn_tile.tile<16xf32>
    // CHECK: sattn_tile.row_scan %{{.*}} reverse : <4x64xf32> -> <4x64xf32>
    %sc = sattn_tile.row_scan %g reverse : !sattn_tile.tile<4x64xf32> -> !sattn_tile.tile<4x64xf32>
    %halo = sattn_tile.splat 0.0 : !sattn_tile.tile<4x1xf32>
    // CHECK: sattn_tile.pool %{{.*}}, %{{.*}} weights [1.000000e+00, 2.000000e+00, 2.000000e+00, 2.000000e+00, 1.000000e+00] stride 4 : <4x64xf32>, <4x1xf32> -> <4x16xf32>
    %p, %h1 = sattn_tile.pool %g, %halo weights [1.0, 2.0, 2.0, 2.0, 1.0] stride 4 : !sattn_tile.tile<4x64xf32>, !sattn_tile.tile<4x1xf32> -> !sattn_tile.tile<4x16xf32>
    // CHECK: sattn_tile.top_init : <4x8>
    %t0 = sattn_tile.top_init : !sattn_tile.top<4x8>
    // CHECK: sattn_tile.top_push %{{.*}}, %{{.*}} ids(%{{.*}}) rows(%x) symbols(%n) {forced = [#{{.*}}], row_map = #{{.*}}} : <4x8>, <4x16xf32>
    %t1 = sattn_tile.top_push %t0, %p ids(%c0) rows(%x) symbols(%n) {forced = [affine_set<(t, c)[n] : (c - t == 0, n - c >= 0)>], row_map = affine_map<(r) -> (r)>} : !sattn_tile.top<4x8>, !sattn_tile.tile<4x16xf32>
    %mass = arith.constant 0.9 : f32
    // CHECK: %[[KEPT:.*]] = sattn_tile.top_mass %{{.*}} to(%{{.*}}) : <4x8>
    %t2 = sattn_tile.top_mass %t1 to(%mass) : !sattn_tile.top<4x8>
    // CHECK: sattn_tile.top_list %[[KEPT]] : <4x8> -> <4x8xi32>, <4x8xf32>
    %ids, %scores = sattn_tile.top_list %t2 : !sattn_tile.top<4x8> -> !sattn_tile.tile<4x8xi32>, !sattn_tile.tile<4x8xf32>
    sattn_tile.store %ids, %lv[%x] : !sattn_tile.tile<4x8xi32>, !sattn_tile.view<i32, 8>
    sattn_tile.return
  }
  // CHECK: sattn_tile.kernel @tokens
  sattn_tile.kernel @tokens(%q: !sattn_tile.arg<f32, 64>, %s: !sattn_tile.arg<f32, 64>, %l: !sattn_tile.arg<i32, 1>, %m: !sattn_tile.arg<i32, 1>, %b: !sattn_tile.arg<f32, 1>, %k: !sattn_tile.arg<i32, 8>, %u: !sattn_tile.arg<i32, 1>, %n: index) grid(%x, %y, %z) {
    // CHECK: sattn_tile.slice %q[%z, %x] across : <f32, 64> -> <f32, 64>
    %qv = sattn_tile.slice %q[%z, %x] across : !sattn_tile.arg<f32, 64> -> !sattn_tile.view<f32, 64>
    %sv = sattn_tile.slice %s[%z, %x] : !sattn_tile.arg<f32, 64> -> !sattn_tile.view<f32, 64>
    %lv = sattn_tile.slice %l[%z, %x] : !sattn_tile.arg<i32, 1> -> !sattn_tile.view<i32, 1>
    %mv = sattn_tile.slice %m[%z, %x] : !sattn_tile.arg<i32, 1> -> !sattn_tile.view<i32, 1>
    // CHECK: sattn_tile.top_row %{{.*}}[%x to %n] count(%n) rows(%y) symbols(%n) into %{{.*}} {forced = [#{{.*}}]} : <f32, 64>, <i32, 1>
    sattn_tile.top_row %sv[%x to %n] count(%n) rows(%y) symbols(%n) into %lv {forced = [affine_set<(t, i)[n] : (n - i >= 0)>]} : !sattn_tile.view<f32, 64>, !sattn_tile.view<i32, 1>
    // CHECK: sattn_tile.members %{{.*}}[%y] per 4 into %{{.*}} : <i32, 8>, <i32, 1>
    %kv = sattn_tile.slice %k[%z, %x] : !sattn_tile.arg<i32, 8> -> !sattn_tile.view<i32, 8>
    %uv = sattn_tile.slice %u[%z, %x] : !sattn_tile.arg<i32, 1> -> !sattn_tile.view<i32, 1>
    sattn_tile.members %kv[%y] per 4 into %uv : !sattn_tile.view<i32, 8>, !sattn_tile.view<i32, 1>
    // CHECK: sattn_tile.length %{{.*}} : <i32, 1>
    %length = sattn_tile.length %mv : !sattn_tile.view<i32, 1>
    %row = sattn_tile.load %mv[%length] : !sattn_tile.view<i32, 1> -> !sattn_tile.tile<16xi32>
    // CHECK: sattn_tile.hadamard %{{.*}} : <16x64xf32>
    %rows = sattn_tile.load %qv[%x] : !sattn_tile.view<f32, 64> -> !sattn_tile.tile<16x64xf32>
    %turned = sattn_tile.hadamard %rows : !sattn_tile.tile<16x64xf32>
    // CHECK: sattn_tile.load %{{.*}}[%x] turned : <f32, 1, group = 4, outer> -> <16x8xf32>
    %heads = sattn_tile.slice %b[%z, %x] : !sattn_tile.arg<f32, 1> -> !sattn_tile.view<f32, 1, group = 4, outer>
    %ofheads = sattn_tile.load %heads[%x] turned : !sattn_tile.view<f32, 1, group = 4, outer> -> !sattn_tile.tile<16x8xf32>
    // CHECK: sattn_tile.columns %{{.*}} : <16xi32> -> <1x16xi32>
    %cols = sattn_tile.columns %row : !sattn_tile.tile<16xi32> -> !sattn_tile.tile<1x16xi32>
    // CHECK: sattn_tile.choose %{{.*}} by %{{.*}} block 16 : <16x64xf32>, <16xi32>
    %chosen = sattn_tile.choose %rows by %row block 16 : !sattn_tile.tile<16x64xf32>, !sattn_tile.tile<16xi32>
    // CHECK: sattn_tile.choose %{{.*}} by %{{.*}} block 64 others : <16x64xf32>, <16xi32>
    %others = sattn_tile.choose %rows by %row block 64 others : !sattn_tile.tile<16x64xf32>, !sattn_tile.tile<16xi32>
    sattn_tile.return
  }
  // CHECK: sattn_tile.kernel @blocks
  sattn_tile.kernel @blocks(%q: !sattn_tile.arg<f32, 64>, %w: !sattn_tile.arg<f32, 8>, %lists: !sattn_tile.arg<i32, 8>, %o: !sattn_tile.arg<f32, 64>, %off: !sattn_tile.per_batch, %sink: !sattn_tile.arg<f32, 1>) grid(%x, %y, %z) {
    %c0 = arith.constant 0 : index
    %f0 = arith.constant 0.0 : f32
    %true = arith.constant true
    // CHECK: sattn_tile.of_batch %off[%z]
    %t0 = sattn_tile.of_batch %off[%z]
    %qv = sattn_tile.slice %q[%z, %y] : !sattn_tile.arg<f32, 64> -> !sattn_tile.view<f32, 64, group = 4>
    %wv = sattn_tile.slice %w[%z, %y] : !sattn_tile.arg<f32, 8> -> !sattn_tile.view<f32, 8, group = 4>
    %ov = sattn_tile.slice %o[%z, %y] : !sattn_tile.arg<f32, 64> -> !sattn_tile.view<f32, 64, group = 4>
    %lv = sattn_tile.slice %lists[%z, %y] : !sattn_tile.arg<i32, 8> -> !sattn_tile.view<i32, 8>
    %dv = sattn_tile.slice %lists[%z, %y] column 0 : !sattn_tile.arg<i32, 8> -> !sattn_tile.view<i32, 1>
    %zv = sattn_tile.slice %sink[%z, %y] : !sattn_tile.arg<f32, 1> -> !sattn_tile.view<f32, 1, group = 4>
    // CHECK: sattn_tile.private 32 : <f32, 64, group = 4>
    %acc = sattn_tile.private 32 : !sattn_tile.view<f32, 64, group = 4>
    // CHECK: sattn_tile.fill %{{.*}}, %{{.*}} : <f32, 64, group = 4>
    sattn_tile.fill %f0, %acc : !sattn_tile.view<f32, 64, group = 4>
    // CHECK: sattn_tile.fill %{{.*}}, %{{.*}} to %x : <f32, 64, group = 4>
    sattn_tile.fill %f0, %acc to %x : !sattn_tile.view<f32, 64, group = 4>
    // CHECK: sattn_tile.entry %{{.*}}[%x, %{{.*}}] : <i32, 8> -> index
    %entry = sattn_tile.entry %lv[%x, %c0] : !sattn_tile.view<i32, 8> -> index
    %l1 = sattn_tile.slice %lists[%z, %y] column 0 : !sattn_tile.arg<i32, 8> -> !sattn_tile.view<i32, 1>
    // CHECK: sattn_tile.invert %{{.*}}[%x] count 1 units(%{{.*}}) base %{{.*}} unordered flags : <i32, 8>
    %inf = sattn_tile.invert %lv[%x] count 1 units(%c0) base %c0 unordered flags : !sattn_tile.view<i32, 8>
    // CHECK: sattn_tile.invert %{{.*}}[%x] starts %{{.*}} count 1 units(%{{.*}}) unordered : <i32, 8>, !sattn_tile.view<i32, 1>
    %ins = sattn_tile.invert %lv[%x] starts %l1 count 1 units(%c0) unordered : !sattn_tile.view<i32, 8>, !sattn_tile.view<i32, 1>
    // CHECK: sattn_tile.invert %{{.*}}[%x] count 32 units(%{{.*}}) : <i32, 8>
    %inv = sattn_tile.invert %lv[%x] count 32 units(%c0) : !sattn_tile.view<i32, 8>
    // CHECK: sattn_tile.stream_inverse (%unit, %ids, %slots) in %{{.*}} members 4 {
    sattn_tile.stream_inverse (%unit, %ids, %slots) in %inv members 4 {
      // CHECK: sattn_tile.gather %{{.*}}[%x + %ids] : <f32, 64, group = 4>, <4xi32> -> <16x64xf32>
      %qt = sattn_tile.gather %qv[%x + %ids] : !sattn_tile.view<f32, 64, group = 4>, !sattn_tile.tile<4xi32> -> !sattn_tile.tile<16x64xf32>
      // CHECK: sattn_tile.gather_at %{{.*}}[%x + %ids, %slots] : <f32, 8, group = 4>, <4xi32>, <4xi32> -> <16xf32>
      %wt = sattn_tile.gather_at %wv[%x + %ids, %slots] : !sattn_tile.view<f32, 8, group = 4>, !sattn_tile.tile<4xi32>, !sattn_tile.tile<4xi32> -> !sattn_tile.tile<16xf32>
      // CHECK: sattn_tile.mask %{{.*}} rows(%{{.*}}) cols(%unit) symbols(%{{.*}}) tables(%{{.*}}, %{{.*}} : !sattn_tile.tile<16xi32>, !sattn_tile.tile<1x64xi32>) {
      %docs = sattn_tile.load %dv[%t0] : !sattn_tile.view<i32, 1> -> !sattn_tile.tile<16xi32>
      %keydocs = sattn_tile.load %dv[%unit] : !sattn_tile.view<i32, 1> -> !sattn_tile.tile<1x64xi32>
      %sd = sattn_tile.mask %qt rows(%t0) cols(%unit) symbols(%c0) tables(%docs, %keydocs : !sattn_tile.tile<16xi32>, !sattn_tile.tile<1x64xi32>) {row_map = affine_map<(r) -> (r)>, sets = [affine_set<(t, s, a, b)[n] : (t - s - n >= 0, a - b == 0)>]} : !sattn_tile.tile<16x64xf32>
      // CHECK: sattn_tile.mask %{{.*}} rows(%{{.*}} + %ids : !sattn_tile.tile<4xi32>) cols(%unit) symbols(%{{.*}}) when %true
      %s = sattn_tile.mask %qt rows(%t0 + %ids : !sattn_tile.tile<4xi32>) cols(%unit) symbols(%c0) when %true {row_map = affine_map<(r) -> (r floordiv 4)>, sets = [affine_set<(t, s)[n] : (t - s - n >= 0)>]} : !sattn_tile.tile<16x64xf32>
      // CHECK: sattn_tile.scatter %{{.*}}, %{{.*}}[%{{.*}} + %ids] : <16x64xf32>, <f32, 64, group = 4>, <4xi32>
      sattn_tile.scatter %s, %acc[%c0 + %ids] : !sattn_tile.tile<16x64xf32>, !sattn_tile.view<f32, 64, group = 4>, !sattn_tile.tile<4xi32>
    }
    %m = sattn_tile.splat 0xFF800000 : !sattn_tile.tile<16xf32>
    %l = sattn_tile.splat 0.0 : !sattn_tile.tile<16xf32>
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<16x64xf32>
    %b = sattn_tile.load %acc[%c0] : !sattn_tile.view<f32, 64, group = 4> -> !sattn_tile.tile<16x64xf32>
    // CHECK: %m, %l, %acc = sattn_tile.merge(%{{.*}}, %{{.*}}, %{{.*}}), (%{{.*}}, %{{.*}}, %{{.*}}) : <16xf32>, <16x64xf32>
    %mm, %ll, %aa = sattn_tile.merge (%m, %l, %a), (%m, %l, %b) : !sattn_tile.tile<16xf32>, !sattn_tile.tile<16x64xf32>
    %z4 = sattn_tile.load %zv[%c0] : !sattn_tile.view<f32, 1, group = 4> -> !sattn_tile.tile<16xf32>
    // CHECK: sattn_tile.softmax_finish %{{.*}}, %{{.*}}, %{{.*}} sink %{{.*}} : <16xf32>, <16x64xf32>, !sattn_tile.tile<16xf32>
    %ot, %lse = sattn_tile.softmax_finish %mm, %ll, %aa sink %z4 : !sattn_tile.tile<16xf32>, !sattn_tile.tile<16x64xf32>, !sattn_tile.tile<16xf32>
    sattn_tile.store %ot, %ov[%x] : !sattn_tile.tile<16x64xf32>, !sattn_tile.view<f32, 64, group = 4>
    sattn_tile.return
  }
  // CHECK: sattn_tile.plan
  sattn_tile.plan {
    %b = sattn_tile.dim "B"
    %t = sattn_tile.dim "t"
    %h = sattn_tile.dim "h"
    %c4 = arith.constant 4 : index
    %k = sattn_tile.role "k" : !sattn_tile.arg<bf16, 64>
    %n = sattn_tile.param "n" : index
    // CHECK: %[[PAGES:.*]] = sattn_tile.pages
    %pages = sattn_tile.pages
    // CHECK: sattn_tile.workspace "lists"[%{{.*}}, %{{.*}}, %{{.*}}] : <i32, 8>
    %lists = sattn_tile.workspace "lists"[%b, %t, %h] : !sattn_tile.arg<i32, 8>
    // CHECK: sattn_tile.loop %[[WAVE:.*]] to %{{.*}} {
    sattn_tile.loop %wave to %c4 {
      // CHECK: sattn_tile.launch @select grid(%{{.*}}, %[[WAVE]], %{{.*}}) args(%{{.*}}, %[[PAGES]], %{{.*}}, %{{.*}} : !sattn_tile.arg<bf16, 64>, !sattn_tile.arg<i32, 1>, !sattn_tile.arg<i32, 8>, index)
      sattn_tile.launch @select grid(%t, %wave, %b) args(%k, %pages, %lists, %n : !sattn_tile.arg<bf16, 64>, !sattn_tile.arg<i32, 1>, !sattn_tile.arg<i32, 8>, index)
    }
  }
}

// CHECK-LABEL: sattn_tile.program @functions
sattn_tile.program @functions {
  // CHECK: sattn_tile.function @softcap : (f32, i32) -> f32 cuda file "softcap.cu" text "float softcap(float, int);"
  sattn_tile.function @softcap : (f32, i32) -> f32 cuda file "softcap.cu" text "float softcap(float, int);"
  sattn_tile.kernel @k(%a: f32, %n: index, %o: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %m = arith.index_cast %n : index to i32
    %r = "sattn_tile.map"(%a) ({
    ^bb0(%b: f32):
      // CHECK: sattn_tile.call @softcap(%{{.*}}, %{{.*}}) : f32, i32
      %c = sattn_tile.call @softcap(%b, %m) : f32, i32
      sattn_tile.yield %c : f32
    }) : (f32) -> !sattn_tile.tile<1x4xf32>
    %v = sattn_tile.slice %o[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    sattn_tile.store %r, %v[%x] : !sattn_tile.tile<1x4xf32>, !sattn_tile.view<f32, 4>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

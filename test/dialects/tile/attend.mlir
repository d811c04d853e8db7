// RUN: sparse-attn-opt %s | sparse-attn-opt | FileCheck %s
// RUN: sparse-attn-opt %s --mlir-print-op-generic | sparse-attn-opt | FileCheck %s

// A whole program: pack K and V, then causal window attention over the packed tiles.
// CHECK-LABEL: sattn_tile.program @window
sattn_tile.program @window {
  sattn_tile.kernel @pack_k(%k: !sattn_tile.arg<f16, 64>, %kp: !sattn_tile.arg<f32, 64, <block = 64, rows by 4>>) grid(%j, %h, %b) {
    %c64 = arith.constant 64 : index
    %p = arith.muli %j, %c64 : index
    %src = sattn_tile.slice %k[%b, %h] : !sattn_tile.arg<f16, 64> -> !sattn_tile.view<f16, 64>
    %dst = sattn_tile.slice %kp[%b, %h] : !sattn_tile.arg<f32, 64, <block = 64, rows by 4>> -> !sattn_tile.view<f32, 64, <block = 64, rows by 4>>
    %t = sattn_tile.load %src[%p] : !sattn_tile.view<f16, 64> -> !sattn_tile.tile<64x64xf32>
    sattn_tile.store %t, %dst[%p] : !sattn_tile.tile<64x64xf32>, !sattn_tile.view<f32, 64, <block = 64, rows by 4>>
    sattn_tile.return
  }
  sattn_tile.kernel @pack_v(%v: !sattn_tile.arg<f16, 64>, %vp: !sattn_tile.arg<f32, 64, <block = 64, cols by 4>>) grid(%j, %h, %b) {
    %c64 = arith.constant 64 : index
    %p = arith.muli %j, %c64 : index
    %src = sattn_tile.slice %v[%b, %h] : !sattn_tile.arg<f16, 64> -> !sattn_tile.view<f16, 64>
    %dst = sattn_tile.slice %vp[%b, %h] : !sattn_tile.arg<f32, 64, <block = 64, cols by 4>> -> !sattn_tile.view<f32, 64, <block = 64, cols by 4>>
    %t = sattn_tile.load %src[%p] : !sattn_tile.view<f16, 64> -> !sattn_tile.tile<64x64xf32>
    sattn_tile.store %t, %dst[%p] : !sattn_tile.tile<64x64xf32>, !sattn_tile.view<f32, 64, <block = 64, cols by 4>>
    sattn_tile.return
  }
  // CHECK: sattn_tile.kernel @attend
  sattn_tile.kernel @attend(%q: !sattn_tile.arg<f16, 64>, %kp: !sattn_tile.arg<f32, 64, <block = 64, rows by 4>>, %vp: !sattn_tile.arg<f32, 64, <block = 64, cols by 4>>,
                            %o: !sattn_tile.arg<f16, 64>, %lse: !sattn_tile.arg<f32, 1>, %qoff: !sattn_tile.per_batch, %klen: !sattn_tile.per_batch,
                            %w: index, %scale: f32) grid(%i, %h, %b) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %p = arith.muli %i, %c64 : index
    %q0 = sattn_tile.of_batch %qoff[%b]
    %n = sattn_tile.of_batch %klen[%b]
    %t0 = arith.addi %q0, %p : index
    %t1 = arith.addi %t0, %c64 : index
    %qv = sattn_tile.slice %q[%b, %h] : !sattn_tile.arg<f16, 64> -> !sattn_tile.view<f16, 64>
    %kv = sattn_tile.slice %kp[%b, %h] limit %n : !sattn_tile.arg<f32, 64, <block = 64, rows by 4>> -> !sattn_tile.view<f32, 64, <block = 64, rows by 4>>
    %vv = sattn_tile.slice %vp[%b, %h] limit %n : !sattn_tile.arg<f32, 64, <block = 64, cols by 4>> -> !sattn_tile.view<f32, 64, <block = 64, cols by 4>>
    %ov = sattn_tile.slice %o[%b, %h] : !sattn_tile.arg<f16, 64> -> !sattn_tile.view<f16, 64>
    %lv = sattn_tile.slice %lse[%b, %h] : !sattn_tile.arg<f32, 1> -> !sattn_tile.view<f32, 1>
    %qt = sattn_tile.load %qv[%p] : !sattn_tile.view<f16, 64> -> !sattn_tile.tile<64x64xf32>
    %qs = sattn_tile.map (%e = %qt, %c = %scale) : !sattn_tile.tile<64x64xf32>, f32 -> !sattn_tile.tile<64x64xf32> {
      %y = arith.mulf %e, %c : f32
      sattn_tile.yield %y : f32
    }
    %end = arith.minsi %t1, %n : index
    %hi = arith.ceildivsi %end, %c64 : index
    %wlo = arith.subi %t0, %w : index
    %first = arith.maxsi %wlo, %c0 : index
    %lo = arith.floordivsi %first, %c64 : index
    %cover = sattn_tile.cover hull(%lo to %hi) full(%lo to %lo)
    %m0 = sattn_tile.splat 0xFF800000 : !sattn_tile.tile<64xf32>
    %l0 = sattn_tile.splat 0.0 : !sattn_tile.tile<64xf32>
    %a0 = sattn_tile.splat 0.0 : !sattn_tile.tile<64x64xf32>
    // CHECK: sattn_tile.stream
    %r:3 = sattn_tile.stream %j in %cover carry(%m = %m0, %l = %l0, %a = %a0) : !sattn_tile.tile<64xf32>, !sattn_tile.tile<64xf32>, !sattn_tile.tile<64x64xf32> {
      %s0 = arith.muli %j, %c64 : index
      %kt = sattn_tile.load %kv[%s0] : !sattn_tile.view<f32, 64, <block = 64, rows by 4>> -> !sattn_tile.tile<64x64xf32>
      %vt = sattn_tile.load %vv[%s0] : !sattn_tile.view<f32, 64, <block = 64, cols by 4>> -> !sattn_tile.tile<64x64xf32>
      %s = sattn_tile.dot nt %qs, %kt : !sattn_tile.tile<64x64xf32>, !sattn_tile.tile<64x64xf32> -> !sattn_tile.tile<64x64xf32>
      %s1 = sattn_tile.mask %s rows(%t0) cols(%s0) symbols(%w, %n) {row_map = affine_map<(r) -> (r)>, sets = [affine_set<(t, s)[w, n] : (t - s >= 0, w - 1 - t + s >= 0, n - 1 - s >= 0)>]} : !sattn_tile.tile<64x64xf32>
      %m1, %l1, %al, %pt = sattn_tile.softmax_step %s1, %m, %l : !sattn_tile.tile<64x64xf32>, !sattn_tile.tile<64xf32>
      %a1 = sattn_tile.dot nn %pt, %vt add %a scaled %al : !sattn_tile.tile<64x64xf32>, !sattn_tile.tile<64x64xf32>, !sattn_tile.tile<64x64xf32>, !sattn_tile.tile<64xf32> -> !sattn_tile.tile<64x64xf32>
      sattn_tile.yield %m1, %l1, %a1 : !sattn_tile.tile<64xf32>, !sattn_tile.tile<64xf32>, !sattn_tile.tile<64x64xf32>
    }
    %ot, %lt = sattn_tile.softmax_finish %r#0, %r#1, %r#2 : !sattn_tile.tile<64xf32>, !sattn_tile.tile<64x64xf32>
    sattn_tile.store %ot, %ov[%p] : !sattn_tile.tile<64x64xf32>, !sattn_tile.view<f16, 64>
    sattn_tile.store %lt, %lv[%p] : !sattn_tile.tile<64xf32>, !sattn_tile.view<f32, 1>
    sattn_tile.return
  }
  // CHECK: sattn_tile.plan
  sattn_tile.plan {
    %b = sattn_tile.dim "B"
    %t = sattn_tile.dim "t"
    %s = sattn_tile.dim "s"
    %h = sattn_tile.dim "h"
    %c64 = arith.constant 64 : index
    %nk = arith.ceildivsi %s, %c64 : index
    %nq = arith.ceildivsi %t, %c64 : index
    %q = sattn_tile.role "q" : !sattn_tile.arg<f16, 64>
    %k = sattn_tile.role "k" : !sattn_tile.arg<f16, 64>
    %v = sattn_tile.role "v" : !sattn_tile.arg<f16, 64>
    %o = sattn_tile.result "o" : !sattn_tile.arg<f16, 64>
    %lse = sattn_tile.result "lse" : !sattn_tile.arg<f32, 1>
    %w = sattn_tile.param "W" : index
    %scale = sattn_tile.param "scale" : f32
    %qoff = sattn_tile.offsets "q_offset"
    %klen = sattn_tile.offsets "kv_len"
    %kp = sattn_tile.workspace "kp"[%b, %s, %h] : !sattn_tile.arg<f32, 64, <block = 64, rows by 4>>
    %vp = sattn_tile.workspace "vp"[%b, %s, %h] : !sattn_tile.arg<f32, 64, <block = 64, cols by 4>>
    sattn_tile.launch @pack_k grid(%nk, %h, %b) args(%k, %kp : !sattn_tile.arg<f16, 64>, !sattn_tile.arg<f32, 64, <block = 64, rows by 4>>)
    sattn_tile.launch @pack_v grid(%nk, %h, %b) args(%v, %vp : !sattn_tile.arg<f16, 64>, !sattn_tile.arg<f32, 64, <block = 64, cols by 4>>)
    sattn_tile.launch @attend grid(%nq, %h, %b) args(%q, %kp, %vp, %o, %lse, %qoff, %klen, %w, %scale : !sattn_tile.arg<f16, 64>, !sattn_tile.arg<f32, 64, <block = 64, rows by 4>>, !sattn_tile.arg<f32, 64, <block = 64, cols by 4>>, !sattn_tile.arg<f16, 64>, !sattn_tile.arg<f32, 1>, !sattn_tile.per_batch, !sattn_tile.per_batch, index, f32) {order = ["-x", "z", "y"]}
  }
}

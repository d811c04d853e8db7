// Roles in pages: their slices name the page table, which the plan takes from the call; tables and blocks stay in one
// piece. All that reads keys goes through the same slices: packing, summaries, and kernels that read them where they lie.

// RUN: sparse-attn-opt %s --emit=tile --bind dtype=bf16,D=64,Dv=64,group=2,paged=48 --target=cpu-avx512 | FileCheck %s --check-prefixes=CHECK,CPU
// RUN: sparse-attn-opt %s --emit=tile --bind dtype=bf16,D=64,Dv=64,group=2,paged=48 --target=sm_80 | FileCheck %s --check-prefixes=CHECK,GPU
// RUN: sparse-attn-opt %s --emit=tile --bind dtype=bf16,D=64,Dv=64,group=2 --target=cpu-avx512 | FileCheck %s --check-prefix=WHOLE
// WHOLE-NOT: page

// CHECK: roles = [
// CHECK-SAME: {axes = ["s", "g", "D"], dtype = "bf16", inner = 64 : i64, name = "k", page = 48 : i64}
// CHECK-SAME: {axes = ["s", "g", "Dv"], dtype = "bf16", inner = 64 : i64, name = "v", page = 48 : i64}
// CHECK-SAME: {axes = ["c(16)", "g", "D"], dtype = "bf16", inner = 64 : i64, name = "m"}
// CHECK-SAME: {axes = ["s"], dtype = "i32", inner = 1 : i64, name = "doc"}

// CPU: sattn_tile.kernel @pack_k_keys(
// CPU: sattn_tile.slice %k[{{.*}}] limit %{{.*}} paged %pages by 48 : <bf16, 64> -> <bf16, 64>
// CPU: sattn_tile.kernel @pack_v_values(
// CPU: sattn_tile.slice %v[{{.*}}] limit %{{.*}} paged %pages by 48 : <bf16, 64> -> <bf16, 64>
// CHECK: sattn_tile.kernel @attend(
// GPU-DAG: sattn_tile.slice %k[{{.*}}] limit %{{.*}} paged %pages by 48 : <bf16, 64> -> <bf16, 64>
// GPU-DAG: sattn_tile.slice %v[{{.*}}] limit %{{.*}} paged %pages by 48 : <bf16, 64> -> <bf16, 64>
// CHECK-NOT: sattn_tile.slice %m[{{.*}} paged
// CHECK-NOT: sattn_tile.slice %doc[{{.*}} paged

// CHECK: sattn_tile.plan
// CHECK: %[[PAGES:.*]] = sattn_tile.pages
// CPU: sattn_tile.launch @pack_k_keys grid({{.*}}) args({{.*}}%[[PAGES]]
sattn.pattern @both(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %m: [c(16), g, D], %n: [c(16), g, Dv], %doc: int[s]) -> (o) {
  %near = sattn.set (t, s) : 0 <= t - s < 100 and %doc[t] == %doc[s]
  %far = sattn.set (t, c(16)) : last(c) <= t - 100
  %a = sattn.score dot %q, %k scale(rsqrt(D))
  %b = sattn.score dot %q, %m scale(rsqrt(D))
  %p = sattn.accumulate softmax %a over %near, %v
  %r = sattn.accumulate softmax %b over %far, %n
  %both = sattn.merge %p, %r
  %o = sattn.finalize %both
  sattn.yield %o
}


// RUN: sparse-attn-opt %s --sattn-tile-pipeline="bind=dtype=f16,D=64 target=keyLayout=rows:4,valueLayout=cols:4" | FileCheck %s

// Values that are the first features of the keys come with them: one packed operand, one load, both products.
// CHECK-LABEL: sattn_tile.program @prefix
// CHECK-SAME: results = [{axes = ["t", "h", "16"], dtype = "f16", inner = 16 : i64, name = "o"}]
// CHECK: sattn_tile.kernel @pack_kv_keys(
// CHECK-NOT: sattn_tile.kernel @pack
// CHECK: sattn_tile.kernel @attend(
// CHECK: sattn_tile.stream
// CHECK: %[[KV:.*]] = sattn_tile.load
// CHECK-NOT: sattn_tile.load
// CHECK: sattn_tile.dot nt %{{.*}}, %[[KV]] : <64x64xf32>, <64x64xf32> -> <64x64xf32>
// CHECK: sattn_tile.dot nn %{{.*}}, %[[KV]] add %{{.*}} scaled %{{.*}} : <64x64xf32>, <64x64xf32>, {{.*}} -> <64x16xf32>
sattn.pattern @prefix(%q: [t, h, D], %kv: [s, 1, D]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %v = sattn.prefix %kv to 16
  %z = sattn.score dot %q, %kv
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// keep=summaries: summaries of keys are tensors of the caller. A kernel extends them by the blocks of keys at or behind the
// first query row; every form reads them, packed where the target packs.

// RUN: sparse-attn-opt %patterns/nsa.mlir --emit=tile --bind dtype=bf16,D=64,Dv=64,group=4,keep=summaries --target=cpu-avx512 | FileCheck %s
// RUN: sparse-attn-opt %patterns/nsa.mlir --emit=manifest --bind dtype=bf16,D=64,Dv=64,group=4,keep=summaries --target=cpu-avx512 | FileCheck %s --check-prefix=MANIFEST
// RUN: sparse-attn-opt %patterns/moba.mlir --emit=manifest --bind dtype=bf16,D=64,Dv=64,group=4,keep=summaries --target=sm_80 | FileCheck %s --check-prefix=RAGGED
// RUN: sparse-attn-opt %patterns/quest.mlir --emit=manifest --bind dtype=f32,D=64,Dv=64,group=4,keep=summaries | FileCheck %s --check-prefix=PAIR
// RUN: sparse-attn-opt %patterns/int8_topk.mlir --emit=tile --bind dtype=bf16,D=64,Dv=64,group=4,keep=summaries --target=cpu-avx512 | FileCheck %s --check-prefix=CODE
// RUN: sparse-attn-opt %patterns/int8_topk.mlir --emit=manifest --bind dtype=bf16,D=64,Dv=64,group=4,keep=summaries --target=cpu-avx512 | FileCheck %s --check-prefix=CODES
// RUN: sparse-attn-opt %patterns/adamas.mlir --emit=manifest --bind dtype=f32,D=64,Dv=64,group=1,keep=summaries --target=cpu-avx2 | FileCheck %s --check-prefix=LEVELS
// RUN: not sparse-attn-opt %s --emit=tile --bind dtype=f32,D=64,Dv=64,group=1,keep=summaries 2>&1 | FileCheck %s --check-prefix=TWO
// RUN: not sparse-attn-opt %patterns/causal.mlir --emit=tile --bind dtype=f32,D=64,Dv=64,group=4,keep=summaries 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not sparse-attn-opt %patterns/topk_blocks.mlir --emit=tile --bind dtype=f32,D=64,Dv=64,group=4,keep=all 2>&1 | FileCheck %s --check-prefix=WORD

// CHECK: sattn_tile.kernel @extend_k_mean_32_16(
// CHECK-SAME: %k: !sattn_tile.arg<bf16, 64>, %k_mean_32_16: !sattn_tile.arg<f32, 64>)
// CHECK: scf.if
// CHECK: sattn_tile.load_blocks mean
// CHECK: sattn_tile.store
// CHECK: sattn_tile.kernel @pack_k_mean_32_16_keys(
// CHECK: sattn_tile.kernel @extend_v_mean_32_16(
// CHECK: sattn_tile.kernel @pack_v_mean_32_16_values(
// CHECK: sattn_tile.kernel @extend_k_mean_32_16_1(
// CHECK-NOT: @pack
// CHECK: sattn_tile.kernel @select_1({{.*}}%k_mean_32_16: !sattn_tile.arg<f32, 64>
// CHECK: sattn_tile.plan
// CHECK: sattn_tile.role "k_mean_32_16"

// MANIFEST: {"name":"k_mean_32_16","axes":["c(32, 16) kept","g","D"],"inner":64,"dtype":"f32","kept":1}
// MANIFEST: {"name":"v_mean_32_16","axes":["c(32, 16) kept","g","Dv"],"inner":64,"dtype":"f32","kept":1}
// MANIFEST: {"check":[">=","c(32, 16) kept",["max",0,["+",["floordiv",["-","s",32],16],1]]],"message":"'k_mean_32_16' must have room for the blocks of all keys"}
// RAGGED: {"name":"k_mean_64_64_ragged","axes":["c(64) kept","g","D"]
// RAGGED: {"check":[">=","c(64) kept",["ceildiv","s",64]]
// PAIR: {"name":"k_max_16_16_ragged"
// PAIR: {"name":"k_min_16_16_ragged"

// Codes are of single keys, and those of a head lie together. Queries are encoded by each call.
// CODE: sattn_tile.kernel @encode_q_codes(
// CODE: sattn_tile.kernel @extend_k_int8_codes(
// CODE-SAME: %k_int8_codes: !sattn_tile.arg<i8, 64>, %k_int8_scales: !sattn_tile.arg<f32, 1>)
// CODE: scf.if
// CODE: sattn_tile.store
// CODE: sattn_tile.kernel @score({{.*}}%k_int8_codes: !sattn_tile.arg<i8, 64>
// CODES: {"name":"k_int8_codes","axes":["g","c(1) kept","64"],"inner":64,"dtype":"i8","kept":1}
// CODES: {"name":"k_int8_scales","axes":["g","c(1) kept"],"inner":1,"dtype":"f32","kept":1}
// CODES: 'k_int8_codes' must have room for the blocks of all keys
// LEVELS: {"name":"k_hadamard_buckets_codes","axes":["g","c(1) kept","64"],"inner":64,"dtype":"u8","kept":1}

// Two codes of a role by other levels would have one name.
// TWO: error: [SA0201] 'keep=summaries' of two codes of one role by 'sattn.encode buckets' is not compiled yet
sattn.pattern @two_codes<n: int = 8>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, o2) {
  %causal = sattn.set (t, s) : s <= t
  %qb = sattn.encode buckets %q at(0.0)
  %kb = sattn.encode buckets %k at(0.0)
  %qc = sattn.encode buckets %q at(1.0)
  %kc = sattn.encode buckets %k at(1.0)
  %a = sattn.score l1 %qb, %kb scale(-1)
  %c = sattn.score l1 %qc, %kc scale(-1)
  %sel = sattn.select top(n) %a where %causal
  %other = sattn.select top(n) %c where %causal
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %sel, %v
  %o2 = sattn.attend %z over %other, %v
  sattn.yield %o, %o2
}

// NONE: error: [SA0205] @causal makes no summary or code of a role over 's' that calls could keep: leave out 'keep'
// WORD: error: [SA0206] 'keep' is bound to 'all': expected 'summaries'

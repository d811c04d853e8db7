// Calls of few rows: heads that share keys stand side by side in a tile, keys are read where they lie, the cover of a
// row is cut into splits, and a second kernel joins their partial results.

// RUN: sparse-attn-opt %patterns/causal.mlir --emit=tile --bind dtype=bf16,D=64,Dv=64,group=4 --target=cpu-avx512 | FileCheck %s --check-prefixes=TILE,CPU
// RUN: sparse-attn-opt %patterns/causal.mlir --emit=tile --bind dtype=bf16,D=64,Dv=64,group=4 --target=sm_80 | FileCheck %s --check-prefixes=TILE,GPU

// TILE: sattn_tile.kernel @split(
// TILE: sattn_tile.slice %k[{{.*}} : <bf16, 64> -> <bf16, 64>
// TILE: sattn_tile.slice %v[{{.*}} : <bf16, 64> -> <bf16, 64>
// TILE: sattn_tile.stream
// One row by four heads; a matrix instruction takes 16 rows, so there are four rows by four heads.
// CPU: sattn_tile.dot nt {{.*}} : <4x64xf32>
// GPU: sattn_tile.dot nt {{.*}} : <16x64xf32>
// TILE: sattn_tile.store {{.*}} <f32, 1, group = 4>
// TILE: sattn_tile.store {{.*}} <f32, 1, group = 4>
// TILE: sattn_tile.store {{.*}} <f32, 64, group = 4>

// Four key heads of a token, each with its four rows, or two, or one. The rows of a product are those of one head.
// CPU: sattn_tile.kernel @split_4(
// CPU: sattn_tile.slice %k[{{.*}} : <bf16, 64> -> <bf16, 64, group = 4>
// CPU: sattn_tile.dot nt {{.*}} {heads = 4 : i64} : <16x64xf32>, <256x64xf32> -> <16x64xf32>
// CPU: sattn_tile.dot nn {{.*}} {heads = 4 : i64} : <16x64xf32>, <256x64xf32>
// CPU: sattn_tile.store {{.*}} <f32, 64, group = 16>
// CPU: sattn_tile.kernel @split_2(
// CPU: sattn_tile.dot nt {{.*}} {heads = 2 : i64} : <8x64xf32>, <128x64xf32> -> <8x64xf32>
// GPU-NOT: @split_
// TILE: sattn_tile.kernel @join(
// TILE: sattn_tile.stream
// TILE: sattn_tile.merge
// TILE: sattn_tile.softmax_finish

// The form that a call does not take has no waves. Heads are read together where memory holds them side by side.
// TILE: sattn_tile.plan
// CPU: sattn_tile.dim "heads_inside"
// GPU-NOT: heads_inside
// TILE: sattn_tile.loop
// TILE: sattn_tile.launch @attend
// TILE: sattn_tile.loop
// TILE: sattn_tile.launch @split grid
// CPU: sattn_tile.launch @split_4
// CPU: sattn_tile.launch @split_2
// TILE: sattn_tile.launch @join

// A congruence: a tile is one row, by the heads that share keys, and reads every 64th key where it lies.
// RUN: sparse-attn-opt %patterns/strided.mlir --emit=tile --bind dtype=bf16,D=64,Dv=64,group=4,stride=64 --target=cpu-avx512 | FileCheck %s --check-prefix=CLASS
// RUN: sparse-attn-opt %patterns/strided.mlir --emit=tile --bind dtype=bf16,D=64,Dv=64,group=4,stride=64 --target=sm_80 | FileCheck %s --check-prefix=CLASS
// CLASS: sattn_tile.kernel @split(
// CLASS: sattn_tile.slice %k[{{.*}}] limit %{{.*}} every 64 from %[[RESIDUE:.*]] : <bf16, 64> -> <bf16, 64>
// CLASS: sattn_tile.slice %v[{{.*}}] limit %{{.*}} every 64 from %[[RESIDUE]] : <bf16, 64> -> <bf16, 64>
// CLASS: sattn_tile.dot nt {{.*}} : <4x64xf32>

// Tiles of one row have no numbers of keys beside them: with those, and with selections (lists.mlir), there is no split.
// RUN: sed 's/^  %%p =/  %%y = sattn.map %%z : z - 0.5 * (t - s)\n  %%p =/; s/softmax %%z/softmax %%y/' %patterns/strided.mlir > %t.mlir
// RUN: sparse-attn-opt %t.mlir --emit=tile --bind dtype=f32,D=64,Dv=64,group=4,stride=64 | FileCheck %s --check-prefix=ONE
// RUN: sparse-attn-opt %patterns/moba.mlir --emit=tile --bind dtype=f32,D=64,Dv=64,group=4 | FileCheck %s --check-prefix=ONE
// ONE-NOT: @split

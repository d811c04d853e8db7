// Calls of few rows of patterns with selections: a task is one row of the heads that share a list, and keys are read
// where they lie. Only targets that pack keys have this form.

// RUN: sparse-attn-opt %patterns/moba.mlir --emit=tile --bind dtype=bf16,D=64,Dv=64,group=4 --target=cpu-avx512 | FileCheck %s --check-prefix=MOBA
// RUN: sparse-attn-opt %patterns/hsa.mlir --emit=tile --bind dtype=f32,D=64,Dv=64,D2=32,group=4,group.g2=4 --target=cpu-avx512 | FileCheck %s --check-prefix=HSA
// RUN: sparse-attn-opt %patterns/hsa.mlir --emit=tile --bind dtype=f32,D=64,Dv=64,D2=32,group=4,group.g2=4,l=512 --target=cpu-avx512 | FileCheck %s --check-prefix=LONG
// RUN: sparse-attn-opt %patterns/quest.mlir --emit=tile --bind dtype=f32,D=64,Dv=64,group=12 --target=cpu-avx512 | FileCheck %s --check-prefix=BESIDE
// RUN: sparse-attn-opt %patterns/moba.mlir --emit=tile --bind dtype=bf16,D=64,Dv=64,group=4 --target=sm_80 | FileCheck %s --check-prefix=GPU

// One pass over the extremes of pages serves as many heads, each with a list of its own, as fit into a tile of lines.
// BESIDE: sattn_tile.kernel @select_1(
// BESIDE: sattn_tile.load {{.*}} : <f32, 64, group = 6, outer> -> <6x64xf32>
// BESIDE: sattn_tile.dot nt {{.*}} : <6x{{[0-9]+}}xf32>
// BESIDE: sattn_tile.top_push {{.*}} : <6x64>, <6x64xf32>
// BESIDE: sattn_tile.store {{.*}} : <6x64xi32>, <i32, 64, group = 6, outer>

// Each query head has its own list, whose next block is asked for while one is computed. An empty slot stands for keys behind the last, which the mask hides.
// MOBA: sattn_tile.kernel @attend_1(
// MOBA-SAME: %k: !sattn_tile.arg<bf16, 64>, %v: !sattn_tile.arg<bf16, 64>
// MOBA: sattn_tile.stream
// MOBA: sattn_tile.prefetch %[[K:.*]][%[[NEXT:.*]]] count 64 : <bf16, 64>
// MOBA: sattn_tile.prefetch %[[V:.*]][%[[NEXT]]] count 64 : <bf16, 64>
// MOBA: %[[ID:.*]] = sattn_tile.entry %{{.*}}[%{{.*}}, %{{.*}}] : <i32, 3> -> index
// MOBA: %[[NONE:.*]] = arith.cmpi slt, %[[ID]]
// MOBA: %[[AT:.*]] = arith.select %[[NONE]]
// MOBA: sattn_tile.load %[[K]][%[[AT]]] : <bf16, 64> -> <64x64xf32>
// MOBA: sattn_tile.dot nt {{.*}} : <1x64xf32>
// MOBA: sattn_tile.mask
// MOBA: sattn_tile.plan

// Four heads of a key head share a list, and each block has a softmax of its own.
// HSA: sattn_tile.kernel @attend_1(
// HSA: sattn_tile.stream
// HSA: sattn_tile.entry %{{.*}} : <i32, 8> -> index
// HSA: sattn_tile.dot nt {{.*}} : <4x64xf32>
// HSA: sattn_tile.entry %{{.*}} : <f32, 8> -> f32
// HSA: sattn_tile.plan

// A block of several tiles is a stream inside the walk.
// LONG: sattn_tile.kernel @attend_1(
// LONG: sattn_tile.stream
// LONG: sattn_tile.entry
// LONG: sattn_tile.stream
// LONG: sattn_tile.dot nt
// LONG: sattn_tile.entry

// GPU-NOT: sattn_tile.entry

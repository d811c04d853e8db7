// `dataflow=KIND` gives all calls one of the forms that a pattern has for a target.

// RUN: sparse-attn-opt %patterns/causal.mlir --emit=tile --bind dtype=bf16,D=64,Dv=64,group=4,dataflow=split --target=cpu-avx512 | FileCheck %s --check-prefix=SPLIT
// SPLIT: explain = {choices = [{{.*}}kind = "split", {{.*}}why = "all calls: tiles of 1 row by 4 heads read keys where they lie; splits of them are joined"
// SPLIT-NOT: kernel @attend
// SPLIT: sattn_tile.kernel @split(
// SPLIT: sattn_tile.kernel @join(
// RUN: sparse-attn-opt %patterns/causal.mlir --emit=tile --bind dtype=bf16,D=64,Dv=64,group=4,dataflow=range --target=cpu-avx512 | FileCheck %s --check-prefix=RANGE
// RANGE: sattn_tile.kernel @attend(
// RANGE-NOT: kernel @split

// RUN: sparse-attn-opt %patterns/moba.mlir --emit=tile --bind dtype=f32,D=64,Dv=64,group=4,dataflow=lists --target=cpu-avx512 | FileCheck %s --check-prefix=LISTS
// LISTS: kind = "lists", {{.*}}why = "all calls: a task is one row of 1 head and walks its list; keys are read where they lie"
// LISTS-NOT: sattn_tile.invert
// LISTS: sattn_tile.entry
// RUN: sparse-attn-opt %patterns/moba.mlir --emit=tile --bind dtype=f32,D=64,Dv=64,group=4,dataflow=inverted --target=cpu-avx512 | FileCheck %s --check-prefix=INVERTED
// INVERTED: sattn_tile.invert
// INVERTED-NOT: sattn_tile.entry

// RUN: sparse-attn-opt %patterns/quest.mlir --emit=tile --bind dtype=f32,D=64,Dv=64,group=4,dataflow=masked --target=cpu-avx512 | FileCheck %s --check-prefix=MASKED
// MASKED: kind = "masked", {{.*}}why = "all calls: tiles of 64 rows of one head visit all keys that they may see, blocks that a row did not choose are hidden from it"
// MASKED: sattn_tile.kernel @members(
// MASKED: sattn_tile.members %{{.*}} per 4 into
// MASKED: sattn_tile.kernel @attend(
// MASKED-NOT: sattn_tile.invert
// MASKED: sattn_tile.stream
// MASKED: sattn_tile.slice %{{.*}} across
// MASKED: sattn_tile.choose %{{.*}} by %{{.*}} block 16 :
// MASKED-NOT: sattn_tile.merge

// A window of the same scores and values shares what the selection sees, too: keys of both, of one, of the other.
// RUN: sparse-attn-opt %patterns/nsa.mlir --emit=tile --bind dtype=f32,D=64,Dv=64,group=4,dataflow=masked --target=cpu-avx512 | FileCheck %s --check-prefix=PARTS
// PARTS-DAG: [[WINDOW:#set[0-9]*]] = affine_set<(d0, d1)[s0, s1] : (-d0 + d1 + s0 - 1 >= 0, d0 - d1 >= 0, -d1 + s1 - 1 >= 0)>
// PARTS-DAG: [[REST:#set[0-9]*]] = affine_set<(d0, d1)[s0, s1] : (d0 - d1 >= 0, d0 - d1 - s0 >= 0, -d1 + s1 - 1 >= 0)>
// PARTS: sattn_tile.kernel @attend(
// PARTS: [[BOTH:%.*]]:3 = sattn_tile.stream
// PARTS: sattn_tile.choose %{{.*}} block 64 :
// PARTS: sets = {{\[}}[[WINDOW]]]
// PARTS: [[SELECTED:%.*]]:3 = sattn_tile.stream
// PARTS: sattn_tile.choose %{{.*}} block 64 :
// PARTS: sets = {{\[}}[[REST]]]
// PARTS: sattn_tile.merge([[BOTH]]#0, [[BOTH]]#1, [[BOTH]]#2), ([[SELECTED]]#0,
// PARTS: [[OTHER:%.*]]:3 = sattn_tile.stream
// PARTS: sattn_tile.choose %{{.*}} block 64 others :
// PARTS: sets = {{\[}}[[WINDOW]]]
// PARTS: sattn_tile.merge([[BOTH]]#0, [[BOTH]]#1, [[BOTH]]#2), ([[OTHER]]#0,
// PARTS-NOT: sattn_tile.stream

// Where blocks are so small that all keys cost less up to a length worth a form, calls of few keys take that form.
// RUN: sparse-attn-opt %patterns/quest.mlir --emit=tile --bind dtype=f32,D=64,Dv=64,group=4 --target=cpu-avx512 | FileCheck %s --check-prefix=THREE
// THREE: kind = "inverted", {{.*}}masked_keys = [[#UPTO:]] : i64
// THREE-SAME: kind = "lists", {{.*}}why = "calls of at most 8 query rows, or of one for every 256 keys
// THREE-SAME: kind = "masked", {{.*}}why = "other calls over at most [[#UPTO]] keys
// RUN: sparse-attn-opt %patterns/moba.mlir --emit=tile --bind dtype=f32,D=64,Dv=64,group=4 --target=cpu-avx512 | FileCheck %s --check-prefix=PAIR
// PAIR-NOT: masked_keys
// PAIR-NOT: sattn_tile.members

// What a pattern cannot have is refused with what it has; the word is part of the program's bind.
// RUN: not sparse-attn-opt %patterns/moba.mlir --emit=tile --bind dtype=f32,D=64,Dv=64,group=4,dataflow=split --target=cpu-avx512 2>&1 | FileCheck %s --check-prefix=TWO
// TWO: moba.mlir:{{.*}}: error: [SA0205] 'dataflow' is bound to 'split', but for this target @moba has 'inverted', 'lists' and 'masked' alone: bind one of these, or leave it out
// RUN: not sparse-attn-opt %patterns/moba.mlir --emit=tile --bind dtype=f32,D=64,Dv=64,group=4,dataflow=lists --target=sm_80 2>&1 | FileCheck %s --check-prefix=GPU
// GPU: for this target @moba has 'inverted' alone
// RUN: not sparse-attn-opt %patterns/dsa.mlir --emit=tile --bind dtype=f32,D=64,D2=32,dv=32,group.h2=2,dataflow=masked --target=cpu-avx512 2>&1 | FileCheck %s --check-prefix=TOKENS
// TOKENS: for this target @dsa has 'gathered' alone

// Weights of single blocks, lists of blocks of rows, and a target that packs no keys have no masked form.
// RUN: not sparse-attn-opt %patterns/hsa.mlir --emit=tile --bind dtype=f32,D=64,D2=64,Dv=64,group=4,group.g2=4,dataflow=masked --target=cpu-avx512 2>&1 | FileCheck %s --check-prefix=WEIGHED
// WEIGHED: @hsa has 'inverted' and 'lists' alone
// RUN: not sparse-attn-opt %patterns/topk_blocks.mlir --emit=tile --bind dtype=f32,D=64,Dv=64,group=4,qblock=64,dataflow=masked --target=cpu-avx512 2>&1 | FileCheck %s --check-prefix=OFROWS
// OFROWS: @topk_blocks has 'listed' and 'lists' alone
// RUN: not sparse-attn-opt %patterns/quest.mlir --emit=tile --bind dtype=f32,D=64,Dv=64,group=4,dataflow=masked --target=sm_80 2>&1 | FileCheck %s --check-prefix=UNPACKED
// UNPACKED: @quest has 'inverted' alone

// Without the word calls of few rows take the second form. How few depends on the heads of its tiles, and where lists
// are walked on the keys of the call too.
// RUN: sparse-attn-opt %patterns/causal.mlir --emit=tile --bind dtype=bf16,D=64,Dv=64,group=1 --target=cpu-avx512 | FileCheck %s --check-prefix=ALONE
// ALONE: why = "calls of at most 8 query rows: tiles of 1 row by 1 head
// RUN: sparse-attn-opt %patterns/causal.mlir --emit=tile --bind dtype=bf16,D=64,Dv=64,group=8 --target=cpu-avx512 | FileCheck %s --check-prefix=SHARED
// SHARED: why = "calls of at most 36 query rows: tiles of 1 row by 8 heads
// RUN: sparse-attn-opt %patterns/causal.mlir --emit=tile --bind dtype=bf16,D=64,Dv=64,group=8 --target=sm_80 | FileCheck %s --check-prefix=MMA
// MMA: why = "calls of at most 16 query rows: tiles of 2 rows by 8 heads
// RUN: sparse-attn-opt %patterns/moba.mlir --emit=tile --bind dtype=f32,D=64,Dv=64,group=4 --target=cpu-avx512 | FileCheck %s --check-prefix=KEYS
// KEYS: why = "calls of at most 8 query rows, or of one for every 48 keys: a task is one row
// KEYS: sattn_tile.plan
// KEYS: %[[PER:.*]] = arith.floordivsi %{{.*}}, %c48
// KEYS: arith.maxsi %[[PER]], %c8

// Keys that no row of the call sees are not packed; a selection may want any.
// RUN: sparse-attn-opt %patterns/window.mlir --emit=tile --bind dtype=f32,D=64,Dv=64,group=4,dataflow=range --target=cpu-avx512 | FileCheck %s --check-prefix=SEEN
// SEEN: sattn_tile.kernel @pack_k_keys(
// SEEN: scf.if
// SEEN: sattn_tile.load
// SEEN: sattn_tile.kernel @pack_v_values(
// SEEN: scf.if
// SEEN: sattn_tile.kernel @attend(
// RUN: sparse-attn-opt %patterns/moba.mlir --emit=tile --bind dtype=f32,D=64,Dv=64,group=4,dataflow=inverted --target=cpu-avx512 | FileCheck %s --check-prefix=ANY
// ANY: sattn_tile.kernel @pack_k_keys(
// ANY-NOT: scf.if
// ANY: sattn_tile.kernel @attend(

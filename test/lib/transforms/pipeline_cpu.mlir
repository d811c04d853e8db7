// The chain from a pattern to machine code: which passes run in which order, and what each stage holds.

// RUN: sparse-attn-opt %patterns/window.mlir --sattn-tile-pipeline="bind=dtype=f32,D=64,Dv=64,group=4 target=rowTile=64" --dump-pass-pipeline -o %t 2>&1 | FileCheck %s --check-prefix=ORDER
// ORDER: builtin.module(
// ORDER-NEXT: sattn-check-stage{stage=pattern
// ORDER-NEXT: sattn.pattern(
// ORDER-NEXT: sattn-specialize{bind=dtype=f32,D=64,Dv=64,group=4}
// ORDER: sattn-verify-causal
// ORDER: sattn-verify-disjoint
// ORDER: sattn-normalize-sets
// ORDER: cse
// ORDER: sattn-check-stage{stage=fused
// ORDER-NEXT: sattn.pattern(
// ORDER-NEXT: sattn-choose-dataflow{{{.*}}target=rowTile=64}
// ORDER-NEXT: )
// ORDER-NEXT: sattn-check-stage{stage=planned
// ORDER-NEXT: sattn-to-tile{{{.*}}target=rowTile=64}
// ORDER-NEXT: canonicalize
// ORDER-NEXT: cse
// ORDER-NEXT: sattn-check-stage{stage=tile target=rowTile=64}
// ORDER-NEXT: {{^}})

// A static set: pack, pack, attend; calls of few rows: split, join.
// RUN: rm -rf %t.window && mkdir %t.window
// RUN: sparse-attn-opt %patterns/window.mlir --emit=manifest --bind dtype=f32,D=64,Dv=64,group=4 --target=cpu-avx2 --dump-dir %t.window -o %t.window/manifest
// RUN: FileCheck %s --check-prefix=WINDOW0 < %t.window/0-pattern.mlir
// RUN: FileCheck %s --check-prefix=WINDOW1 < %t.window/1-fused.mlir
// RUN: FileCheck %s --check-prefix=WINDOW2 < %t.window/2-tile.mlir
// RUN: FileCheck %s --check-prefix=WINDOW3 < %t.window/3-cpu.ll
// RUN: FileCheck %s --check-prefix=WINDOW4 < %t.window/4-cpu.s
// RUN: FileCheck %s --check-prefix=WINDOW5 < %t.window/manifest
// WINDOW0-NOT: bind
// WINDOW0: scale: float = rsqrt(D)
// WINDOW1: bind {D = 64 : i64
// WINDOW1-SAME: causal = "proven"
// WINDOW1-NOT: sattn.attend
// WINDOW1: sattn.score
// WINDOW1-NEXT: sattn.set
// WINDOW1-NEXT: sattn.accumulate
// WINDOW1-NEXT: sattn.finalize
// WINDOW1-NEXT: sattn.lse
// WINDOW1-NEXT: sattn.yield
// WINDOW2-NOT: {{ sattn\.}}
// WINDOW2: sattn_tile.program @window
// WINDOW2: sattn_tile.kernel @pack_k_keys(
// WINDOW2: sattn_tile.kernel @pack_v_values(
// WINDOW2: sattn_tile.kernel @attend(
// WINDOW2: sattn_tile.kernel @split(
// WINDOW2: sattn_tile.kernel @join(
// WINDOW2-NOT: sattn_tile.kernel
// WINDOW2: sattn_tile.plan
// WINDOW2: sattn_tile.launch @pack_k_keys
// WINDOW2: sattn_tile.launch @pack_v_values
// WINDOW2: sattn_tile.launch @attend
// WINDOW2: sattn_tile.launch @split
// WINDOW2: sattn_tile.launch @join
// WINDOW2-NOT: sattn_tile.launch
// WINDOW3: ; kernel @pack_k_keys
// WINDOW3: define void @pack_k_keys(ptr noalias readonly %0, ptr noalias align 64 %1, i64 %2, i64 %3, i64 %4)
// WINDOW3: ; kernel @pack_v_values
// WINDOW3: ; kernel @attend
// WINDOW3: define void @attend(
// WINDOW3: fma
// WINDOW4: # kernel @pack_k_keys
// WINDOW4: # kernel @pack_v_values
// WINDOW4: # kernel @attend
// WINDOW4: attend:
// WINDOW4-NOT: @PLT
// WINDOW4: vfmadd
// WINDOW4-NOT: @PLT
// WINDOW5: "target":"cpu-avx2"
// WINDOW5: "steps":{{.*}}"kernel":"pack_k_keys"{{.*}}"kernel":"pack_v_values"{{.*}}"kernel":"attend"{{.*}}"kernels":{"

// Summaries, selection and three branches: four kernels prepare, one selects, one attends to blocks and window and mixes.
// Calls of few rows pack nothing and walk the lists, calls of few keys hide what rows did not choose.
// RUN: rm -rf %t.nsa && mkdir %t.nsa
// RUN: sparse-attn-opt %patterns/nsa.mlir --emit=manifest --bind dtype=f32,D=64,Dv=64,group=4 --target=cpu-avx2 --dump-dir %t.nsa -o %t.nsa/manifest
// RUN: FileCheck %s --check-prefix=NSA1 < %t.nsa/1-fused.mlir
// RUN: FileCheck %s --check-prefix=NSA2 < %t.nsa/2-tile.mlir
// RUN: FileCheck %s --check-prefix=NSA3 < %t.nsa/3-cpu.ll
// RUN: FileCheck %s --check-prefix=NSA5 < %t.nsa/manifest
// NSA1: causal = "proven given its where-clause"
// NSA1-COUNT-2: sattn.summarize
// NSA1: sattn.accumulate
// NSA1: sattn.normalize
// NSA1: sattn.reduce
// NSA1: sattn.rebin
// NSA1: sattn.select
// NSA1: sattn.intersect
// NSA1: sattn.accumulate
// NSA1: sattn.accumulate
// NSA1: sattn.mix
// NSA2-NOT: {{ sattn\.}}
// NSA2: sattn_tile.kernel @summarize_summary_keys(
// NSA2: sattn_tile.load_blocks
// NSA2: sattn_tile.kernel @summarize_summary_values(
// NSA2: sattn_tile.load_blocks
// NSA2: sattn_tile.kernel @select(
// NSA2: sattn_tile.softmax_step
// NSA2: sattn_tile.pool
// NSA2: sattn_tile.top_push
// NSA2: sattn_tile.top_list
// NSA2: sattn_tile.kernel @pack_k_keys(
// NSA2: sattn_tile.kernel @pack_v_values(
// NSA2: sattn_tile.kernel @attend(
// NSA2: sattn_tile.invert
// NSA2: sattn_tile.stream_inverse
// NSA2: sattn_tile.stream
// NSA2: sattn_tile.kernel @summarize_summary_keys_1(
// NSA2: sattn_tile.kernel @summarize_summary_values_1(
// NSA2: sattn_tile.kernel @select_1(
// NSA2: sattn_tile.kernel @attend_1(
// NSA2: sattn_tile.kernel @summarize_summary_keys_2(
// NSA2: sattn_tile.kernel @summarize_summary_values_2(
// NSA2: sattn_tile.kernel @select_2(
// NSA2: sattn_tile.kernel @pack_k_keys_1(
// NSA2: sattn_tile.kernel @pack_v_values_1(
// NSA2: sattn_tile.kernel @members(
// NSA2: sattn_tile.kernel @attend_2(
// NSA2-NOT: sattn_tile.kernel
// NSA2: sattn_tile.plan
// NSA2: sattn_tile.launch @summarize_summary_keys
// NSA2: sattn_tile.launch @summarize_summary_values
// NSA2: sattn_tile.launch @pack_k_keys
// NSA2: sattn_tile.launch @pack_v_values
// NSA2: sattn_tile.launch @select
// NSA2: sattn_tile.launch @attend grid
// NSA2: sattn_tile.launch @summarize_summary_keys_1
// NSA2: sattn_tile.launch @summarize_summary_values_1
// NSA2: sattn_tile.launch @select_1
// NSA2: sattn_tile.launch @attend_1
// NSA2: sattn_tile.launch @summarize_summary_keys_2
// NSA2: sattn_tile.launch @summarize_summary_values_2
// NSA2: sattn_tile.launch @pack_k_keys_1
// NSA2: sattn_tile.launch @pack_v_values_1
// NSA2: sattn_tile.launch @select_2
// NSA2: sattn_tile.launch @members
// NSA2: sattn_tile.launch @attend_2
// NSA2-NOT: sattn_tile.launch
// NSA3-COUNT-17: {{^}}; kernel @
// NSA3-NOT: {{^}}; kernel @
// NSA5: "kernel":"select"{{.*}}"kernel":"attend"

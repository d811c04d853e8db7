// RUN: sparse-attn-opt %s --sattn-specialize=bind=dtype=f32,D=64,Dv=64,group=4 --sattn-choose-dataflow="target=flopsPerCycle=64,exp2PerCycle=4,bytesPerCycle=4,largeBytesPerCycle=32 keys=16384" | FileCheck %s
// RUN: sparse-attn-opt %s --sattn-specialize=bind=dtype=f32,D=64,Dv=64,group=4 --sattn-choose-dataflow="keys=1024" | FileCheck %s --check-prefix=SMALL

// The remarks say the same in one line each.
// RUN: sparse-attn-opt %s --sattn-specialize=bind=dtype=f32,D=64,Dv=64,group=4 --sattn-choose-dataflow --remarks-filter=sattn-choose-dataflow -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// REMARK: choose_dataflow.mlir:{{[0-9]+}}:{{[0-9]+}}: remark: [Passed] scored | Category:sattn-choose-dataflow | Remark="one pass over the scores, which are never stored; not stored: {{.*}}"
// REMARK: sattn.select top(8)
// REMARK: remark: [Passed] inverted | {{.*}}"lists of 8 blocks of 64 keys, {{.*}}: [[#INV:]] cycles; not gathered ([[#]] cycles): {{.*}}; not masked ([[#]] cycles): {{.*}}; cycles are for a row at 16384 keys; selecting pays from {{[0-9]+}} keys"
// REMARK: sattn.attend %z over %sel, %v
// REMARK: remark: [Passed] range
// REMARK: sattn.attend %z over %near, %v
// Without the flag there are none.
// RUN: sparse-attn-opt %s --sattn-specialize=bind=dtype=f32,D=64,Dv=64,group=4 --sattn-choose-dataflow -o /dev/null 2>&1 | FileCheck %s --check-prefix=QUIET --allow-empty
// QUIET-NOT: remark

// A formula streams its cover; lists of rows are inverted within tasks that grow with the length; the text says
// what was compared.
// CHECK-LABEL: sattn.pattern @selected
// CHECK: sattn.select {{.*}} {dataflow = {kind = "scored", refused = [{kind = "stored", why = "{{[^"]+}}"}], rows = 64 : i64, why = "one pass over the scores, which are never stored"}}
// CHECK: sattn.accumulate {{.*}} {dataflow = {break_even = 1280 : i64, cycles = [[INVERTED:[0-9.e+]+]] : f64, keys = 16384 : i64, keys_per_row = 16 : i64, kind = "inverted",
// CHECK-SAME: refused = [{cycles = [[GATHERED:[0-9.e+]+]] : f64, kind = "gathered", why = "each row would load the blocks of its own list, used by 4 heads only"},
// CHECK-SAME: {cycles = 3.481600e+04 : f64, kind = "masked", why = "every key up to the row would be computed, unselected ones masked"},
// CHECK-SAME: {kind = "key_stationary", why = "a row's 8 partial results would be written, read and merged: 4224 bytes for a row"}],
// CHECK-SAME: rows = 4032 : i64, why = "lists of 8 blocks of 64 keys, shared by 4 heads, are inverted within [[#]] neighbouring rows at 16384 keys; tasks grow with the length to 4032 rows"}}
// CHECK: sattn.accumulate {{.*}} {dataflow = {keys = 16384 : i64, kind = "range",
// CHECK-SAME: refused = [{cycles = 3.481600e+04 : f64, kind = "masked", why = "every tile up to the row would be computed, those outside the set too"}],
// CHECK-SAME: rows = 64 : i64, why = "the set is a formula: 64 rows of one head stream tiles of 64 keys over its cover; 425 cycles for a row and 100 keys"}}

// Fewer keys make smaller tasks; what a call may use at most is the same.
// SMALL-LABEL: sattn.pattern @selected
// SMALL: keys_per_row = 16 : i64, kind = "inverted", {{.*}}rows = 4032 : i64, why = "{{.*}} are inverted within 64 neighbouring rows at 1024 keys
sattn.pattern @selected(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(64) ragged
  %a = sattn.score dot %q, %m
  %ag = sattn.reduce sum %a over h to g
  %open = sattn.set (t, c(64)) : first(c) <= t
  %near = sattn.set (t, s) : 0 <= t - s < 512
  %sel = sattn.select top(8) %ag where %open
  %z = sattn.score dot %q, %k
  %o1 = sattn.attend %z over %sel, %v
  %o2 = sattn.attend %z over %near, %v
  %o = sattn.mix %o1 + %o2
  sattn.yield %o
}

// Blocks of rows share a list; probabilities take two passes.
// CHECK-LABEL: sattn.pattern @shared
// CHECK: sattn.select {{.*}} why = "probabilities need the sum over all blocks: a pass for the sums, a second one that recomputes the scores and selects"
// CHECK: sattn.accumulate {{.*}} {dataflow = {break_even = {{[0-9]+}} : i64, cycles = 1.088000e+03 : f64, {{.*}}kind = "listed", refused = [{{.*}}], rows = 128 : i64, why = "blocks of 128 rows share a list of 4 blocks of 64 keys"}}
sattn.pattern @shared(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(64) ragged
  %mq = sattn.summarize mean %q blocks(128)
  %a = sattn.score dot %mq, %m
  %open = sattn.set (u(128), c(64)) : first(c) <= last(u)
  %p = sattn.normalize %a over %open
  %sel = sattn.select top(4) %p where %open
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// One distance modulo 16 between rows and keys: classes of residues. A second set without it takes them away.
// CHECK-LABEL: sattn.pattern @dilated
// CHECK: sattn.accumulate {{.*}} {dataflow = {every = 16 : i64, keys = 16384 : i64, kind = "range", refused = [{{.*}}], rows = 64 : i64, shift = 3 : i64, why = "the set is a formula: rows and keys of one residue modulo 16 are a class of their own; 64 rows
sattn.pattern @dilated(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t and (t - s) mod 16 == 3
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// CHECK-LABEL: sattn.pattern @beside
// CHECK: sattn.accumulate {{.*}} {dataflow = {keys = 16384 : i64, kind = "range", refused = [{{.*}}], rows = 64 : i64, why = "the set is a formula: 64 rows
// CHECK: sattn.accumulate {{.*}} {dataflow = {keys = 16384 : i64, kind = "range", refused = [{{.*}}], rows = 64 : i64, why = "the set is a formula: 64 rows
sattn.pattern @beside(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %far = sattn.set (t, s) : t - s >= 16 and (t - s) mod 16 == 3
  %near = sattn.set (t, s) : 0 <= t - s < 16
  %z = sattn.score dot %q, %k
  %a = sattn.accumulate softmax %z over %far, %v
  %b = sattn.accumulate softmax %z over %near, %v
  %m = sattn.merge %a, %b
  %o = sattn.finalize %m
  sattn.yield %o
}

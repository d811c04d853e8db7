// What a stage may not leave behind, each with the pass that takes it away.
// RUN: split-file %s %t
// RUN: sparse-attn-opt %t/pattern.mlir --split-input-file --verify-diagnostics --sattn-check-stage=stage=pattern
// RUN: sparse-attn-opt %t/fused.mlir --split-input-file --verify-diagnostics --sattn-check-stage=stage=fused
// RUN: sparse-attn-opt %t/planned.mlir --split-input-file --verify-diagnostics --sattn-check-stage=stage=planned
// RUN: sparse-attn-opt %t/tile.mlir --split-input-file --verify-diagnostics --sattn-check-stage="stage=tile target=keyLayout=rows:4,valueLayout=cols:4"
// RUN: sparse-attn-opt %t/target.mlir --verify-diagnostics --sattn-check-stage="stage=tile target=speed=3"

// A compile asks at the ends of its stages, also of a text that someone edited.
// RUN: not sparse-attn-opt %patterns/window.mlir --emit=tile --bind dtype=f32,D=8,Dv=8,group=2 --override-stage=1-fused=%t/edited.mlir 2>&1 | FileCheck %t/edited.mlir

//--- pattern.mlir
// expected-error @below {{[SA0230] 'sattn_tile.program' may not stand in a module at stage 'pattern': it holds sattn.pattern alone}}
sattn_tile.program @p {
  sattn_tile.plan {
  }
}

// -----

sattn.pattern @early(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0233] 'sattn.accumulate' has a dataflow at stage 'pattern', before one is chosen: remove it}}
  %a = sattn.accumulate softmax %z over %keys, %v {dataflow = {kind = "range", rows = 64 : i64, why = ""}}
  %o = sattn.finalize %a
  sattn.yield %o
}

//--- fused.mlir
// expected-error @below {{[SA0231] @unbound has no bind at stage 'fused': run sattn-specialize first}}
sattn.pattern @unbound(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// expected-error @below {{[SA0231] static param 'W' is not bound at stage 'fused': run sattn-specialize first}}
sattn.pattern @param<static W: int = 4>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o)
    bind {D = 8 : i64, Dv = 8 : i64, dtype.k = f32, dtype.q = f32, dtype.v = f32, group = 2 : i64} {
  %keys = sattn.set (t, s) : 0 <= t - s < W
  %z = sattn.score dot %q, %k
  %a = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %a
  sattn.yield %o
}

// -----

// expected-error @below {{[SA0231] role 'v' has no element type at stage 'fused': run sattn-specialize first}}
sattn.pattern @dtype(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o)
    bind {D = 8 : i64, Dv = 8 : i64, dtype.k = f32, dtype.q = f32, group = 2 : i64} {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  %a = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %a
  sattn.yield %o
}

// -----

// expected-error @below {{[SA0231] feature axis 'Dv' has no size at stage 'fused': run sattn-specialize first}}
sattn.pattern @feature(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o)
    bind {D = 8 : i64, dtype.k = f32, dtype.q = f32, dtype.v = f32, group = 2 : i64} {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  %a = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %a
  sattn.yield %o
}

// -----

sattn.pattern @attend(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o)
    bind {D = 8 : i64, Dv = 8 : i64, dtype.k = f32, dtype.q = f32, dtype.v = f32, group = 2 : i64} {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0231] 'sattn.attend' is left at stage 'fused': run sattn-specialize first}}
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

sattn.pattern @algebra(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o)
    bind {D = 8 : i64, Dv = 8 : i64, dtype.k = f32, dtype.q = f32, dtype.v = f32, group = 2 : i64} {
  %near = sattn.set (t, s) : 0 <= t - s < 4
  %sinks = sattn.set (t, s) : s <= t and s < 4
  // expected-error @below {{[SA0231] 'sattn.union' is left of a set's algebra at stage 'fused': run sattn-normalize-sets first}}
  %keys = sattn.union %near, %sinks
  %z = sattn.score dot %q, %k
  %a = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %a
  sattn.yield %o
}

// -----

// Two formulas are one formula.
sattn.pattern @formulas(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o)
    bind {D = 8 : i64, Dv = 8 : i64, dtype.k = f32, dtype.q = f32, dtype.v = f32, group = 2 : i64} {
  %near = sattn.set (t, s) : 0 <= t - s < 4
  %even = sattn.set (t, s) : s mod 2 == 0
  // expected-error @below {{[SA0231] 'sattn.intersect' is left of a set's algebra at stage 'fused': run sattn-normalize-sets first}}
  %keys = sattn.intersect %near, %even
  %z = sattn.score dot %q, %k
  %a = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %a
  sattn.yield %o
}

//--- planned.mlir
sattn.pattern @select(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o)
    bind {D = 8 : i64, Dv = 8 : i64, dtype.k = f32, dtype.q = f32, dtype.v = f32, group = 2 : i64} {
  %m = sattn.summarize mean %k blocks(8) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(8)) : t - 8 * c >= 0
  // expected-error @below {{[SA0231] 'sattn.select' has no dataflow at stage 'planned': run sattn-choose-dataflow first}}
  %sel = sattn.select top(2) %a where %open
  %z = sattn.score dot %q, %k
  %p = sattn.accumulate softmax %z over %sel, %v
  %o = sattn.finalize %p
  sattn.yield %o
}

// -----

sattn.pattern @accumulate(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o)
    bind {D = 8 : i64, Dv = 8 : i64, dtype.k = f32, dtype.q = f32, dtype.v = f32, group = 2 : i64} {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  // expected-error @below {{[SA0231] 'sattn.accumulate' has no dataflow at stage 'planned': run sattn-choose-dataflow first}}
  %a = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %a
  sattn.yield %o
}

//--- tile.mlir
// expected-error @below {{[SA0230] 'sattn.pattern' may not stand in a module at stage 'tile': it holds sattn_tile.program alone}}
sattn.pattern @left(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// -----

// expected-error @below {{[SA0231] @bare has no 'requires' for the manifest at stage 'tile': run sattn-to-tile first}}
sattn_tile.program @bare attributes {roles = [], results = [], params = []} {
  sattn_tile.plan {
  }
}

// -----

sattn_tile.program @layouts attributes {roles = [], results = [], params = [], requires = []} {
  sattn_tile.kernel @good(%k: !sattn_tile.arg<f32, 64, <block = 64, rows by 4>>, %v: !sattn_tile.arg<f32, 64, <block = 64, cols by 2>>, %o: !sattn_tile.arg<f32, 64>) grid(%x, %y, %z) {
    sattn_tile.return
  }
  // expected-error @below {{[SA0232] 'sattn_tile.kernel' has a layout that is none of the target's: those are rows by 4, cols by 4 and rows by 16}}
  sattn_tile.kernel @other(%k: !sattn_tile.arg<f32, 64, <block = 64, cols by 16>>) grid(%x, %y, %z) {
    sattn_tile.return
  }
  sattn_tile.plan {
  }
}

//--- target.mlir
// expected-error @below {{[SA0202] target has no field 'speed'}}
module {
}

//--- edited.mlir
// CHECK: error: [SA0231] 'sattn.union' is left of a set's algebra at stage 'planned': run sattn-normalize-sets first
sattn.pattern @edited(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o)
    bind {D = 8 : i64, Dv = 8 : i64, dtype.k = f32, dtype.q = f32, dtype.v = f32, group = 2 : i64} {
  %near = sattn.set (t, s) : 0 <= t - s < 4
  %sinks = sattn.set (t, s) : s <= t and s < 4
  %keys = sattn.union %near, %sinks
  %z = sattn.score dot %q, %k
  %a = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %a
  sattn.yield %o
}

// RUN: sparse-attn-opt %s --sattn-tile-pipeline="bind=dtype=f16,D=64,Dv=32,group=2 target=keyLayout=rows:4,valueLayout=cols:4" | FileCheck %s

// A static set: keys and values are packed once for a wave, a task streams one query head's rows over a cover.
// CHECK-LABEL: sattn_tile.program @window
// CHECK-SAME: params = [{default = 16 : i64, name = "W", type = "int"}, {default = 1.250000e-01 : f64, name = "scale", type = "float"}]
// CHECK-SAME: requires = [{check = ["==", "h", ["*", "g", 2]], message = "compiled for 2 heads 'h' for each head 'g'"}]
// CHECK-SAME: results = [{axes = ["t", "h", "Dv"], dtype = "f16", inner = 32 : i64, name = "o"}, {axes = ["t", "h"], dtype = "f32", inner = 1 : i64, name = "lse"}]
// CHECK-SAME: roles = [{axes = ["t", "h", "D"], dtype = "f16", inner = 64 : i64, name = "q"}

// CHECK: sattn_tile.kernel @pack_k_keys(
// CHECK: %[[N:.*]] = sattn_tile.of_batch %kv_len
// CHECK: %[[K:.*]] = sattn_tile.slice %k[{{.*}}] limit %[[N]] : <f16, 64> -> <f16, 64>
// CHECK: %[[TILE:.*]] = sattn_tile.load %[[K]][%[[AT:.*]]] : <f16, 64> -> <64x64xf32>
// CHECK: sattn_tile.store %[[TILE]], %{{.*}}[%[[AT]]] : <64x64xf32>, <f32, 64, <block = 64, rows by 4>>
// CHECK: sattn_tile.kernel @pack_v_values(
// CHECK: sattn_tile.store %{{.*}} : <64x32xf32>, <f32, 32, <block = 64, cols by 4>>

// CHECK: sattn_tile.kernel @attend(
// CHECK: %[[C:.*]] = arith.mulf %scale, %{{.*}} : f32
// CHECK: %[[Q:.*]] = sattn_tile.map
// CHECK: %[[COVER:.*]] = sattn_tile.cover hull(%[[LO:.*]] to %[[HI:.*]]) full(%{{.*}} to %{{.*}})
// CHECK: %[[R:.*]]:3 = sattn_tile.stream %[[J:.*]] in %[[COVER]] carry(%[[M:.*]] = %{{.*}}, %[[L:.*]] = %{{.*}}, %[[A:.*]] = %{{.*}}) : !sattn_tile.tile<64xf32>, !sattn_tile.tile<64xf32>, !sattn_tile.tile<64x32xf32>
// CHECK: %[[S:.*]] = sattn_tile.dot nt %[[Q]], %{{.*}} -> <64x64xf32>
// CHECK: %[[VISIBLE:.*]] = sattn_tile.mask %[[S]] rows(%{{.*}}) cols(%{{.*}}) symbols(%W, %{{.*}})
// CHECK: %[[M1:.*]], %[[L1:.*]], %[[ALPHA:.*]], %[[P:.*]] = sattn_tile.softmax_step %[[VISIBLE]], %[[M]], %[[L]]
// CHECK: %[[A1:.*]] = sattn_tile.dot nn %[[P]], %{{.*}} add %[[A]] scaled %[[ALPHA]]
// CHECK: sattn_tile.yield %[[M1]], %[[L1]], %[[A1]]
// CHECK: %[[O:.*]], %[[LSE:.*]] = sattn_tile.softmax_finish %[[R]]#0, %[[R]]#1, %[[R]]#2
// CHECK: sattn_tile.store %[[O]], %{{.*}} : <64x32xf32>, <f16, 32>
// CHECK: sattn_tile.store %[[LSE]], %{{.*}} : <64xf32>, <f32, 1>

// CHECK: sattn_tile.plan
// CHECK: %[[KEYS:.*]] = sattn_tile.workspace "k_keys"[%[[PAIRS:.*]], %{{.*}}, %{{.*}}] : <f32, 64, <block = 64, rows by 4>>
// CHECK: %[[VALUES:.*]] = sattn_tile.workspace "v_values"[%[[PAIRS]], %{{.*}}, %{{.*}}] : <f32, 32, <block = 64, cols by 4>>
// CHECK: sattn_tile.loop
// CHECK: sattn_tile.launch @pack_k_keys
// CHECK: sattn_tile.launch @pack_v_values
// CHECK: sattn_tile.launch @attend grid(%{{.*}}, %{{.*}}, %{{.*}}) {{.*}} {order = ["z", "-x", "y"]}
sattn.pattern @window<W: int = 16, scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : 0 <= t - s < W
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}

// Summaries as keys and values, one of them yielded; a formula of the score, which keeps log2(e) out of the queries.
// CHECK-LABEL: sattn_tile.program @compressed
// CHECK-SAME: requires = [{check = ["==", "h", ["*", "g", 2]], message = "compiled for 2 heads 'h' for each head 'g'"}, {check = ["==", ["mod", "kv_offset_gcd", 4], 0], message = "kv_offset must be a multiple of 4, where blocks 'c(8, 4)' begin"}]
// CHECK-SAME: results = [{axes = ["t", "h", "Dv"], {{.*}}, {axes = ["c(8, 4)", "g", "D"], dtype = "f32", inner = 64 : i64, name = "kc"}]
// CHECK: sattn_tile.kernel @summarize_kc(
// CHECK: %[[MEAN:.*]] = sattn_tile.load_blocks mean %{{.*}}[%{{.*}}] blocks(8, 4)
// CHECK: sattn_tile.store %[[MEAN]], %{{.*}} : <64x64xf32>, <f32, 64>
// CHECK: sattn_tile.kernel @attend(
// CHECK: sattn_tile.map (%{{.*}} = %{{.*}}, %{{.*}} = %scale)
// CHECK: sattn_tile.stream
// CHECK: %[[S:.*]] = sattn_tile.dot nt
// CHECK: %[[CAPPED:.*]] = sattn_tile.map (%[[Z:.*]] = %[[S]], %[[CAP:.*]] = %cap)
// CHECK: arith.divf %[[Z]], %[[CAP]]
// CHECK: math.tanh
// CHECK: sattn_tile.mask %[[CAPPED]]
sattn.pattern @compressed<cap: float = 30.0, scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, kc) {
  %kc = sattn.summarize mean %k blocks(8, 4)
  %vc = sattn.summarize mean %v blocks(8, 4)
  %past = sattn.set (t, c(8, 4)) : last(c) <= t
  %z = sattn.score dot %q, %kc scale(scale)
  %y = sattn.map %z : cap * tanh(z / cap)
  %o = sattn.attend %y over %past, %vc
  sattn.yield %o, %kc
}

// Positions and tables of a score: numbers that count stand at the top of the kernel, what belongs to rows is loaded
// before the stream, what belongs to keys for each tile. A difference of positions is computed for the first row and key
// and then in small numbers.
// CHECK-LABEL: sattn_tile.program @places
// CHECK: sattn_tile.kernel @attend(
// CHECK-DAG: %[[COLS:.*]] = sattn_tile.iota #{{.*}} : <1x64xf32>
// CHECK-DAG: %[[ROWS:.*]] = sattn_tile.iota #{{.*}} : <64xf32>
// CHECK-DAG: %[[SV:.*]] = sattn_tile.slice %slope[{{.*}}] repeat : <f16, 1> -> <f16, 1>
// CHECK-DAG: %[[SLOPE:.*]] = sattn_tile.load %[[SV]][%c0] : <f16, 1> -> <64xf32>
// CHECK-DAG: %[[GATE_T:.*]] = sattn_tile.load %{{.*}}[%{{[0-9]+}}] : <f16, 1> -> <64xf32>
// CHECK: sattn_tile.stream %[[J:.*]] in
// CHECK: %[[S:.*]] = sattn_tile.dot nt
// CHECK: %[[FIRST:.*]] = arith.sitofp %{{.*}} : i64 to f32
// CHECK: %[[GATE_S:.*]] = sattn_tile.load %{{.*}} : <f16, 1> -> <1x64xf32>
// CHECK: sattn_tile.map (%{{.*}} = %[[S]], %{{.*}} = %[[SLOPE]], %{{.*}} = %[[FIRST]], %{{.*}} = %[[ROWS]], %{{.*}} = %[[COLS]], %{{.*}} = %[[GATE_T]], %{{.*}} = %[[GATE_S]])
// CHECK: sattn_tile.mask
sattn.pattern @places(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %slope: [h], %gate: [s, h]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  %y = sattn.map %z : z - %slope[h] * (t - s) + (%gate[t, h] - %gate[s, h])
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}

// A set that reads tables: their numbers are dims of the mask, loaded once for the rows and once for each tile of keys.
// What they decide is unknown before, so that no tile is full.
// CHECK-LABEL: sattn_tile.program @documents
// CHECK: sattn_tile.cover hull(%c0 to %{{.*}}) full(%c0 to %c0)
// CHECK: %[[DOC_T:.*]] = sattn_tile.load %{{.*}} : <i32, 1> -> <64xi32>
// CHECK: sattn_tile.stream
// CHECK: %[[DOC_S:.*]] = sattn_tile.load %{{.*}} : <i32, 1> -> <1x64xi32>
// CHECK: sattn_tile.mask %{{.*}} rows(%{{.*}}) cols(%{{.*}}) symbols(%{{.*}}) tables(%[[DOC_S]], %[[DOC_T]] : !sattn_tile.tile<1x64xi32>, !sattn_tile.tile<64xi32>) {row_map = #{{.*}}, sets = [#{{.*}}]} : !sattn_tile.tile<64x64xf32>
sattn.pattern @documents(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %doc: int[s]) -> (o) {
  %keys = sattn.set (t, s) : s <= t and %doc[t] == %doc[s]
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// RUN: sparse-attn-opt %s --split-input-file --sattn-specialize=bind=dtype=f16,dtype.v=bf16,D=64,Dv=32,group=4,b=8 | FileCheck %s
// RUN: sparse-attn-opt %s --split-input-file --sattn-specialize=bind=b=8,group=4,Dv=32,D=64,dtype.v=bf16,dtype=f16 | sparse-attn-opt --split-input-file --pass-pipeline="builtin.module()" | FileCheck %s

// Static params and feature sizes become numbers, blocks affine, attend two ops; dynamic params keep literal defaults.
// CHECK-LABEL: sattn.pattern @all_of_it
// CHECK-SAME: <W: int = 16, scale: float = 0.125>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %m: [c(8), g, D]) -> (o)
// CHECK-SAME: bind {D = 64 : i64, Dv = 32 : i64, b = 8 : i64, dtype.k = f16, dtype.m = f16, dtype.q = f16, dtype.v = bf16, group = 4 : i64, n = 16 : i64}
// CHECK-DAG: %[[PAST:.*]] = sattn.set (t, c(8)) : 7 <= t - 8 * c < W
// CHECK-DAG: %[[A:.*]] = sattn.score dot %q, %m scale(0.125)
// CHECK: %[[SEL:.*]] = sattn.select top(16) %[[A]] where %[[PAST]]
// CHECK: %[[Z:.*]] = sattn.score dot %q, %k scale(scale)
// CHECK: %[[ACC:.*]] = sattn.accumulate softmax %[[Z]] over %[[SEL]], %v
// CHECK: %[[O:.*]] = sattn.finalize %[[ACC]]
// CHECK: sattn.yield %[[O]]
sattn.pattern @all_of_it<static b: int = 4, static n: int = 2 * b, W: int = 2 * b, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %m: [c(b), g, D]) -> (o) {
  %past = sattn.set (t, c(b)) : last(c) <= t and first(c) > t - W
  %a = sattn.score dot %q, %m scale(rsqrt(D))
  %sel = sattn.select top(n) %a where %past
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

// The mean of one position is the position, and blocks of one row are rows.
// CHECK-LABEL: sattn.pattern @single_rows
// CHECK-NOT: sattn.summarize mean %q
// CHECK: sattn.score dot %q, %{{.*}}
// CHECK: sattn.set (t, c(8)) : t - 8 * c >= 0
sattn.pattern @single_rows<static b: int = 8, static l: int = 1>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %mq = sattn.summarize mean %q blocks(l)
  %mk = sattn.summarize mean %k blocks(b)
  %a = sattn.score dot %mq, %mk
  %open = sattn.set (u(l), c(b)) : first(c) <= last(u)
  %sel = sattn.select top(2) %a where %open
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

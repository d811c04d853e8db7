// Every refusal of sattn-specialize, each with its binding.
// RUN: split-file %s %t
// RUN: cd %t
// RUN: not sparse-attn-opt p.mlir --sattn-specialize=bind=D 2>&1 | FileCheck %s --check-prefix=MALFORMED
// MALFORMED: [SA0202] binding 'D' is malformed: write name=value, separated by commas
// RUN: not sparse-attn-opt p.mlir --sattn-specialize=bind=D=1,D=2 2>&1 | FileCheck %s --check-prefix=TWICE
// TWICE: [SA0202] 'D' is bound twice: give it once
// RUN: not sparse-attn-opt p.mlir --sattn-specialize=bind=dtype=f32,D=64,Dv=64,group=1,x=1 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: [SA0203] @p has nothing named 'x' to bind: known are 'D', 'Dv', 'b', 'dataflow', 'dtype', 'dtype.k', 'dtype.q', 'dtype.v', 'group'
// RUN: not sparse-attn-opt p.mlir --sattn-specialize=bind=dtype.q=f32,dtype.k=f32 2>&1 | FileCheck %s --check-prefix=DTYPE
// DTYPE: [SA0204] element type of role 'v' is not bound: give dtype=f32|f16|bf16 or dtype.v=...
// RUN: not sparse-attn-opt p.mlir --sattn-specialize=bind=dtype=f64 2>&1 | FileCheck %s --check-prefix=F64
// F64: [SA0206] role 'q' is bound to element type 'f64': expected f32, f16 or bf16
// RUN: not sparse-attn-opt p.mlir --sattn-specialize=bind=dtype=f32,D=64 2>&1 | FileCheck %s --check-prefix=FEATURE
// FEATURE: [SA0204] size of feature axis 'Dv' is not bound: give Dv=...
// RUN: not sparse-attn-opt p.mlir --sattn-specialize=bind=dtype=f32,D=0 2>&1 | FileCheck %s --check-prefix=RANGE
// RANGE: [SA0206] 'D' is bound to '0': expected an integer from 1 to 4096
// RUN: not sparse-attn-opt p.mlir --sattn-specialize=bind=dtype=f32,D=64,Dv=64 2>&1 | FileCheck %s --check-prefix=GROUP
// GROUP: [SA0204] query heads for each head of axis 'g' are not bound: give group=...
// RUN: not sparse-attn-opt p.mlir --sattn-specialize=bind=dtype=f32,D=64,Dv=64,group=1,W=8 2>&1 | FileCheck %s --check-prefix=DYNAMIC
// DYNAMIC: [SA0205] param 'W' is dynamic: give it at the call, or declare it static
// RUN: not sparse-attn-opt p.mlir --sattn-specialize=bind=dtype=f32,D=64,Dv=64,group=1,b=0 2>&1 | FileCheck %s --check-prefix=EMPTY
// EMPTY: [SA0207] blocks(0, 0) are empty: lengths and strides are at least 1
// RUN: not sparse-attn-opt bound.mlir --sattn-specialize=bind=dtype=f32 2>&1 | FileCheck %s --check-prefix=AGAIN
// AGAIN: [SA0205] @bound is already specialised: run sattn-specialize once
// RUN: not sparse-attn-opt needs.mlir --sattn-specialize=bind=dtype=f32,D=8,Dv=8 2>&1 | FileCheck %s --check-prefix=NEEDS
// NEEDS: [SA0204] static param 'b' has no default and is not bound: give b=...
// RUN: not sparse-attn-opt needs.mlir --sattn-specialize=bind=dtype=f32,D=8,Dv=8,b=2,x=y 2>&1 | FileCheck %s --check-prefix=NUMBER
// NUMBER: [SA0206] 'x' is bound to 'y': expected a number
// RUN: not sparse-attn-opt needs.mlir --sattn-specialize=bind=dtype=f32,D=8,Dv=8,b=2,l=3 2>&1 | FileCheck %s --check-prefix=GAPS
// GAPS: [SA0207] blocks(2, 3) leave gaps: the stride must not exceed the length
// RUN: not sparse-attn-opt reserved.mlir --sattn-specialize=bind=dtype=f32,D=8,Dv=8,group=2 2>&1 | FileCheck %s --check-prefix=RESERVED
// RESERVED: [SA0205] static param 'group' has the name of a binding: rename it
// RUN: not sparse-attn-opt p.mlir --sattn-specialize=bind=dtype=f32,D=64,Dv=64,group=1,paged=0 2>&1 | FileCheck %s --check-prefix=PAGE
// PAGE: [SA0206] 'paged' is bound to '0': expected an integer from 1 to 1048576
// RUN: not sparse-attn-opt paged.mlir --sattn-specialize=bind=dtype=f32,D=8,Dv=8,group=1 2>&1 | FileCheck %s --check-prefix=PAGED
// PAGED: [SA0205] static param 'paged' has the name of a binding: rename it
// RUN: not sparse-attn-opt pieces.mlir --sattn-specialize=bind=dtype=f32,D=8,Dv=8,group=1,paged=8 2>&1 | FileCheck %s --check-prefix=PIECES
// PIECES: [SA0205] 'paged' is bound, but @pieces has no role of floats over 's' with features that pages could hold: leave it out
// RUN: not sparse-attn-opt groups.mlir --sattn-specialize=bind=dtype=f32,D=8,Dv=8,group=4,group.g2=6 2>&1 | FileCheck %s --check-prefix=NEST
// NEST: [SA0205] 'group=4' does not divide 'group.g2=6': groups of heads are contiguous and nest
// RUN: not sparse-attn-opt defaults.mlir --sattn-specialize=bind=dtype=f32,D=8,Dv=8 2>&1 | FileCheck %s --check-prefix=DEFAULT
// DEFAULT: [SA0207] default of param 'V' is '2 * W': the default of a dynamic param depends on static params alone
// RUN: not sparse-attn-opt overflow.mlir --sattn-specialize=bind=dtype=f32,D=8,Dv=8 2>&1 | FileCheck %s --check-prefix=OVERFLOW
// OVERFLOW: [SA0206] default of static param 'far' is
// RUN: not sparse-attn-opt unknown.mlir --sattn-specialize=bind=dtype=f32,D=8,Dv=8 2>&1 | FileCheck %s --check-prefix=FLOAT
// FLOAT: [SA0206] default of static param 'x' is 'W', which is not known when compiling: write a number or bind it
// RUN: not sparse-attn-opt huge.mlir --sattn-specialize=bind=dtype=f32,D=8,Dv=8 2>&1 | FileCheck %s --check-prefix=HUGE
// HUGE: ' cannot be specialised:
// RUN: not sparse-attn-opt needs.mlir --sattn-choose-dataflow 2>&1 | FileCheck %s --check-prefix=UNBOUND
// RUN: not sparse-attn-opt needs.mlir --sattn-to-tile 2>&1 | FileCheck %s --check-prefix=UNBOUND
// UNBOUND: @needs is not specialised: run sattn-specialize first
// RUN: not sparse-attn-opt bound.mlir --sattn-to-tile 2>&1 | FileCheck %s --check-prefix=UNCHOSEN
// UNCHOSEN: [SA0204] no dataflow is chosen: run sattn-choose-dataflow first
// RUN: not sparse-attn-opt bound.mlir --sattn-to-tile=target=lanes=4 2>&1 | FileCheck %s --check-prefix=TARGET
// TARGET: [SA0202] target has no field 'lanes'
// RUN: not sparse-attn-opt divisor.mlir --sattn-specialize=bind=dtype=f32,D=8,Dv=8 2>&1 | FileCheck %s --check-prefix=DIVISOR
// DIVISOR: [SA0207] set cannot be specialised:
// RUN: not sparse-attn-opt %patterns/mla.mlir --sattn-specialize=bind=dtype=f32,D=32 2>&1 | FileCheck %s --check-prefix=PREFIX
// PREFIX: mla.mlir:8:8: error: [SA0206] a prefix of 512 features of role 'kv', which is bound to 32: bind D=512 or more, or a shorter prefix

//--- p.mlir
sattn.pattern @p<static b: int = 64, W: int = 8, scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(b)
  %a = sattn.score dot %q, %m
  %past = sattn.set (t, c(b)) : last(c) <= t - W
  %sel = sattn.select top(2) %a where %past
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}
//--- bound.mlir
sattn.pattern @bound(%q: [t, h, D], %k: [s, h, D], %v: [s, h, D]) -> (o) bind {D = 8 : i64} {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  sattn.yield %o
}
//--- needs.mlir
sattn.pattern @needs<static b: int, static l: int = 1, static x: float = 2.0>(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(b, l)
  %vm = sattn.summarize mean %v blocks(b, l)
  %past = sattn.set (t, c(b, l)) : last(c) <= t
  %z = sattn.score dot %q, %m scale(x)
  %o = sattn.attend %z over %past, %vm
  sattn.yield %o
}
//--- reserved.mlir
sattn.pattern @reserved<static group: int = 2>(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t and t mod group == 0
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
//--- paged.mlir
sattn.pattern @paged<static paged: int = 2>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t and t mod paged == 0
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
//--- pieces.mlir
sattn.pattern @pieces(%q: [t, h, D], %k: [c(8), g, D], %v: [c(8), g, Dv]) -> (o) {
  %keys = sattn.set (t, c(8)) : last(c) <= t
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
//--- groups.mlir
sattn.pattern @groups(%q: [t, h, D], %k: [s, g, D], %v: [s, g2, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
//--- defaults.mlir
sattn.pattern @defaults<W: int = 4, V: int = 2 * W>(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv]) -> (o) {
  %keys = sattn.set (t, s) : V <= t - s and t - s < W
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
//--- overflow.mlir
sattn.pattern @overflow<static b: int = 2147483647, static far: int = b * b>(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv]) -> (o) {
  %keys = sattn.set (t, s) : t - s < far
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
//--- divisor.mlir
sattn.pattern @divisor<static b: int = 0>(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t and (t - s) mod b == 0
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
//--- unknown.mlir
sattn.pattern @unknown<W: int = 4, static x: float = W>(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv]) -> (o) {
  %keys = sattn.set (t, s) : 0 <= t - s < W
  %z = sattn.score dot %q, %k scale(x)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
//--- huge.mlir
sattn.pattern @huge<static a: int = 2147483648, static b: int = 2147483648>(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(a * b * 4)
  %vm = sattn.summarize mean %v blocks(a * b * 4)
  %keys = sattn.set (t, c(a * b * 4)) : last(c) <= t
  %z = sattn.score dot %q, %m
  %o = sattn.attend %z over %keys, %vm
  sattn.yield %o
}

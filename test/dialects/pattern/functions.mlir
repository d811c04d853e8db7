// Functions beside a pattern, and calls of them in maps, are read and printed.
// RUN: sparse-attn-opt %s | FileCheck %s
// RUN: sparse-attn-opt %s | sparse-attn-opt | FileCheck %s
// RUN: sparse-attn-opt %s -mlir-print-op-generic | sparse-attn-opt | FileCheck %s

// CHECK: sattn.function @softcap(x: float, cap: float) cuda text "float softcap(float x, float cap)\0A{ return cap * tanhf(x / cap); }" as cap * tanh(x / cap)
sattn.function @softcap(x: float, cap: float)
    cuda text "float softcap(float x, float cap)\n{ return cap * tanhf(x / cap); }" as cap * tanh(x / cap)
// CHECK: sattn.function @near(x: float, row: int, key: int) cuda text "float near(float, int, int);"
sattn.function @near(x: float, row: int, key: int) cuda text "float near(float, int, int);"

sattn.pattern @p<cap: float = 30.0, n: int = 4, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %doc: int[s]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  // CHECK: sattn.map %z : 2 * @softcap(z + 1, cap * 0.5) - relu(@softcap(z, 3))
  %y = sattn.map %z : 2 * @softcap(z + 1, cap * 0.5) - relu(@softcap(z, 3))
  // CHECK: sattn.map %{{.*}} : @near(z, t - n * s, %doc[s] + size(s))
  %x = sattn.map %y : @near(z, t - n * s, %doc[s] + size(s))
  %o = sattn.attend %x over %keys, %v
  sattn.yield %o
}

// The canonical form of key sets: every spelling of a set prints as the line above it says.
// RUN: sparse-attn-opt %s | FileCheck %s
// RUN: sparse-attn-opt %s | sparse-attn-opt | FileCheck %s

// CHECK-LABEL: sattn.pattern @spellings
sattn.pattern @spellings<W: int = 512, S: int = 4, static b: int = 64, static d: int = 2>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %doc: int[s]) -> (o) {
  // Chains, negations and either side of a comparison.
  // CHECK-NEXT: sattn.set (t, s) : 0 <= t - s < W
  %0 = sattn.set (t, s) : 0 <= t - s < W
  // CHECK-NEXT: sattn.set (t, s) : 0 <= t - s < W
  %1 = sattn.set (t, s) : s <= t and not t - s >= W
  // CHECK-NEXT: sattn.set (t, s) : 0 <= t - s < W
  %2 = sattn.set (t, s) : W > t - s and t >= s
  // CHECK-NEXT: sattn.set (t, s) : 0 <= t - s < W or s <= t and s < S
  %3 = sattn.set (t, s) : s <= t and (t - s < W or s < S)
  // CHECK-NEXT: sattn.set (t, s) : t - s >= W or t <= s
  %4 = sattn.set (t, s) : not (0 < t - s < W)

  // Integers: strict bounds, common divisors, equalities that no integer meets.
  // CHECK-NEXT: sattn.set (t, s) : s < t
  %5 = sattn.set (t, s) : s < t
  // CHECK-NEXT: sattn.set (t, s) : s < t
  %6 = sattn.set (t, s) : 4 * s + 3 <= 4 * t
  // CHECK-NEXT: sattn.set (t, s) : t == s
  %7 = sattn.set (t, s) : 2 * t - 2 * s == 0
  // CHECK-NEXT: sattn.set (t, s) : t == s
  %8 = sattn.set (t, s) : s <= t <= s
  // CHECK-NEXT: sattn.set (t, s) : s <= t
  %9 = sattn.set (t, s) : s <= t or 2 * t == 4 * s + 1
  // CHECK-NEXT: sattn.set (t, s) : s < t or t < s
  %10 = sattn.set (t, s) : not t == s
  // CHECK-NEXT: sattn.set (t, s) : t - s >= 7 or t - s <= 5
  %11 = sattn.set (t, s) : not t - s == 6

  // Bounds of one sum are merged, implied and repeated parts dropped, contradictions too.
  // CHECK-NEXT: sattn.set (t, s) : 2 <= t - s <= 5
  %12 = sattn.set (t, s) : t - s >= 0 and t - s >= 2 and t - s <= 9 and s + 5 >= t
  // CHECK-NEXT: sattn.set (t, s) : s <= t
  %13 = sattn.set (t, s) : s <= t or s <= t - 5 or s <= t and s < S
  // CHECK-NEXT: sattn.set (t, s) : s <= t
  %14 = sattn.set (t, s) : s <= t or t - s > 4 and t - s < 4
  // CHECK-NEXT: sattn.set (t, s) : t - s == 3
  %15 = sattn.set (t, s) : t - s == 3 and t - s <= 8
  // CHECK-NEXT: sattn.set (t, s) : all
  %16 = sattn.set (t, s) : all
  // CHECK-NEXT: sattn.set (t, s) : all
  %17 = sattn.set (t, s) : s <= t or 0 <= 3
  // CHECK-NEXT: sattn.set (t, s) : S <= W
  %18 = sattn.set (t, s) : W - S >= 0
  // CHECK-NEXT: sattn.set (t, s) : W >= 4
  %19 = sattn.set (t, s) : not (W < 4)

  // Products, divisions, folding.
  // CHECK-NEXT: sattn.set (t, s) : (t - s) mod b == 0
  %20 = sattn.set (t, s) : (t - s) mod b == 0
  // CHECK-NEXT: sattn.set (t, s) : t floordiv b == s floordiv b
  %21 = sattn.set (t, s) : t floordiv b == s floordiv b
  // CHECK-NEXT: sattn.set (t, s) : 2 * t - s >= -14
  %22 = sattn.set (t, s) : 2 * (t + 3 * 4 - 5) - s >= 0
  // CHECK-NEXT: sattn.set (t, s) : t - s < 2 * W + b * d
  %23 = sattn.set (t, s) : t - s < W + b * d + W
  // CHECK-NEXT: sattn.set (t, s) : d * t - s >= -b
  %24 = sattn.set (t, s) : s - t * d <= b
  // CHECK-NEXT: sattn.set (t, s) : s <= t
  %25 = sattn.set (t, s) : (s floordiv 1) + (t mod 1) + (7 mod 4 - 3) <= t
  // CHECK-NEXT: sattn.set (t, s) : s mod 4 >= 1
  %26 = sattn.set (t, s) : not s mod 4 == 0 and s mod 4 >= 0
  // CHECK-NEXT: sattn.set (t, s) : s <= t and s mod 4 < t
  %27 = sattn.set (t, s) : s mod 4 < t and s <= t

  // Blocks, sizes, tables, heads.
  // CHECK-NEXT: sattn.set (t, c(b, d)) : last(c) <= t
  %28 = sattn.set (t, c(b, d)) : last(c) <= t
  // CHECK-NEXT: sattn.set (t, c(b)) : first(c) <= t and t <= last(c)
  %29 = sattn.set (t, c(b, b)) : first(c) <= t <= last(c)
  // CHECK-NEXT: sattn.set (t, s) : t >= size(s) - b and s < size(s) - b
  %30 = sattn.set (t, s) : t >= size(s) - b and s < size(s) - b
  // CHECK-NEXT: sattn.set (t, s) : s <= t and %doc[s] == %doc[t]
  %31 = sattn.set (t, s) : s <= t and %doc[t] == %doc[s]
  // CHECK-NEXT: sattn.set (t, s) : t - s - 2 * h + %doc[t - s + 1] >= 0
  %32 = sattn.set (t, s) : s + 2 * h <= t + %doc[1 - s + t]
  // CHECK-NEXT: sattn.set (t, s) : s <= t
  %33 = sattn.set (u(1), s) : s <= last(u) and first(u) <= u

  %tokens = sattn.union %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20,
    %21, %22, %23, %24, %25, %26, %27, %30, %31, %32, %33, %29
  %m = sattn.summarize mean %k blocks(b, d)
  %w = sattn.summarize mean %v blocks(b, d)
  %z = sattn.score dot %q, %k
  %a = sattn.attend %z over %tokens, %v
  %y = sattn.score dot %q, %m
  %b = sattn.attend %y over %28, %w
  %o = sattn.mix %a + %b
  sattn.yield %o
}

// Numbers over params are sorted sums; float ones keep their text.
// CHECK-LABEL: sattn.pattern @numbers
// CHECK-SAME: <a: int = 3, static l: int = 2 * a + 4, x: float = 1.0e-05, y: float = x * 2.5 + 1.0e+22, zz: float = rsqrt(D)>
sattn.pattern @numbers<a: int = 3, static l: int = 4 + a + a, x: float = 0.00001, y: float = x * 2.5 + 1.0e+22,
                       zz: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  // CHECK: scale(x * (y - zz) / 2)
  %z = sattn.score dot %q, %k scale(x * (y - zz) / 2)
  // CHECK: top(3 * a - 2 * l + a * l - 1)
  %sel = sattn.select top((a - 2) * (l + 3) + 5) %z where %keys
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// RUN: sparse-attn-opt %s -canonicalize | FileCheck %s

// Nested unions and intersections become flat, and each operand counts once.
// CHECK-LABEL: sattn.pattern @flat
// CHECK: %[[A:.*]] = sattn.set (t, s) : s <= 3
// CHECK: %[[B:.*]] = sattn.set (t, s) : t <= s
// CHECK: %[[C:.*]] = sattn.set (t, s) : s <= t
// CHECK: %[[U:.*]] = sattn.union %[[A]], %[[B]], %[[C]]
// CHECK: %[[I:.*]] = sattn.intersect %[[U]], %[[A]], %[[B]]
// CHECK: %[[M:.*]] = sattn.minus %[[I]], %[[C]], %[[B]]
// CHECK: sattn.attend %{{.*}} over %[[M]], %v
sattn.pattern @flat(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %a = sattn.set (t, s) : s < 4
  %b = sattn.set (t, s) : s >= t
  %c = sattn.set (t, s) : s <= t
  %u0 = sattn.union %a, %b, %a
  %u = sattn.union %u0, %c, %b
  %i0 = sattn.intersect %a, %b
  %i = sattn.intersect %u, %i0, %u
  %m0 = sattn.minus %i, %c, %c
  %m = sattn.minus %m0, %c, %b
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %m, %v
  sattn.yield %o
}

// A union or intersection of one set is that set.
// CHECK-LABEL: sattn.pattern @single
// CHECK: %[[A:.*]] = sattn.set (t, s) : s <= 3
// CHECK-NOT: sattn.union
// CHECK-NOT: sattn.intersect
// CHECK: sattn.attend %{{.*}} over %[[A]], %v
sattn.pattern @single(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %a = sattn.set (t, s) : s < 4
  %u = sattn.union %a, %a
  %i = sattn.intersect %u, %a
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %i, %v
  sattn.yield %o
}

// Every key says nothing in an intersection whose domain another formula keeps ...
// CHECK-LABEL: sattn.pattern @all_goes
// CHECK: %[[A:.*]] = sattn.set (t, s) : s <= 3
// CHECK-NOT: : all
// CHECK: sattn.attend %{{.*}} over %[[A]], %v
sattn.pattern @all_goes(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %a = sattn.set (t, s) : s < 4
  %all = sattn.set (t, s) : all
  %i = sattn.intersect %a, %all
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %i, %v
  sattn.yield %o
}

// ... but stays where it brings blocks to tokens.
// CHECK-LABEL: sattn.pattern @all_stays
// CHECK: %[[ALL:.*]] = sattn.set (t, s) : all
// CHECK: sattn.intersect %{{.*}}, %[[ALL]]
sattn.pattern @all_stays(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %a = sattn.set (t, c(8)) : last(c) <= t
  %all = sattn.set (t, s) : all
  %x = sattn.intersect %a, %all
  %b = sattn.set (t, c(16)) : last(c) <= t
  %i = sattn.union %x, %b
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %i, %v
  sattn.yield %o
}

// A scale of 1, a map to itself, a mix of one output, and gathering what was scattered say nothing.
// CHECK-LABEL: sattn.pattern @words
// CHECK: %[[R:.*]] = sattn.route
// CHECK: %[[Q:.*]] = sattn.gather %q at %[[R]]
// CHECK: %[[K:.*]] = sattn.gather %k at %[[R]]
// CHECK: %[[V:.*]] = sattn.gather %v at %[[R]]
// CHECK: %[[Z:.*]] = sattn.score dot %[[Q]], %[[K]]{{$}}
// CHECK: %[[O:.*]] = sattn.attend %[[Z]] over %{{.*}}, %[[V]]
// CHECK: %[[S:.*]] = sattn.scatter %[[O]] at %[[R]]
// CHECK: sattn.yield %[[S]]
sattn.pattern @words(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv], %r: [t, h]) -> (o) {
  %rows = sattn.route top(4) %r
  %q0 = sattn.gather %q at %rows
  %qs = sattn.scatter %q0 at %rows
  %qr = sattn.gather %qs at %rows
  %kr = sattn.gather %k at %rows
  %vr = sattn.gather %v at %rows
  %z0 = sattn.score dot %qr, %kr scale(1.0)
  %z = sattn.map %z0 : z
  %keys = sattn.set (t, s) : s <= t
  %o0 = sattn.attend %z over %keys, %vr
  %o1 = sattn.mix %o0
  %o = sattn.scatter %o1 at %rows
  sattn.yield %o
}

// Blocks of one row are rows: their summaries are the rows themselves, their sets are over t.
// CHECK-LABEL: sattn.pattern @row_blocks_of_one
// CHECK: %[[Z:.*]] = sattn.score dot %q, %k
// CHECK: %[[KEYS:.*]] = sattn.set (t, s) : s <= t
// CHECK: sattn.attend %[[Z]] over %[[KEYS]], %v
sattn.pattern @row_blocks_of_one(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %q blocks(1)
  %z = sattn.score dot %m, %k
  %keys = sattn.set (u(1), s) : s <= last(u)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

// What is not a plain summary of rows stays, and so does attend, which is the shorter text.
// CHECK-LABEL: sattn.pattern @summaries_stay
// CHECK: sattn.summarize minmax %k blocks(1)
// CHECK: sattn.summarize mean %v blocks(1)
// CHECK: sattn.attend
sattn.pattern @summaries_stay(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize minmax %k blocks(1)
  %x = sattn.summarize mean %v blocks(1)
  %z = sattn.score bound %q, %m
  %keys = sattn.set (t, c(1)) : last(c) <= t
  %o = sattn.attend %z over %keys, %x
  sattn.yield %o
}

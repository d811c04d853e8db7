// What the language has of routing and the compiler does not lower yet.
// RUN: sparse-attn-opt %s --split-input-file --verify-diagnostics --pass-pipeline="builtin.module(sattn.pattern(sattn-specialize{bind=dtype=f32,D=8,Dv=8},sattn-normalize-sets,sattn-choose-dataflow{target=keyLayout=rows:4,valueLayout=cols:4}),sattn-to-tile{target=keyLayout=rows:4,valueLayout=cols:4})"

sattn.pattern @two(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv], %r: [t, h], %x: [t, h]) -> (o) {
  %rows = sattn.route top(4) %r
  // expected-error @below {{[SA0201] a second 'sattn.route' is not compiled yet: run the pattern with the reference (--oracle)}}
  %other = sattn.route top(4) %x
  %qr = sattn.gather %q at %rows
  %kr = sattn.gather %k at %rows
  %vr = sattn.gather %v at %rows
  %xr = sattn.gather %x at %other
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %qr, %kr
  %y = sattn.attend %z over %keys, %vr
  %o = sattn.scatter %y at %rows
  %o2 = sattn.scatter %xr at %other
  %o3 = sattn.mix %o2[t, h] * %o
  sattn.yield %o3
}

// -----

sattn.pattern @beside(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv], %r: [t, h]) -> (o, all) {
  %rows = sattn.route top(4) %r
  %qr = sattn.gather %q at %rows
  %kr = sattn.gather %k at %rows
  %vr = sattn.gather %v at %rows
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %qr, %kr
  %y = sattn.attend %z over %keys, %vr
  %o = sattn.scatter %y at %rows
  // expected-error @below {{[SA0201] a result of routed rows that 'sattn.scatter' does not put back is not compiled yet: run the pattern with the reference (--oracle)}}
  sattn.yield %o, %y
}

// -----

sattn.pattern @tokens(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv], %r: [t, h]) -> (o, all) {
  // expected-error @below {{[SA0201] 'sattn.route' beside a selection of single tokens is not compiled yet: run the pattern with the reference (--oracle)}}
  %rows = sattn.route top(4) %r
  %qr = sattn.gather %q at %rows
  %kr = sattn.gather %k at %rows
  %vr = sattn.gather %v at %rows
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %qr, %kr
  %y = sattn.attend %z over %keys, %vr
  %o = sattn.scatter %y at %rows
  %a = sattn.score dot %q, %k
  %sel = sattn.select top(8) %a where %keys
  %all = sattn.attend %a over %sel, %v
  sattn.yield %o, %all
}

// -----

sattn.pattern @selected(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv], %r: [t, h]) -> (o) {
  %rows = sattn.route top(4) %r
  %qr = sattn.gather %q at %rows
  %kr = sattn.gather %k at %rows
  %vr = sattn.gather %v at %rows
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %qr, %kr
  %sel = sattn.select top(2) %z where %keys
  // expected-error @below {{[SA0201] 'sattn.accumulate' of anything but gathered rows beside 'sattn.route' is not compiled yet: run the pattern with the reference (--oracle)}}
  %y = sattn.attend %z over %sel, %vr
  %o = sattn.scatter %y at %rows
  sattn.yield %o
}

// -----

sattn.pattern @keys(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv], %r: [s, h]) -> (o) {
  // expected-error @below {{[SA0201] 'sattn.route' of anything but rows of query heads is not compiled yet: run the pattern with the reference (--oracle)}}
  %rows = sattn.route top(4) %r
  %qr = sattn.gather %q at %rows
  %kr = sattn.gather %k at %rows
  %vr = sattn.gather %v at %rows
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %qr, %kr
  %y = sattn.attend %z over %keys, %vr
  %o = sattn.scatter %y at %rows
  sattn.yield %o
}

// -----

sattn.pattern @places(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv], %r: [t, h]) -> (o) {
  %rows = sattn.route top(4) %r
  %qr = sattn.gather %q at %rows
  %kr = sattn.gather %k at %rows
  %vr = sattn.gather %v at %rows
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %qr, %kr
  // expected-error @below {{[SA0201] 'sattn.map' with positions, heads or tables beside 'sattn.route' is not compiled yet: run the pattern with the reference (--oracle)}}
  %w = sattn.map %z : z + t - s
  %y = sattn.attend %w over %keys, %vr
  %o = sattn.scatter %y at %rows
  sattn.yield %o
}

// -----

sattn.pattern @coded(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv], %r: [t, h]) -> (o) {
  %rows = sattn.route top(4) %r
  %e = sattn.encode hadamard %q
  // expected-error @below {{[SA0201] 'sattn.gather' of anything but a role is not compiled yet: run the pattern with the reference (--oracle)}}
  %qr = sattn.gather %e at %rows
  %kr = sattn.gather %k at %rows
  %vr = sattn.gather %v at %rows
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %qr, %kr
  %y = sattn.attend %z over %keys, %vr
  %o = sattn.scatter %y at %rows
  sattn.yield %o
}

// -----

sattn.pattern @made(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv], %r: [t, h]) -> (o) {
  // expected-error @below {{[SA0201] 'sattn.mix' as an operand of 'sattn.route' is not compiled yet: run the pattern with the reference (--oracle)}}
  %m = sattn.mix sigmoid(%r)
  %rows = sattn.route top(4) %m
  %qr = sattn.gather %q at %rows
  %kr = sattn.gather %k at %rows
  %vr = sattn.gather %v at %rows
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %qr, %kr
  %y = sattn.attend %z over %keys, %vr
  %o = sattn.scatter %y at %rows
  sattn.yield %o
}

// -----

sattn.pattern @linear(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv], %r: [t, h]) -> (o) {
  %rows = sattn.route top(4) %r
  %qr = sattn.gather %q at %rows
  %kr = sattn.gather %k at %rows
  %vr = sattn.gather %v at %rows
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %qr, %kr
  // expected-error @below {{[SA0201] 'sattn.accumulate' of anything but gathered rows beside 'sattn.route' is not compiled yet: run the pattern with the reference (--oracle)}}
  %p = sattn.accumulate linear %z over %keys, %vr
  %y = sattn.finalize %p
  %o = sattn.scatter %y at %rows
  sattn.yield %o
}

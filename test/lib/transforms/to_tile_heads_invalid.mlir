// Tables of heads that are fewer than the query heads, beside scores of several of them.
// RUN: sparse-attn-opt %s --verify-diagnostics --pass-pipeline="builtin.module(sattn.pattern(sattn-specialize{bind=dtype=f32,D=8,Dv=8,group=4,group.h2=2},sattn-normalize-sets,sattn-choose-dataflow{target=keyLayout=rows:4,valueLayout=cols:4}),sattn-to-tile{target=keyLayout=rows:4,valueLayout=cols:4})"

sattn.pattern @map_heads(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %iq: [t, h2, D], %ik: [c(8), g, D], %gate: [c(8), h2]) -> (o) {
  %a = sattn.score dot %iq, %ik
  // expected-error @below {{[SA0201] 'table(0)[c, h2]' in 'sattn.map' of several heads is not compiled yet: run the pattern with the reference (--oracle)}}
  %b = sattn.map %a : z - %gate[c, h2]
  %c = sattn.reduce sum %b over h2 to g
  %open = sattn.set (t, c(8)) : last(c) <= t
  %keys = sattn.select top(2) %c where %open
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

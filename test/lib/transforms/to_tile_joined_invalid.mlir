// Weights that are joined while blocks are visited: what the compiler does not lower yet.
// RUN: sparse-attn-opt %s --split-input-file --verify-diagnostics --pass-pipeline="builtin.module(sattn.pattern(sattn-specialize{bind=dtype=f32,D=8,Dv=8,group=2},sattn-normalize-sets,sattn-choose-dataflow{target=keyLayout=rows:4,valueLayout=cols:4}),sattn-to-tile{target=keyLayout=rows:4,valueLayout=cols:4})"

sattn.pattern @given_lse(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %r: [t, h, D], %m: [c(8), g, D], %lse: [t, h]) -> (o) {
  %far = sattn.set (t, c(8)) : last(c) <= t - 9
  %a = sattn.score dot %r, %m
  // expected-error @below {{[SA0201] 'sattn.normalize with' an lse that is no result of 'sattn.lse' is not compiled yet: run the pattern with the reference (--oracle)}}
  %p = sattn.normalize %a over %far with %lse
  %b = sattn.reduce max %p over h to g
  %sel = sattn.select top(2) %b where %far
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}

// -----

sattn.pattern @given_lse_of_weights(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %r: [t, h, D], %m: [c(8), g, D], %lse: [t, h], %ow: [t, h, Dv]) -> (o) {
  %far = sattn.set (t, c(8)) : last(c) <= t - 9
  %a = sattn.score dot %r, %m
  %sel = sattn.select top(2) %a where %far
  // expected-error @below {{[SA0201] 'sattn.weigh with' an lse that is no result of 'sattn.lse' is not compiled yet: run the pattern with the reference (--oracle)}}
  %w = sattn.weigh softmax %a over %sel with %lse
  %z = sattn.score dot %q, %k
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %o = sattn.blend %p and %ow by %w
  sattn.yield %o
}

// -----

sattn.pattern @merged(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %r: [t, h, D], %m: [c(8), g, D]) -> (o) {
  %near = sattn.set (t, s) : 0 <= t - s < 9
  %first = sattn.set (t, s) : s < 4 and t - s >= 9
  %far = sattn.set (t, c(8)) : last(c) <= t - 9
  %z = sattn.score dot %q, %k
  %p0 = sattn.accumulate softmax %z over %near, %v
  %p1 = sattn.accumulate softmax %z over %first, %v
  %pw = sattn.merge %p0, %p1
  %ow = sattn.finalize %pw
  %lw = sattn.lse %pw
  %a = sattn.score dot %r, %m
  %sel = sattn.select top(2) %a where %far
  // expected-error @below {{[SA0201] 'sattn.weigh with' the lse of 'sattn.merge' is not compiled yet: run the pattern with the reference (--oracle)}}
  %w = sattn.weigh softmax %a over %sel with %lw
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %o = sattn.blend %p and %ow by %w
  sattn.yield %o
}

// -----

sattn.pattern @sink(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %r: [t, h, D], %m: [c(8), g, D], %sink: [h]) -> (o) {
  %near = sattn.set (t, s) : 0 <= t - s < 9
  %far = sattn.set (t, c(8)) : last(c) <= t - 9
  %z = sattn.score dot %q, %k
  %pw = sattn.accumulate softmax %z over %near, %v
  // expected-error @below {{[SA0201] 'sattn.finalize' with a sink of a partial result whose lse stands beside scores is not compiled yet: run the pattern with the reference (--oracle)}}
  %ow = sattn.finalize %pw sink(%sink)
  %lw = sattn.lse %pw
  %a = sattn.score dot %r, %m
  %sel = sattn.select top(2) %a where %far
  %w = sattn.weigh softmax %a over %sel with %lw
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %o = sattn.blend %p and %ow by %w
  sattn.yield %o
}

// -----

sattn.pattern @stickbreak(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %r: [t, h, D], %m: [c(8), g, D]) -> (o, ow, lw) {
  %near = sattn.set (t, s) : 0 <= t - s < 9
  %far = sattn.set (t, c(8)) : last(c) <= t - 9
  %z = sattn.score dot %q, %k
  %pw = sattn.accumulate softmax %z over %near, %v
  %ow = sattn.finalize %pw
  %lw = sattn.lse %pw
  %a = sattn.score dot %r, %m
  %sel = sattn.select top(2) %a where %far
  %a2 = sattn.score dot %r, %m scale(2.0)
  // expected-error @below {{[SA0201] 'sattn.weigh stickbreak' of another score than the one that selects is not compiled yet: run the pattern with the reference (--oracle)}}
  %w = sattn.weigh stickbreak %a2 over %sel
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %o = sattn.blend %p by %w
  sattn.yield %o, %ow, %lw
}

// -----

sattn.pattern @summary(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %near = sattn.set (t, s) : 0 <= t - s < 9
  %far = sattn.set (t, c(8)) : last(c) <= t - 9
  %z = sattn.score dot %q, %k
  %pw = sattn.accumulate softmax %z over %near, %v
  %ow = sattn.finalize %pw
  %lw = sattn.lse %pw
  // expected-error @below {{[SA0201] 'sattn.summarize' as an operand of 'sattn.weigh' by another score is not compiled yet: run the pattern with the reference (--oracle)}}
  %mean = sattn.summarize mean %k blocks(8)
  %a = sattn.score dot %q, %mean
  %sel = sattn.select top(2) %a where %far
  %w = sattn.weigh softmax %a over %sel with %lw
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %o = sattn.blend %p and %ow by %w
  sattn.yield %o
}

// -----

sattn.pattern @rows_of_weights(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %r: [t, h, D], %m: [c(8), g, D], %b: [t, h]) -> (o) {
  %near = sattn.set (t, s) : 0 <= t - s < 9
  %far = sattn.set (t, c(8)) : last(c) <= t - 9
  %z = sattn.score dot %q, %k
  %pw = sattn.accumulate softmax %z over %near, %v
  %ow = sattn.finalize %pw
  %lw = sattn.lse %pw
  %a = sattn.score dot %r, %m
  %sel = sattn.select top(2) %a where %far
  // expected-error @below {{[SA0201] 'sattn.map' with positions or tables of rows in 'sattn.weigh' is not compiled yet: run the pattern with the reference (--oracle)}}
  %y = sattn.map %a : z * %b[t, h]
  %w = sattn.weigh softmax %y over %sel with %lw
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %o = sattn.blend %p and %ow by %w
  sattn.yield %o
}

// -----

sattn.pattern @other_rest(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %r: [t, h, D], %m: [c(8), g, D], %ow2: [t, h, Dv]) -> (o, ow) {
  %near = sattn.set (t, s) : 0 <= t - s < 9
  %far = sattn.set (t, c(8)) : last(c) <= t - 9
  %z = sattn.score dot %q, %k
  %pw = sattn.accumulate softmax %z over %near, %v
  %ow = sattn.finalize %pw
  %lw = sattn.lse %pw
  %a = sattn.score dot %r, %m
  %sel = sattn.select top(2) %a where %far
  // expected-error @below {{[SA0201] 'sattn.weigh with' the lse of another output than the one that is blended is not compiled yet: run the pattern with the reference (--oracle)}}
  %w = sattn.weigh softmax %a over %sel with %lw
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %o = sattn.blend %p and %ow2 by %w
  sattn.yield %o, %ow
}

// -----

sattn.pattern @selected_first(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %r: [t, h, D], %m: [c(8), g, D]) -> (o) {
  %far = sattn.set (t, c(8)) : last(c) <= t - 9
  %z = sattn.score dot %q, %k
  %a = sattn.score dot %r, %m
  %first = sattn.select top(1) %a where %far
  // expected-error @below {{[SA0201] an lse over a selection beside the scores of another is not compiled yet: run the pattern with the reference (--oracle)}}
  %pw = sattn.accumulate softmax %z over %first, %v
  %ow = sattn.finalize %pw
  %lw = sattn.lse %pw
  %sel = sattn.select top(2) %a where %far
  %w = sattn.weigh softmax %a over %sel with %lw
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %o = sattn.blend %p and %ow by %w
  sattn.yield %o
}

// -----

sattn.pattern @row_blocks(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %r: [t, h, D], %m: [c(8), g, D]) -> (o) {
  %u = sattn.summarize mean %r blocks(16)
  %far = sattn.set (u(16), c(8)) : last(c) < first(u)
  %a = sattn.score dot %u, %m
  %vote = sattn.reduce sum %a over h to g
  %sel = sattn.select top(2) %vote where %far
  // expected-error @below {{[SA0201] 'sattn.weigh' of a selection for blocks of rows by another score is not compiled yet: run the pattern with the reference (--oracle)}}
  %w = sattn.weigh softmax %a over %sel
  %z = sattn.score dot %q, %k
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %o = sattn.blend %p by %w
  sattn.yield %o
}

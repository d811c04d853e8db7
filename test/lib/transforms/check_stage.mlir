// What each stage makes is what the check of its end asks for; the pipeline runs the checks where stages meet.
// RUN: sparse-attn-opt %s --sattn-check-stage=stage=pattern | FileCheck %s --check-prefix=PATTERN
// RUN: sparse-attn-opt %s --sattn-check-stage
// RUN: sparse-attn-opt %s --sattn-specialize=bind=dtype=f32,D=64,Dv=32,group=4 --sattn-normalize-sets --sattn-check-stage=stage=fused | FileCheck %s --check-prefix=FUSED
// RUN: sparse-attn-opt %s --sattn-specialize=bind=dtype=f32,D=64,Dv=32,group=4 --sattn-normalize-sets --sattn-choose-dataflow --sattn-check-stage=stage=planned | FileCheck %s --check-prefix=PLANNED
// RUN: sparse-attn-opt %s --sattn-tile-pipeline="bind=dtype=f32,D=64,Dv=32,group=4 target=keyLayout=rows:4,valueLayout=cols:4" --sattn-check-stage="stage=tile target=keyLayout=rows:4,valueLayout=cols:4" | FileCheck %s --check-prefix=TILE

// A tile narrower than the target's panels has panels that are a part of them.
// RUN: sparse-attn-opt %s --sattn-tile-pipeline="bind=dtype=f32,D=64,Dv=2,group=4 target=keyLayout=rows:4,valueLayout=cols:4" | FileCheck %s --check-prefix=NARROW

// It changes nothing and refuses stages that it does not know.
// RUN: sparse-attn-opt %s --sattn-verify-causal -o %t.before && sparse-attn-opt %s --sattn-verify-causal --sattn-check-stage=stage=pattern -o %t.after && cmp %t.before %t.after
// RUN: not sparse-attn-opt %s --sattn-check-stage=stage=llvm 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// PATTERN: sattn.attend
// FUSED: sattn.accumulate
// PLANNED: dataflow = {{[{].*}}kind = "range"
// TILE: sattn_tile.program @window
// NARROW: sattn_tile.arg<f32, 2, <block = 64, cols by 2>>
// UNKNOWN: Cannot find option named 'llvm'!
sattn.pattern @window<W: int = 16, scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : 0 <= t - s < W
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}

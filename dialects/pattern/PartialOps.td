// Partial softmax results: accumulate, reopen, merge, finalize, and what is combined from blocks.
#ifndef SATTN_PARTIAL_OPS_TD
#define SATTN_PARTIAL_OPS_TD

include "dialects/pattern/PatternAttrs.td"
include "dialects/pattern/PatternTypes.td"

def AccumulateOp : Sattn_BodyOp<"accumulate", "acc"> {
  let summary = "scores over a set weigh values";
  let description = [{
    For each row and head the pair of the sum of `w` and the sum of `w * v` over the keys of the set, where `w` is `e^z`
    for `softmax` (kept relative to the row's maximum) and `z` for `linear`. With `per block`, one such pair for each
    slot of the selection that the set comes from. Keys outside the set are not read: their NaN does not matter.

    Constraints: not of probabilities (C20); a set that fits the score (C21) to (C25); values over the score's columns
    (C28), gathered as the score is (C34); `per block` over a selection of blocks (C29).

    ```mlir
    sattn.pattern @causal<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
      %past = sattn.set (t, s) : s <= t
      %z = sattn.score dot %q, %k scale(scale)
      %p = sattn.accumulate softmax %z over %past, %v
      %o = sattn.finalize %p
      %lse = sattn.lse %p
      sattn.yield %o, %lse
    }
    ```
  }];
  let arguments = (ins AccumulateKindAttr:$how, Score:$z, KeySet:$set, Tensor:$v, UnitAttr:$perBlock);
  let results = (outs Partial:$p);
  let assemblyFormat = "custom<Word>($how) $z `over` $set `,` $v (`per` `block` $perBlock^)? attr-dict";
}

def ReopenOp : Sattn_BodyOp<"reopen", "acc"> {
  let summary = "the partial result of an earlier output and its lse";
  let description = [{
    Undoes `sattn.finalize`: what another call or host computed over other keys becomes a partial result again. A row
    with lse -inf is empty.

    Constraints: an output with rows and features, and one lse for each row and head of it.

    ```mlir
    sattn.pattern @query_phase<scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %o0: [t, h, Dv], %lse0: [t, h]) -> (o, lse) {
      %past = sattn.set (t, s) : s <= t
      %z = sattn.score dot %q, %k scale(scale)
      %here = sattn.accumulate softmax %z over %past, %v
      %there = sattn.reopen %o0, %lse0
      %p = sattn.merge %here, %there
      %o = sattn.finalize %p
      %lse = sattn.lse %p
      sattn.yield %o, %lse
    }
    ```
  }];
  let arguments = (ins Tensor:$o, Tensor:$lse);
  let results = (outs Partial:$p);
  let assemblyFormat = "$o `,` $lse attr-dict";
}

def MergeOp : Sattn_BodyOp<"merge", "acc"> {
  let summary = "one partial result from several";
  let description = [{
    The sums of both parts over the union of their keys: a key that two parts hold counts twice. Associative, with the
    empty result as identity; the operands are merged from left to right.

    Constraints: the same rows, heads and features; none is per block (C30); gathered at the same rows (C34).

    ```mlir
    sattn.pattern @near_and_sinks<W: int = 512, scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
      %near = sattn.set (t, s) : 0 <= t - s < W
      %sinks = sattn.set (t, s) : s < 4 and s <= t - W
      %z = sattn.score dot %q, %k scale(scale)
      %a = sattn.accumulate softmax %z over %near, %v
      %b = sattn.accumulate softmax %z over %sinks, %v
      %p = sattn.merge %a, %b
      %o = sattn.finalize %p
      sattn.yield %o
    }
    ```
  }];
  let arguments = (ins Variadic<Partial>:$parts);
  let results = (outs Partial:$p);
  let hasVerifier = 1;
  let assemblyFormat = "$parts attr-dict";
}

def FinalizeOp : Sattn_BodyOp<"finalize", "o"> {
  let summary = "the output of a partial result";
  let description = [{
    The sum of `w * v` divided by the sum of `w`; a row without keys gives 0. `sink(%logit)` adds `e^logit` of the head
    to the denominator; it is not part of the lse. The output has the rows, heads and features `[t, h, Dv]`.

    Constraints: not per block (C30); one sink logit for each head (C33).

    ```mlir
    sattn.pattern @with_sink<W: int = 128, scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %sink: [h]) -> (o) {
      %near = sattn.set (t, s) : 0 <= t - s < W
      %z = sattn.score dot %q, %k scale(scale)
      %p = sattn.accumulate softmax %z over %near, %v
      %o = sattn.finalize %p sink(%sink)
      sattn.yield %o
    }
    ```
  }];
  let arguments = (ins Partial:$p, Optional<Tensor>:$sink);
  let results = (outs Tensor:$o);
  let assemblyFormat = "$p (`sink` `(` $sink^ `)`)? attr-dict";
}

def LseOp : Sattn_BodyOp<"lse", "lse"> {
  let summary = "natural log of the denominator of a partial result";
  let description = [{
    `log(sum of e^z)` for each row and head, -inf for a row without keys; always float32.

    Constraints: not per block (C30), not linear.

    ```mlir
    sattn.pattern @lse_only<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (lse) {
      %past = sattn.set (t, s) : s <= t
      %z = sattn.score dot %q, %k scale(scale)
      %p = sattn.accumulate softmax %z over %past, %v
      %lse = sattn.lse %p
      sattn.yield %lse
    }
    ```
  }];
  let arguments = (ins Partial:$p);
  let results = (outs Tensor:$lse);
  let assemblyFormat = "$p attr-dict";
}

def AttendOp : Sattn_BodyOp<"attend", "o"> {
  let summary = "sugar: finalize of accumulate softmax";
  let description = [{
    `sattn.attend %z over %keys, %v sink(%x)` is `sattn.finalize` of `sattn.accumulate softmax %z over %keys, %v`, with
    the sink where it is given.

    Constraints: those of `sattn.accumulate` and `sattn.finalize`.

    ```mlir
    sattn.pattern @dense<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
      %keys = sattn.set (t, s) : all
      %z = sattn.score dot %q, %k scale(scale)
      %o = sattn.attend %z over %keys, %v
      sattn.yield %o
    }
    ```
  }];
  let arguments = (ins Score:$z, KeySet:$set, Tensor:$v, Optional<Tensor>:$sink);
  let results = (outs Tensor:$o);
  let assemblyFormat = "$z `over` $set `,` $v (`sink` `(` $sink^ `)`)? attr-dict";
}

def BlendOp : Sattn_BodyOp<"blend", "o"> {
  let summary = "finalised blocks summed with weights";
  let description = [{
    The sum over the slots of a selection of weight times finalised block; no softmax across blocks. `and %o` is the
    output of the last slot, which weights made `with` an lse have.

    Constraints: partial results per block (C29); weights of the same selection; a further output exactly where the
    weights have a slot for it (C32).

    ```mlir
    sattn.pattern @window_and_chunks<static l: int = 64, n: int = 8, scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %m: [c(l), g, D]) -> (o) {
      %near = sattn.set (t, s) : s <= t and t floordiv l == s floordiv l
      %z = sattn.score dot %q, %k scale(scale)
      %pn = sattn.accumulate softmax %z over %near, %v
      %on = sattn.finalize %pn
      %ln = sattn.lse %pn
      %far = sattn.set (t, c(l)) : c < t floordiv l
      %a = sattn.score dot %q, %m scale(scale)
      %sel = sattn.select top(n) %a where %far
      %w = sattn.weigh softmax %a over %sel with %ln
      %p = sattn.accumulate softmax %z over %sel, %v per block
      %o = sattn.blend %p and %on by %w
      sattn.yield %o
    }
    ```
  }];
  let arguments = (ins Partial:$p, Optional<Tensor>:$rest, Tensor:$w);
  let results = (outs Tensor:$o);
  let assemblyFormat = "$p (`and` $rest^)? `by` $w attr-dict";
}

#endif // SATTN_PARTIAL_OPS_TD

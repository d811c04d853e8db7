// Lazy scores: how rows meet keys, and what is done to scores before they select or weigh.
#ifndef SATTN_SCORE_OPS_TD
#define SATTN_SCORE_OPS_TD

include "dialects/pattern/PatternAttrs.td"
include "dialects/pattern/PatternTypes.td"

def ScoreOp : Sattn_BodyOp<"score", "z"> {
  let summary = "scores of rows against keys";
  let description = [{
    A lazy matrix with the rows and heads of `q` and the columns of `k`, never an array in memory. For each feature d:
    `dot` is `scale * sum q[d] * k[d]`; `l1`, on codes, `scale * sum |q[d] - k[d]|`; `bound`, on a minmax summary,
    `scale * sum max(q[d] * min[d], q[d] * max[d])`, which no key of the block exceeds. Without `scale` it is 1. A kv head
    serves the query heads of its group, `h floordiv (heads of q / heads of k)`.

    Constraints: a row axis and a key axis, the same features (C17); operands that fit the scorer (C18); both gathered at
    the same rows or neither (C34).

    ```mlir
    sattn.pattern @pages_by_bound<static page: int = 16, n: int = 64, scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
      %mm = sattn.summarize minmax %k blocks(page)
      %a = sattn.score bound %q, %mm
      %far = sattn.set (t, c(page)) : last(c) < t
      %sel = sattn.select top(n) %a where %far
      %z = sattn.score dot %q, %k scale(scale)
      %o = sattn.attend %z over %sel, %v
      sattn.yield %o
    }
    ```
  }];
  let arguments = (ins ScoreKindAttr:$how, Tensor:$q, Tensor:$k, OptionalAttr<ExprAttr>:$scale);
  let results = (outs Score:$z);
  let hasCanonicalizeMethod = 1;
  let assemblyFormat = "custom<Word>($how) $q `,` $k (`scale` `(` custom<Number>($scale)^ `)`)? attr-dict";
}

def MapOp : Sattn_BodyOp<"map", "z"> {
  let summary = "an expression of each score";
  let description = [{
    A float expression of the score `z`, of its row, column and head, of params and of tables `%table[h]`. Functions are
    max, min, abs, exp, log, tanh, sigmoid, relu, rsqrt, and `@name` of a `sattn.function`; max and min keep a NaN.

    Constraints: names (C1), (C2); loads (C15), (C16); `z` occurs (C19); not of probabilities (C20); calls (C39).

    ```mlir
    sattn.pattern @distance_penalty<scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %slope: [h]) -> (o) {
      %past = sattn.set (t, s) : s <= t
      %z = sattn.score dot %q, %k scale(scale)
      %y = sattn.map %z : z - %slope[h] * (t - s)
      %o = sattn.attend %y over %past, %v
      sattn.yield %o
    }
    ```
  }];
  let arguments = (ins Score:$z, ExprAttr:$formula, Variadic<Tensor>:$tables);
  let results = (outs Score:$y);
  let hasVerifier = 1;
  let hasFolder = 1;
  let assemblyFormat = "$z `:` custom<Value>($formula, $tables) attr-dict";
}

def NormalizeOp : Sattn_BodyOp<"normalize", "p"> {
  let summary = "probabilities over a set";
  let description = [{
    `p = e^z / sum over the set of e^z` inside the set and 0 outside; `with %lse` adds `e^lse` to the denominator. A row
    without keys has only zeros.

    Constraints: a set over the score's rows and columns (C21), (C22), (C25).

    ```mlir
    sattn.pattern @votes<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D]) -> (votes) {
      %past = sattn.set (t, s) : s <= t
      %z = sattn.score dot %q, %k scale(scale)
      %p = sattn.normalize %z over %past
      %votes = sattn.colsum %p over %past
      sattn.yield %votes
    }
    ```
  }];
  let arguments = (ins Score:$z, KeySet:$set, Optional<Tensor>:$lse);
  let results = (outs Score:$p);
  let assemblyFormat = "$z `over` $set (`with` $lse^)? attr-dict";
}

def ReduceOp : Sattn_BodyOp<"reduce", "zr"> {
  let summary = "one score for a group of heads";
  let description = [{
    Sum, mean or maximum over the query heads of each kv head (`to g`), or over all heads (`to one`). A selection made
    from it is shared by these heads.

    Constraints: the score has these heads (C26).

    ```mlir
    sattn.pattern @indexed<n: int = 2048, scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, 1, D], %v: [s, 1, Dv], %iq: [t, h2, D2], %ik: [s, 1, D2], %iw: [t, h2]) -> (o) {
      %past = sattn.set (t, s) : s <= t
      %a = sattn.score dot %iq, %ik
      %b = sattn.map %a : relu(z) * %iw[t, h2]
      %i = sattn.reduce sum %b over h2 to one
      %sel = sattn.select top(n) %i where %past
      %z = sattn.score dot %q, %k scale(scale)
      %o = sattn.attend %z over %sel, %v
      sattn.yield %o
    }
    ```
  }];
  let arguments = (ins ReduceKindAttr:$how, Score:$z, StrAttr:$from, StrAttr:$to);
  let results = (outs Score:$y);
  let assemblyFormat = "custom<Word>($how) $z `over` custom<Name>($from) `to` custom<Name>($to) attr-dict";
}

def RebinOp : Sattn_BodyOp<"rebin", "zb"> {
  let summary = "scores of blocks pooled to other blocks";
  let description = [{
    From columns `c(l, d)` to the `ceil(S / b)` disjoint columns `c(b)`. Source block i covers the strides
    `i .. i + ceil(l / d) - 1` of d tokens; column j takes each source block once for each stride that lies in tokens
    `j*b .. j*b + b - 1`: their sum, mean or maximum, 0 where there is none.

    Constraints: a score of blocks; a static block length (C11) of whole strides.

    ```mlir
    sattn.pattern @by_importance<static b: int = 64, n: int = 16, scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
      %kc = sattn.summarize mean %k blocks(32, 16)
      %past = sattn.set (t, c(32, 16)) : last(c) <= t
      %zc = sattn.score dot %q, %kc scale(scale)
      %p = sattn.normalize %zc over %past
      %imp = sattn.rebin sum %p to blocks(b)
      %far = sattn.set (t, c(b)) : last(c) < t
      %sel = sattn.select top(n) %imp where %far
      %z = sattn.score dot %q, %k scale(scale)
      %o = sattn.attend %z over %sel, %v
      sattn.yield %o
    }
    ```
  }];
  let arguments = (ins ReduceKindAttr:$how, Score:$z, ExprAttr:$block);
  let results = (outs Score:$y);
  let assemblyFormat = "custom<Word>($how) $z `to` `blocks` `(` custom<Number>($block) `)` attr-dict";
}

def ColsumOp : Sattn_BodyOp<"colsum", "votes"> {
  let summary = "sum of the probabilities of each column";
  let description = [{
    `votes[s, h]` is the sum of `p` over the rows of the call that the set has for key s: a second pass over the scores,
    because the probabilities need the final lse. Rows that are no part of the call have no vote.

    Constraints: probabilities, over a set that fits them (C21), (C22), (C25).

    ```mlir
    sattn.pattern @watched<w: int = 64, scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D]) -> (votes) {
      %past = sattn.set (t, s) : s <= t
      %watch = sattn.set (t, s) : t >= size(s) - w and s < size(s) - w
      %z = sattn.score dot %q, %k scale(scale)
      %p = sattn.normalize %z over %past
      %votes = sattn.colsum %p over %watch
      sattn.yield %votes
    }
    ```
  }];
  let arguments = (ins Score:$p, KeySet:$set);
  let results = (outs Tensor:$votes);
  let assemblyFormat = "$p `over` $set attr-dict";
}

def WeighOp : Sattn_BodyOp<"weigh", "w"> {
  let summary = "a weight for each slot of a selection";
  let description = [{
    `softmax`: `e^z` of the slot's column over the sum of the selected ones; `with %lse` adds a last slot of weight
    `e^lse` over the same sum plus `e^lse`. `stickbreak`: from the newest slot to the oldest,
    `sigmoid(z) * product over newer slots of (1 - sigmoid(z))`. Empty slots weigh 0.

    Constraints: a selection of the score's own columns (C22), (C25), (C31).

    ```mlir
    sattn.pattern @weighted_chunks<static l: int = 64, n: int = 8, scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %m: [c(l), g, D]) -> (o) {
      %far = sattn.set (t, c(l)) : last(c) < t
      %a = sattn.score dot %q, %m scale(scale)
      %sel = sattn.select top(n) %a where %far
      %w = sattn.weigh stickbreak %a over %sel
      %z = sattn.score dot %q, %k scale(scale)
      %p = sattn.accumulate softmax %z over %sel, %v per block
      %o = sattn.blend %p by %w
      sattn.yield %o
    }
    ```
  }];
  let arguments = (ins WeighKindAttr:$how, Score:$z, KeySet:$set, Optional<Tensor>:$lse);
  let results = (outs Tensor:$w);
  let hasVerifier = 1;
  let assemblyFormat = "custom<Word>($how) $z `over` $set (`with` $lse^)? attr-dict";
}

#endif // SATTN_SCORE_OPS_TD

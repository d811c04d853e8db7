// Tensors: summaries and codes of roles, routing, gathering, and the combination of outputs.
#ifndef SATTN_TENSOR_OPS_TD
#define SATTN_TENSOR_OPS_TD

include "dialects/pattern/PatternAttrs.td"
include "dialects/pattern/PatternTypes.td"

def SummarizeOp : Sattn_BodyOp<"summarize", "m"> {
  let summary = "one row for each block of rows";
  let description = [{
    Replaces axis `s` by `c(l, d)`, or `t` by `u(l)`: `y[c] = HOW of x[c*d .. c*d + l - 1]`, for each head and feature.
    Key blocks are the complete ones, `max(0, floor((S - l) / d) + 1)`; with `ragged`, `ceil(S / l)`, the last one over
    the keys that exist. Row blocks are `ceil(T / l)`. HOW is `mean`, `sum`, `min`, `max`; `minmax`, the pair of both,
    which only `sattn.score bound` reads; `weighted` and `linear`, which take weights after `by`. Summaries are float32
    for every input type. Cost: one pass over `x`.

    Constraints: static length and stride without gaps (C11); ragged blocks are disjoint.

    ```mlir
    sattn.pattern @compressed<static l: int = 32, static d: int = 16, scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
      %kc = sattn.summarize mean %k blocks(l, d)
      %vc = sattn.summarize mean %v blocks(l, d)
      %past = sattn.set (t, c(l, d)) : last(c) <= t
      %z = sattn.score dot %q, %kc scale(scale)
      %o = sattn.attend %z over %past, %vc
      sattn.yield %o
    }
    ```
  }];
  let arguments = (ins SummaryKindAttr:$how, Tensor:$x, Optional<Tensor>:$weight, ExprAttr:$len,
                       OptionalAttr<ExprAttr>:$stride, UnitAttr:$ragged);
  let results = (outs Tensor:$y);
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
  let assemblyFormat = [{
    custom<Word>($how) $x (`by` $weight^)? custom<Blocks>($len, $stride) (`ragged` $ragged^)? attr-dict
  }];
}

def EncodeOp : Sattn_BodyOp<"encode", "code"> {
  let summary = "rows in a cheaper code";
  let description = [{
    The same axes in another code of each row of features: `hadamard`, the orthonormal Hadamard transform; `int8` and
    `int4`, small integers times one number for the row; `fp8`, likewise of 8-bit floats; `buckets at(l0, l1, ...)`, the
    number of levels that are less than the element.

    With L = 127 for `int8` and 7 for `int4`, a row of elements x has the scale `m = max |x| / L` and the integers
    `round(x / m)` within -L to L, ties to even, each step in float32; the result is integer times scale. A scale that
    is no normal float32 counts as 0, and so do the integers of its row; with a NaN or an infinity the whole row is NaN.
    `sattn.score dot` of two such rows is `(sum of integer products * scale of q) * scale of k`, in float32.

    Constraints: levels go with `buckets` and only with it.

    ```mlir
    sattn.pattern @sign_distance<n: int = 128, scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
      %past = sattn.set (t, s) : s <= t
      %qb = sattn.encode buckets %q at(-10.0, 0.0, 10.0)
      %kb = sattn.encode buckets %k at(-10.0, 0.0, 10.0)
      %a = sattn.score l1 %qb, %kb scale(-1)
      %sel = sattn.select top(n) %a where %past
      %z = sattn.score dot %q, %k scale(scale)
      %o = sattn.attend %z over %sel, %v
      sattn.yield %o
    }
    ```
  }];
  let arguments = (ins CodeKindAttr:$how, Tensor:$x, OptionalAttr<ExprArrayAttr>:$levels);
  let results = (outs Tensor:$y);
  let hasVerifier = 1;
  let assemblyFormat = "custom<Word>($how) $x (`at` `(` custom<Levels>($levels)^ `)`)? attr-dict";
}

def PrefixOp : Sattn_BodyOp<"prefix", "v"> {
  let summary = "the first features of each row";
  let description = [{
    A view of features `0 .. width - 1`: values that lie inside the keys are loaded once.

    Constraints: the width is static and at least 1 (C14).

    ```mlir
    sattn.pattern @latent<static dv: int = 512, scale: float = rsqrt(D)>(%q: [t, h, D], %kv: [s, 1, D]) -> (o) {
      %past = sattn.set (t, s) : s <= t
      %v = sattn.prefix %kv to dv
      %z = sattn.score dot %q, %kv scale(scale)
      %o = sattn.attend %z over %past, %v
      sattn.yield %o
    }
    ```
  }];
  let arguments = (ins Tensor:$x, ExprAttr:$width);
  let results = (outs Tensor:$y);
  let assemblyFormat = "$x `to` custom<Number>($width) attr-dict";
}

def RouteOp : Sattn_BodyOp<"route", "rows"> {
  let summary = "for each head the positions with the largest numbers";
  let description = [{
    Takes n positions of a `[t, h]` or `[s, h]` tensor for each head, ranked as `sattn.select` ranks columns, listed
    ascending. `force(first(a) last(b))` takes the a first and b last positions of the sequence. Routing of rows sees
    the whole sequence, so a pattern that routes has no token-by-token form.

    Constraints: `top` at least 1 (C14).

    ```mlir
    sattn.pattern @expert_choice<n: int = 64, scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv], %r: [t, h]) -> (o) {
      %rows = sattn.route top(n) %r force(first(1))
      %qr = sattn.gather %q at %rows
      %kr = sattn.gather %k at %rows
      %vr = sattn.gather %v at %rows
      %past = sattn.set (t, s) : s <= t
      %z = sattn.score dot %qr, %kr scale(scale)
      %x = sattn.attend %z over %past, %vr
      %o = sattn.scatter %x at %rows
      sattn.yield %o
    }
    ```
  }];
  let arguments = (ins ExprAttr:$top, Tensor:$x, OptionalAttr<ExprAttr>:$first, OptionalAttr<ExprAttr>:$last);
  let results = (outs Rows:$rows);
  let assemblyFormat = [{
    `top` `(` custom<Number>($top) `)` $x (`force` `(` custom<ForceEnds>($first, $last)^ `)`)? attr-dict
  }];
}

def GatherOp : Sattn_BodyOp<"gather", "x"> {
  let summary = "the rows of a tensor at chosen positions";
  let description = [{
    The rows of `x` at the routed positions of each head. They keep these positions, so formulas over them mean what
    they mean for whole sequences. As a result it has the axis `s(n)`, `n` from `top(n)`, or all positions where these
    are fewer; rows behind the last chosen one are 0.

    Constraints: routed and gathered over the same heads; what meets is gathered at the same rows (C34).

    ```mlir
    sattn.pattern @kept_keys<cap: int = 1024>(%k: [s, h, D], %votes: [s, h]) -> (kept) {
      %rows = sattn.route top(cap) %votes force(last(64))
      %kept = sattn.gather %k at %rows
      sattn.yield %kept
    }
    ```
  }];
  let arguments = (ins Tensor:$x, Rows:$rows);
  let results = (outs Tensor:$y);
  let hasFolder = 1;
  let assemblyFormat = "$x `at` $rows attr-dict";
}

def ScatterOp : Sattn_BodyOp<"scatter", "x"> {
  let summary = "gathered rows put back at their positions, 0 elsewhere";
  let description = [{
    The inverse of `sattn.gather` on the routed positions.

    Constraints: the operand was gathered at these rows (C34).

    ```mlir
    sattn.pattern @keep_best<n: int = 64>(%x: [t, h, D], %r: [t, h]) -> (y) {
      %rows = sattn.route top(n) %r
      %best = sattn.gather %x at %rows
      %y = sattn.scatter %best at %rows
      sattn.yield %y
    }
    ```
  }];
  let arguments = (ins Tensor:$x, Rows:$rows);
  let results = (outs Tensor:$y);
  let assemblyFormat = "$x `at` $rows attr-dict";
}

def SmoothOp : Sattn_BodyOp<"smooth", "votes"> {
  let summary = "centred pooling along the positions";
  let description = [{
    `y[j]` is the mean or maximum of `x` over the positions within `width` centred at j, stride 1. Beyond the ends a
    maximum finds nothing and a mean counts 0: it divides by `width` everywhere.

    Constraints: an odd width of at least 1 (C14).

    ```mlir
    sattn.pattern @smooth_votes(%votes: [s, h]) -> (soft) {
      %soft = sattn.smooth max %votes width(5)
      sattn.yield %soft
    }
    ```
  }];
  let arguments = (ins SmoothKindAttr:$how, Tensor:$x, ExprAttr:$width);
  let results = (outs Tensor:$y);
  let assemblyFormat = "custom<Word>($how) $x `width` `(` custom<Number>($width) `)` attr-dict";
}

def MixOp : Sattn_BodyOp<"mix", "o"> {
  let summary = "element-wise combination of outputs";
  let description = [{
    A float expression for each row, head and feature, or each key of tensors over keys. An operand without an index is
    an output, or numbers of keys, taken at the same element; one with indices is a table, such as gates `%g[t, h, 0]`. Names are the row and head of the outputs and
    params; functions are max, min, abs, exp, log, tanh, sigmoid, relu, rsqrt.

    Constraints: names (C1), (C2); loads (C15), (C16); outputs of the same rows, heads and features (C34).

    ```mlir
    sattn.pattern @gated_window<scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %g: [t, h, 2]) -> (o) {
      %past = sattn.set (t, s) : s <= t
      %near = sattn.set (t, s) : 0 <= t - s < 64
      %z = sattn.score dot %q, %k scale(scale)
      %a = sattn.attend %z over %past, %v
      %b = sattn.attend %z over %near, %v
      %o = sattn.mix %g[t, h, 0] * %a + %g[t, h, 1] * %b
      sattn.yield %o
    }
    ```
  }];
  let arguments = (ins ExprAttr:$formula, Variadic<Tensor>:$tables);
  let results = (outs Tensor:$o);
  let hasVerifier = 1;
  let hasFolder = 1;
  let assemblyFormat = "custom<Value>($formula, $tables) attr-dict";
}

#endif // SATTN_TENSOR_OPS_TD

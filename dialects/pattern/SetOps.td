// Key sets: formulas, random and listed sets, their algebra, and selection.
#ifndef SATTN_SET_OPS_TD
#define SATTN_SET_OPS_TD

include "dialects/pattern/PatternAttrs.td"
include "dialects/pattern/PatternTypes.td"

def SetOp : Sattn_BodyOp<"set", "keys"> {
  let summary = "the keys that a formula names";
  let description = [{
    The set of all (row, key) pairs of its domain for which the condition holds. The domain is `(t, s)`, or has blocks:
    `(t, c(l, d))`, `(u(b), c(b))`. Positions are absolute; `c` and `u` count blocks from position 0.

    Names are the two positions, head axes (the set is then one for each such head), params, and calls: `first(c)` and
    `last(c)`, the first and last token of a block; `size(s)`, one past the last key; `size(t)`, `size(h)`. A load
    `%table[t]` of an int role is an opaque integer. Comparisons chain as in mathematics; unequal is `not a == b`.

    The condition is stored in canonical form: a union of at most 64 conjunctions of linear forms over the integers.
    A product has at most one factor with a position, divisors are positive integers or static params.

    Constraints: (C1), (C2), (C7) to (C13), (C15), (C16). A set that is empty for all params is refused.

    ```mlir
    sattn.pattern @window_sinks<W: int = 512, S: int = 4, scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %doc: int[s]) -> (o) {
      %keys = sattn.set (t, s) : s <= t and (t - s < W or s < S) and %doc[t] == %doc[s]
      %z = sattn.score dot %q, %k scale(scale)
      %o = sattn.attend %z over %keys, %v
      sattn.yield %o
    }
    ```
  }];
  let arguments = (ins KeySetAttr:$formula, Variadic<Tensor>:$tables);
  let results = (outs KeySet:$set);
  let hasVerifier = 1;
  let assemblyFormat = "custom<SetFormula>($formula, $tables) attr-dict";
  let extraClassDeclaration = [{
    /// The set as plain structs (KeySet.h): a union of conjunctions of linear atoms.
    ::sattn::KeySetFormula getKeySet();
  }];
}

def RandomOp : Sattn_BodyOp<"random", "rand"> {
  let summary = "random blocks of keys for each block of rows, fixed by the seed";
  let description = [{
    For each block of `b` rows, `r` different blocks of `b` keys: one from each r-th part of the blocks of the sequence. The
    draw depends on the seed, the row block and the number of key blocks only. Not causal by itself: intersect it with a
    set.

    Constraints: numbers (C14), a static block length (C11).

    ```mlir
    sattn.pattern @near_and_random<static b: int = 64, r: int = 3, scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
      %near = sattn.set (t, s) : -1 <= t floordiv b - s floordiv b <= 1
      %some = sattn.random count(r) seed(7) blocks(b)
      %keys = sattn.union %near, %some
      %z = sattn.score dot %q, %k scale(scale)
      %o = sattn.attend %z over %keys, %v
      sattn.yield %o
    }
    ```
  }];
  let arguments = (ins ExprAttr:$count, ExprAttr:$seed, ExprAttr:$block);
  let results = (outs KeySet:$set);
  let assemblyFormat = [{
    `count` `(` custom<Number>($count) `)` `seed` `(` custom<Number>($seed) `)` `blocks` `(` custom<Number>($block) `)`
    attr-dict
  }];
}

def ListedOp : Sattn_BodyOp<"listed", "list"> {
  let summary = "blocks of keys named by index lists";
  let description = [{
    `%idx: int[t, g, n]` lists the blocks of `b` keys that each row (or row block `u(l)`) and head sees. Entries that
    are -1 or beyond the last block are ignored, repeated ones count once. With `rows(%ptr)` the lists are compressed:
    those of row block `u` are `idx[ptr[u]]` up to `idx[ptr[u + 1] - 1]`, of the last one all that follow; bounds outside
    the entries are cut. With `flags` entry `i` is not a number but says whether block `i` is seen (not 0).

    Constraints: a static block length (C11); lists are int roles with a row axis; flags are not compressed (C35).

    ```mlir
    sattn.pattern @listed_blocks<static b: int = 64, scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %idx: int[t, g, 16]) -> (o) {
      %list = sattn.listed %idx blocks(b)
      %past = sattn.set (t, s) : s <= t
      %keys = sattn.intersect %list, %past
      %z = sattn.score dot %q, %k scale(scale)
      %o = sattn.attend %z over %keys, %v
      sattn.yield %o
    }
    ```
  }];
  let arguments = (ins Tensor:$idx, Optional<Tensor>:$ptr, ExprAttr:$block, UnitAttr:$flags);
  let results = (outs KeySet:$set);
  let assemblyFormat = "$idx (`flags` $flags^)? (`rows` `(` $ptr^ `)`)? `blocks` `(` custom<Number>($block) `)` attr-dict";
}

class Sattn_SetAlgebra<string mnemonic> : Sattn_BodyOp<mnemonic, "keys"> {
  let arguments = (ins Variadic<KeySet>:$sets);
  let results = (outs KeySet:$set);
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
  let assemblyFormat = "$sets attr-dict";
}

def UnionOp : Sattn_SetAlgebra<"union"> {
  let summary = "keys that are in any of the sets";
  let description = [{
    A key counts once, however many sets hold it. Sets over disjoint blocks are lifted to the tokens of these blocks
    where another set is over tokens, row blocks to their rows. A union with a selection has no slots any more.

    Constraints: (C23), (C24).

    ```mlir
    sattn.pattern @window_or_sinks<W: int = 512, scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
      %near = sattn.set (t, s) : 0 <= t - s < W
      %sinks = sattn.set (t, s) : s < 4 and s <= t
      %keys = sattn.union %near, %sinks
      %z = sattn.score dot %q, %k scale(scale)
      %o = sattn.attend %z over %keys, %v
      sattn.yield %o
    }
    ```
  }];
}

def IntersectOp : Sattn_SetAlgebra<"intersect"> {
  let summary = "keys that are in all of the sets";
  let description = [{
    Lifts as `sattn.union` does. An intersection of one selection with other sets keeps the slots of the selection.

    Constraints: (C23), (C24).

    ```mlir
    sattn.pattern @selected_past<static b: int = 64, n: int = 8, scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
      %m = sattn.summarize mean %k blocks(b) ragged
      %a = sattn.score dot %q, %m
      %open = sattn.set (t, c(b)) : first(c) <= t
      %sel = sattn.select top(n) %a where %open force(last(1))
      %past = sattn.set (t, s) : s <= t
      %keys = sattn.intersect %sel, %past
      %z = sattn.score dot %q, %k scale(scale)
      %o = sattn.attend %z over %keys, %v
      sattn.yield %o
    }
    ```
  }];
}

def MinusOp : Sattn_SetAlgebra<"minus"> {
  let summary = "keys of the first set that are in none of the others";
  let description = [{
    Lifts as `sattn.union` does; keeps the slots of the first set if it is a selection.

    Constraints: (C23), (C24).

    ```mlir
    sattn.pattern @past_without_sinks<scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
      %past = sattn.set (t, s) : s <= t
      %sinks = sattn.set (t, s) : s < 4
      %keys = sattn.minus %past, %sinks
      %z = sattn.score dot %q, %k scale(scale)
      %o = sattn.attend %z over %keys, %v
      sattn.yield %o
    }
    ```
  }];
}

def SelectOp : Sattn_BodyOp<"select", "sel"> {
  let summary = "for each row the best columns of a score";
  let description = [{
    Candidates of a row are the columns in `where`. They are ranked: forced ones first, then by score from high to low,
    then by index from low to high; a column that is not forced is never selected if its score is NaN or -inf.
    `top(n)` takes the n first of the ranking, so forced ones count inside n; `above(x)` takes those that are forced or
    have a score greater than x; `mass(p)` takes the forced ones and, in the ranking's order, others until the scores of
    all that were taken sum to p: the nucleus of a probability. With several of them a column is taken that each would
    take. The result lists columns ascending.

    `mass` counts shares of a whole: probabilities (`sattn.normalize`), or their mean over heads. A sum that lacks less
    than 2^-16 of p has reached it, so that ten equal blocks reach 0.9 with nine whatever the rounding; a score that is
    NaN or negative counts as 0. Where all candidates together have less than p, all are taken.

    `force( )` names columns that must be taken if they are candidates: `first(a)`, the a first columns; `last(b)`, the
    b columns that end with the one that holds the row (the last row of a row block); a set over the same domain.

    The selection has the granularity of the score: one for each of its heads, and for a row or a row block.

    Constraints: `top` at least 1 (C14), disjoint columns (C23), a `where` set over the score's rows and columns (C21),
    (C22), (C25), something to select by and no more forced than selected (C27), shares for `mass` (C20).

    ```mlir
    sattn.pattern @topk_blocks_of_groups<static b: int = 64, n: int = 8, scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
      %m = sattn.summarize mean %k blocks(b)
      %a = sattn.score dot %q, %m
      %ag = sattn.reduce sum %a over h to g
      %far = sattn.set (t, c(b)) : last(c) < t
      %sel = sattn.select top(n) %ag where %far force(first(1))
      %z = sattn.score dot %q, %k scale(scale)
      %o = sattn.attend %z over %sel, %v
      sattn.yield %o
    }
    ```
  }];
  let arguments = (ins OptionalAttr<ExprAttr>:$top, OptionalAttr<ExprAttr>:$above,
                       OptionalAttr<ExprAttr>:$mass, Score:$z, KeySet:$where, Optional<KeySet>:$forced,
                       OptionalAttr<ExprAttr>:$first, OptionalAttr<ExprAttr>:$last);
  let results = (outs KeySet:$set);
  let hasVerifier = 1;
  let assemblyFormat = [{
    custom<Pick>($top, $above, $mass) $z `where` $where (`force` `(` custom<Force>($first, $last, $forced)^ `)`)?
    attr-dict
  }];
}

#endif // SATTN_SET_OPS_TD

// Key sets: formulas, random and listed sets, their algebra, and selection.
#ifndef SATTN_SET_OPS_TD
#define SATTN_SET_OPS_TD

include "dialects/pattern/PatternAttrs.td"
include "dialects/pattern/PatternTypes.td"

def SetOp : Sattn_BodyOp<"set", "keys"> {
  let summary = "the keys that a formula names";
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
  let arguments = (ins ExprAttr:$count, ExprAttr:$seed, ExprAttr:$block);
  let results = (outs KeySet:$set);
  let assemblyFormat = [{
    `count` `(` custom<Number>($count) `)` `seed` `(` custom<Number>($seed) `)` `blocks` `(` custom<Number>($block) `)`
    attr-dict
  }];
}
def ListedOp : Sattn_BodyOp<"listed", "list"> {
  let summary = "blocks of keys named by index lists";
  let arguments = (ins Tensor:$idx, Optional<Tensor>:$ptr, ExprAttr:$block);
  let results = (outs KeySet:$set);
  let assemblyFormat = "$idx (`rows` `(` $ptr^ `)`)? `blocks` `(` custom<Number>($block) `)` attr-dict";
}
class Sattn_SetAlgebra<string mnemonic> : Sattn_BodyOp<mnemonic, "keys"> {
  let arguments = (ins Variadic<KeySet>:$sets);
  let results = (outs KeySet:$set);
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
  let assemblyFormat = "$sets attr-dict";
}
def UnionOp : Sattn_SetAlgebra<"union"> { let summary = "keys that are in any of the sets"; }
def IntersectOp : Sattn_SetAlgebra<"intersect"> { let summary = "keys that are in all of the sets"; }
def MinusOp : Sattn_SetAlgebra<"minus"> { let summary = "keys of the first set that are in none of the others"; }

def SelectOp : Sattn_BodyOp<"select", "sel"> {
  let summary = "for each row the best columns of a score";
  let arguments = (ins OptionalAttr<ExprAttr>:$top, OptionalAttr<ExprAttr>:$above, Score:$z, KeySet:$where,
                       Optional<KeySet>:$forced, OptionalAttr<ExprAttr>:$first, OptionalAttr<ExprAttr>:$last);
  let results = (outs KeySet:$set);
  let hasVerifier = 1;
  let assemblyFormat = "custom<Pick>($top, $above) $z `where` $where (`force` `(` custom<Force>($first, $last, $forced)^ `)`)? attr-dict";
}

#endif // SATTN_SET_OPS_TD

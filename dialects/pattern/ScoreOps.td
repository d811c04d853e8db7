// Lazy scores: how rows meet keys, and what is done to scores before they select or weigh.
#ifndef SATTN_SCORE_OPS_TD
#define SATTN_SCORE_OPS_TD

include "dialects/pattern/PatternAttrs.td"
include "dialects/pattern/PatternTypes.td"

def ScoreOp : Sattn_BodyOp<"score", "z"> {
  let summary = "scores of rows against keys";
  let arguments = (ins ScoreKindAttr:$how, Tensor:$q, Tensor:$k, OptionalAttr<ExprAttr>:$scale);
  let results = (outs Score:$z);
  let hasCanonicalizeMethod = 1;
  let assemblyFormat = "custom<Word>($how) $q `,` $k (`scale` `(` custom<Number>($scale)^ `)`)? attr-dict";
}
def MapOp : Sattn_BodyOp<"map", "z"> {
  let summary = "an expression of each score";
  let arguments = (ins Score:$z, ExprAttr:$formula, Variadic<Tensor>:$tables);
  let results = (outs Score:$y);
  let hasVerifier = 1;
  let hasFolder = 1;
  let assemblyFormat = "$z `:` custom<Value>($formula, $tables) attr-dict";
}
def NormalizeOp : Sattn_BodyOp<"normalize", "p"> {
  let summary = "probabilities over a set";
  let arguments = (ins Score:$z, KeySet:$set, Optional<Tensor>:$lse);
  let results = (outs Score:$p);
  let assemblyFormat = "$z `over` $set (`with` $lse^)? attr-dict";
}
def ReduceOp : Sattn_BodyOp<"reduce", "zr"> {
  let summary = "one score for a group of heads";
  let arguments = (ins ReduceKindAttr:$how, Score:$z, StrAttr:$from, StrAttr:$to);
  let results = (outs Score:$y);
  let assemblyFormat = "custom<Word>($how) $z `over` custom<Name>($from) `to` custom<Name>($to) attr-dict";
}
def RebinOp : Sattn_BodyOp<"rebin", "zb"> {
  let summary = "scores of blocks pooled to other blocks";
  let arguments = (ins ReduceKindAttr:$how, Score:$z, ExprAttr:$block);
  let results = (outs Score:$y);
  let assemblyFormat = "custom<Word>($how) $z `to` `blocks` `(` custom<Number>($block) `)` attr-dict";
}
def ColsumOp : Sattn_BodyOp<"colsum", "votes"> {
  let summary = "sum of the probabilities of each column";
  let arguments = (ins Score:$p, KeySet:$set);
  let results = (outs Tensor:$votes);
  let assemblyFormat = "$p `over` $set attr-dict";
}
def WeighOp : Sattn_BodyOp<"weigh", "w"> {
  let summary = "a weight for each slot of a selection";
  let arguments = (ins WeighKindAttr:$how, Score:$z, KeySet:$set, Optional<Tensor>:$lse);
  let results = (outs Tensor:$w);
  let hasVerifier = 1;
  let assemblyFormat = "custom<Word>($how) $z `over` $set (`with` $lse^)? attr-dict";
}

#endif // SATTN_SCORE_OPS_TD

// Partial softmax results: accumulate, reopen, merge, finalize, and what is combined from blocks.
#ifndef SATTN_PARTIAL_OPS_TD
#define SATTN_PARTIAL_OPS_TD

include "dialects/pattern/PatternAttrs.td"
include "dialects/pattern/PatternTypes.td"

def AccumulateOp : Sattn_BodyOp<"accumulate", "acc"> {
  let summary = "scores over a set weigh values";
  let arguments = (ins AccumulateKindAttr:$how, Score:$z, KeySet:$set, Tensor:$v, UnitAttr:$perBlock);
  let results = (outs Partial:$p);
  let assemblyFormat = "custom<Word>($how) $z `over` $set `,` $v (`per` `block` $perBlock^)? attr-dict";
}
def ReopenOp : Sattn_BodyOp<"reopen", "acc"> {
  let summary = "the partial result of an earlier output and its lse";
  let arguments = (ins Tensor:$o, Tensor:$lse);
  let results = (outs Partial:$p);
  let assemblyFormat = "$o `,` $lse attr-dict";
}
def MergeOp : Sattn_BodyOp<"merge", "acc"> {
  let summary = "one partial result from several";
  let arguments = (ins Variadic<Partial>:$parts);
  let results = (outs Partial:$p);
  let hasVerifier = 1;
  let assemblyFormat = "$parts attr-dict";
}
def FinalizeOp : Sattn_BodyOp<"finalize", "o"> {
  let summary = "the output of a partial result";
  let arguments = (ins Partial:$p, Optional<Tensor>:$sink);
  let results = (outs Tensor:$o);
  let assemblyFormat = "$p (`sink` `(` $sink^ `)`)? attr-dict";
}
def LseOp : Sattn_BodyOp<"lse", "lse"> {
  let summary = "natural log of the denominator of a partial result";
  let arguments = (ins Partial:$p);
  let results = (outs Tensor:$lse);
  let assemblyFormat = "$p attr-dict";
}
def AttendOp : Sattn_BodyOp<"attend", "o"> {
  let summary = "sugar: finalize of accumulate softmax";
  let arguments = (ins Score:$z, KeySet:$set, Tensor:$v, Optional<Tensor>:$sink);
  let results = (outs Tensor:$o);
  let assemblyFormat = "$z `over` $set `,` $v (`sink` `(` $sink^ `)`)? attr-dict";
}
def BlendOp : Sattn_BodyOp<"blend", "o"> {
  let summary = "finalised blocks summed with weights";
  let arguments = (ins Partial:$p, Optional<Tensor>:$rest, Tensor:$w);
  let results = (outs Tensor:$o);
  let assemblyFormat = "$p (`and` $rest^)? `by` $w attr-dict";
}

#endif // SATTN_PARTIAL_OPS_TD

// Tensors: summaries and codes of roles, routing, gathering, and the combination of outputs.
#ifndef SATTN_TENSOR_OPS_TD
#define SATTN_TENSOR_OPS_TD

include "dialects/pattern/PatternAttrs.td"
include "dialects/pattern/PatternTypes.td"

def SummarizeOp : Sattn_BodyOp<"summarize", "m"> {
  let summary = "one row for each block of rows";
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
  let arguments = (ins CodeKindAttr:$how, Tensor:$x, OptionalAttr<ExprArrayAttr>:$levels);
  let results = (outs Tensor:$y);
  let hasVerifier = 1;
  let assemblyFormat = "custom<Word>($how) $x (`at` `(` custom<Levels>($levels)^ `)`)? attr-dict";
}
def PrefixOp : Sattn_BodyOp<"prefix", "v"> {
  let summary = "the first features of each row";
  let arguments = (ins Tensor:$x, ExprAttr:$width);
  let results = (outs Tensor:$y);
  let assemblyFormat = "$x `to` custom<Number>($width) attr-dict";
}
def RouteOp : Sattn_BodyOp<"route", "rows"> {
  let summary = "for each head the positions with the largest numbers";
  let arguments = (ins ExprAttr:$top, Tensor:$x, OptionalAttr<ExprAttr>:$first, OptionalAttr<ExprAttr>:$last);
  let results = (outs Rows:$rows);
  let assemblyFormat = "`top` `(` custom<Number>($top) `)` $x (`force` `(` custom<ForceEnds>($first, $last)^ `)`)? attr-dict";
}
def GatherOp : Sattn_BodyOp<"gather", "x"> {
  let summary = "the rows of a tensor at chosen positions";
  let arguments = (ins Tensor:$x, Rows:$rows);
  let results = (outs Tensor:$y);
  let hasFolder = 1;
  let assemblyFormat = "$x `at` $rows attr-dict";
}
def ScatterOp : Sattn_BodyOp<"scatter", "x"> {
  let summary = "gathered rows put back at their positions, 0 elsewhere";
  let arguments = (ins Tensor:$x, Rows:$rows);
  let results = (outs Tensor:$y);
  let assemblyFormat = "$x `at` $rows attr-dict";
}
def SmoothOp : Sattn_BodyOp<"smooth", "votes"> {
  let summary = "centred pooling along the positions";
  let arguments = (ins SmoothKindAttr:$how, Tensor:$x, ExprAttr:$width);
  let results = (outs Tensor:$y);
  let assemblyFormat = "custom<Word>($how) $x `width` `(` custom<Number>($width) `)` attr-dict";
}
def MixOp : Sattn_BodyOp<"mix", "o"> {
  let summary = "element-wise combination of outputs";
  let arguments = (ins ExprAttr:$formula, Variadic<Tensor>:$tables);
  let results = (outs Tensor:$o);
  let hasVerifier = 1;
  let hasFolder = 1;
  let assemblyFormat = "custom<Value>($formula, $tables) attr-dict";
}

#endif // SATTN_TENSOR_OPS_TD

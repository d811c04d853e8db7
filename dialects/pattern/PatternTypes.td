// The five types of the pattern dialect. They carry no parameters, so op formats can build them and no line of a
// pattern writes a type; the facts of a value (Facts.h) say the rest.
#ifndef SATTN_PATTERN_TYPES_TD
#define SATTN_PATTERN_TYPES_TD

include "mlir/IR/AttrTypeBase.td"
include "dialects/pattern/PatternDialect.td"

class Sattn_Type<string name, string text> : TypeDef<Sattn_Dialect, name> {
  let mnemonic = text;
}
class Sattn_Buildable<string name, string text>
    : Type<CPred<"::llvm::isa<::sattn::" # name # "Type>($_self)">, text, "::sattn::" # name # "Type">,
      BuildableType<"$_builder.getType<::sattn::" # name # "Type>()">;

def Sattn_TensorType : Sattn_Type<"Tensor", "tensor"> {
  let summary = "array over named axes: a role, a summary, codes, weights, an output";
}
def Sattn_SetType : Sattn_Type<"Set", "set"> {
  let summary = "set of (row, key) pairs: given by a formula, by lists, or by a selection";
}
def Sattn_ScoreType : Sattn_Type<"Score", "score"> {
  let summary = "lazy scores of rows against keys or blocks of keys; never an array in memory";
}
def Sattn_PartialType : Sattn_Type<"Partial", "partial"> {
  let summary = "partial softmax result (maximum, sum, weighted values) of each row; merging is associative";
}
def Sattn_RowsType : Sattn_Type<"Rows", "rows"> {
  let summary = "for each head a list of chosen positions, ascending";
}

def Tensor : Sattn_Buildable<"Tensor", "tensor">;
def KeySet : Sattn_Buildable<"Set", "set">;
def Score : Sattn_Buildable<"Score", "score">;
def Partial : Sattn_Buildable<"Partial", "partial">;
def Rows : Sattn_Buildable<"Rows", "rows">;

#endif // SATTN_PATTERN_TYPES_TD

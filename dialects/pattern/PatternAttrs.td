// Attributes of the pattern dialect: formulas as trees, axes, params, roles, key sets, and the words of op texts.
#ifndef SATTN_PATTERN_ATTRS_TD
#define SATTN_PATTERN_ATTRS_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "dialects/pattern/PatternDialect.td"

class Sattn_Attr<string name, string text> : AttrDef<Sattn_Dialect, name> {
  let mnemonic = text;
  let hasCustomAssemblyFormat = 1;
}

def ExprAttr : Sattn_Attr<"Expr", "expr"> {
  let summary = "an expression of the formula language, as an immutable tree";
  let description = [{
    Leaves are integers, floats (the bits of a double in `value`), names (`text`) and loads of table operands
    (`value` is the index into the op's table operands, `kids` are its indices). A call keeps its callee in `text`.
    `a < b` is stored as `a + 1 <= b`: comparisons are over integers. Two formulas are equal iff, after
    canonicalisation, their attributes are the same pointer. Build nodes with the functions of Formula.h.

    `#sattn.expr<t - s le W>`; inside the brackets a table load is written `table(0)[t]` and comparisons are the words
    `lt le gt ge eq`, where an op's own text has `%name[t]` and `<`, `<=`, ...
  }];
  let parameters = (ins "::sattn::ExprKind":$kind, "int64_t":$value, StringRefParameter<"name or callee">:$text,
                        ArrayRefParameter<"::sattn::ExprAttr">:$kids);
  let extraClassDeclaration = [{
    bool is(::sattn::ExprKind kind) const { return getKind() == kind; }
    /// True for the integer literal `value`.
    bool isInt(int64_t value) const { return is(::sattn::ExprKind::Int) && getValue() == value; }
    bool isName(::llvm::StringRef name) const { return is(::sattn::ExprKind::Name) && getText() == name; }
    /// The value of a float literal.
    double getFloat() const { return ::llvm::bit_cast<double>(getValue()); }
  }];
}

def AxisAttr : Sattn_Attr<"Axis", "axis"> {
  let summary = "an axis: name and, for blocks, length and stride; or a fixed count";
  let description = [{
    The first letter of a name is the kind: `t` query rows, `u` blocks of rows, `s` keys, `c` blocks of keys, `h` query
    heads, `g` kv heads, `D...` features. An axis without a name has the fixed `size`. `len` and `stride` are numbers
    over static params; the stride of disjoint blocks equals their length. `#sattn.axis<c(l, d)>`
  }];
  let parameters = (ins StringRefParameter<"empty for a fixed count">:$name, "int64_t":$size,
                        OptionalParameter<"::sattn::ExprAttr">:$len, OptionalParameter<"::sattn::ExprAttr">:$stride,
                        "bool":$ragged);
  let extraClassDeclaration = [{
    static AxisAttr named(::mlir::MLIRContext *context, ::llvm::StringRef name);
    static AxisAttr fixed(::mlir::MLIRContext *context, int64_t size);
    /// Blocks of `len` every `stride` positions; a null stride means disjoint blocks.
    static AxisAttr blocks(::mlir::MLIRContext *context, ::llvm::StringRef name, ::sattn::ExprAttr len,
                           ::sattn::ExprAttr stride = {}, bool ragged = false);
    ::sattn::AxisKind kind() const;
    bool isFixed() const { return getName().empty(); }
    /// Query rows or blocks of them.
    bool isRow() const { return kind() == ::sattn::AxisKind::Rows || kind() == ::sattn::AxisKind::RowBlocks; }
    /// Keys or blocks of them.
    bool isKey() const { return kind() == ::sattn::AxisKind::Keys || kind() == ::sattn::AxisKind::KeyBlocks; }
    bool isPosition() const { return isRow() || isKey(); }
    bool isHead() const { return kind() == ::sattn::AxisKind::QueryHeads || kind() == ::sattn::AxisKind::KvHeads; }
    bool isFeature() const { return kind() == ::sattn::AxisKind::Features; }
    bool isBlocks() const { return kind() == ::sattn::AxisKind::RowBlocks || kind() == ::sattn::AxisKind::KeyBlocks; }
    /// Blocks that share positions: stride and length differ.
    bool overlaps() const { return getLen() != getStride(); }
    /// Same kind and same blocks; `ragged` and digits in the name do not matter.
    bool sameBlocks(AxisAttr other) const {
      return kind() == other.kind() && getLen() == other.getLen() && getStride() == other.getStride();
    }
  }];
}

def KeySetAttr : Sattn_Attr<"KeySet", "keys"> {
  let summary = "a key set in canonical form: domain and union of conjunctions";
  let description = [{
    Built by `canonicalKeySet` (KeySet.h), read by `keySetOf`. `condition` is `all`, `not all`, or the union of
    conjunctions of atoms `0 <= form` and `form == 0` over linear forms, sorted; printed with merged bounds.

    `#sattn.keys<(t, s) : 0 le t - s lt W>`
  }];
  let parameters = (ins "::sattn::AxisAttr":$row, "::sattn::AxisAttr":$key, "::sattn::ExprAttr":$condition);
}

def ParamAttr : Sattn_Attr<"Param", "param"> {
  let summary = "a declared param; `#sattn.param<static l: int = 64>`";
  let parameters = (ins StringRefParameter<>:$name, "bool":$isStatic, "bool":$isFloat,
                        OptionalParameter<"::sattn::ExprAttr">:$defaultValue);
}

def RoleAttr : Sattn_Attr<"Role", "role"> {
  let summary = "a declared operand; `#sattn.role<q: [t, h, D]>`";
  let parameters = (ins StringRefParameter<>:$name, "bool":$isInt, ArrayRefParameter<"::sattn::AxisAttr">:$axes);
}

def ParamArrayAttr : TypedArrayAttrBase<ParamAttr, "array of params">;
def RoleArrayAttr : TypedArrayAttrBase<RoleAttr, "array of roles">;
def ExprArrayAttr : TypedArrayAttrBase<ExprAttr, "array of numbers">;

// The words that say how an op computes: a C++ enum each, printed as the word.
class Sattn_Word<string name, string text, string meaning, list<string> words>
    : I32EnumAttr<name, meaning,
                  !foreach(i, !range(!size(words)), I32EnumAttrCase<!toupper(!substr(words[i], 0, 1)) # !substr(words[i], 1),
                                                                    i, words[i]>)> {
  let cppNamespace = "::sattn";
  let genSpecializedAttr = 0;
  string mnemonicText = text;
}
class Sattn_WordAttr<Sattn_Word word> : EnumAttr<Sattn_Dialect, word, word.mnemonicText> {
  let assemblyFormat = "`<` $value `>`";
}
def SummaryKind : Sattn_Word<"SummaryKind", "summary", "how a block of rows becomes one",
                             ["mean", "sum", "min", "max", "minmax", "weighted", "linear"]>;
def CodeKind : Sattn_Word<"CodeKind", "code", "how a row is encoded", ["hadamard", "int8", "int4", "fp8", "buckets"]>;
def SmoothKind : Sattn_Word<"SmoothKind", "smoothing", "how neighbours are pooled", ["mean", "max"]>;
def ScoreKind : Sattn_Word<"ScoreKind", "scorer", "how a query meets a key", ["dot", "l1", "bound"]>;
def ReduceKind : Sattn_Word<"ReduceKind", "reduction", "how heads or blocks are joined", ["sum", "mean", "max"]>;
def WeighKind : Sattn_Word<"WeighKind", "weighting", "how slots are weighted", ["softmax", "stickbreak"]>;
def AccumulateKind : Sattn_Word<"AccumulateKind", "accumulation", "how scores weigh values", ["softmax", "linear"]>;
def SummaryKindAttr : Sattn_WordAttr<SummaryKind>;
def CodeKindAttr : Sattn_WordAttr<CodeKind>;
def SmoothKindAttr : Sattn_WordAttr<SmoothKind>;
def ScoreKindAttr : Sattn_WordAttr<ScoreKind>;
def ReduceKindAttr : Sattn_WordAttr<ReduceKind>;
def WeighKindAttr : Sattn_WordAttr<WeighKind>;
def AccumulateKindAttr : Sattn_WordAttr<AccumulateKind>;

#endif // SATTN_PATTERN_ATTRS_TD

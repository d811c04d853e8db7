// The frame of a pattern: sattn.pattern and sattn.yield.
#ifndef SATTN_STRUCTURE_OPS_TD
#define SATTN_STRUCTURE_OPS_TD

include "mlir/IR/SymbolInterfaces.td"
include "dialects/pattern/PatternAttrs.td"
include "dialects/pattern/PatternTypes.td"

def PatternOp : Sattn_Op<"pattern", [IsolatedFromAbove, Symbol, NoTerminator,
                                     DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "a sparse attention pattern: params, roles, results";
  let arguments = (ins SymbolNameAttr:$sym_name, ParamArrayAttr:$params, RoleArrayAttr:$roles, StrArrayAttr:$outputs,
                       OptionalAttr<DictionaryAttr>:$bind);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def YieldOp : Sattn_Op<"yield", [HasParent<"PatternOp">, Terminator]> {
  let summary = "the results of a pattern";
  let arguments = (ins Variadic<Tensor>:$values);
  let assemblyFormat = "$values attr-dict";
}

#endif // SATTN_STRUCTURE_OPS_TD

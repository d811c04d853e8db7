// The dialect `sattn` and the base classes of its ops. Constraint labels (C1) to (C39) are defined in docs/spec.md.
#ifndef SATTN_PATTERN_DIALECT_TD
#define SATTN_PATTERN_DIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Sattn_Dialect : Dialect {
  let name = "sattn";
  let summary = "sparse attention patterns: key sets, scores, selections and partial softmax results";
  let description = [{
    A pattern is a short straight-line program. Its values have five parameterless types, so no line of a body writes
    a type; what a value *is* (axes, granularity, slots of a selection) are its facts, derived by one forward pass
    (dialects/pattern/Facts.h) that the verifier, the passes and the oracle share.

    Positions are absolute: query row `i` of a call stands at `t = q_offset + i`, key `j` at `s = kv_offset + j`.
    A row without keys gives output 0 and lse -inf. Ties in selections go to the lower index.
  }];
  let cppNamespace = "::sattn";
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
}

class Sattn_Op<string mnemonic, list<Trait> traits = []> : Op<Sattn_Dialect, mnemonic, traits>;

// An op of a pattern's body: pure, one result, printed under a name that says what it is (`%keys`, `%z`, `%sel`).
class Sattn_BodyOp<string mnemonic, string resultName, list<Trait> traits = []>
    : Sattn_Op<mnemonic, !listconcat([Pure, HasParent<"PatternOp">,
                                      DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>], traits)> {
  let extraClassDefinition = [{
    void $cppClass::getAsmResultNames(::mlir::OpAsmSetValueNameFn setName) { setName(getResult(), "}] # resultName # [{"); }
  }];
}

#endif // SATTN_PATTERN_DIALECT_TD

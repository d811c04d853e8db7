// The pattern dialect `sattn`: dialect, attributes, types and ops as generated from Pattern.td.
//
// A pattern is one sattn.pattern op whose single block is a straight line of pure ops that ends with sattn.yield.
// Formulas are ExprAttr trees (Formula.h), key sets KeySetAttr (KeySet.h); what each value is, is in Facts.h.
#pragma once
#include "dialects/pattern/Kinds.h"
#include "lib/support/LLVM.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/bit.h"

namespace sattn {
struct KeySetFormula;
} // namespace sattn

#include "dialects/pattern/PatternDialect.h.inc"
#include "dialects/pattern/PatternEnums.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/pattern/PatternTypes.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/pattern/PatternAttrs.h.inc"
#define GET_OP_CLASSES
#include "dialects/pattern/PatternOps.h.inc"

namespace sattn {
/// Makes the dialect loadable by a context made from `registry`.
void registerPatternDialect(mlir::DialectRegistry &registry);
} // namespace sattn

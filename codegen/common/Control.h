// Loops and branches of scf as blocks and jumps of the llvm dialect.
#pragma once
#include "lib/support/LLVM.h"
#include "mlir/IR/BuiltinOps.h"

namespace sattn::codegen {

/// Lowers every scf.for (of positive step), scf.if and scf.while of `module`. A walk that knows these three costs a
/// tenth of the conversion framework, which asks about each op of a function that has ten thousand.
void lowerControl(mlir::ModuleOp module);

} // namespace sattn::codegen

// The ops of arith as LLVM instructions, without a detour over the llvm dialect.
#pragma once

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace sattn::codegen {

/// Adds the translation of arith, on the types that LLVM has (no index), to what translateModuleToLLVMIR knows.
void registerArithTranslation(mlir::DialectRegistry &registry);

} // namespace sattn::codegen

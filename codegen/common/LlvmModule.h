// From the emitted ops (scf, arith, llvm) to an LLVM module with a context of its own, so that modules can be optimised
// and assembled in parallel.
#pragma once
#include "lib/support/LLVM.h"
#include "mlir/IR/BuiltinOps.h"
#include <memory>

namespace llvm {
class LLVMContext;
class Module;
class TargetMachine;
} // namespace llvm

namespace sattn::codegen {

struct LlvmModule {
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
  LlvmModule();
  LlvmModule(LlvmModule &&);
  ~LlvmModule();
};

/// Makes the dialects and translations of the way down available in `context`.
void prepareContext(MLIRContext &context);

/// Translates `module`, whose loops and branches it lowers on the way. Runs in the caller's context.
FailureOr<LlvmModule> toLlvm(mlir::ModuleOp module);

/// Optimises the functions of `module`. `loadsOnce`: loads that are repeated without a write between them are dropped.
void optimise(llvm::Module &module, llvm::TargetMachine &machine, bool loadsOnce = false);

} // namespace sattn::codegen

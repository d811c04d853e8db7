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

/// Calls `assemble` once with the number of each module, the largest first, on one thread for each processor: more
/// would only disturb one another's memory.
void assembleEach(ArrayRef<LlvmModule> modules, llvm::function_ref<void(size_t)> assemble);

/// What assembles the code afterwards.
enum class Assembler {
  Plain,     ///< as it stands
  Optimising ///< moves code out of loops itself, where registers allow it
};
/// Optimises the functions of `module`.
void optimise(llvm::Module &module, llvm::TargetMachine &machine, Assembler assembler = Assembler::Plain);

} // namespace sattn::codegen

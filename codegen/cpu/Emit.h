// From a kernel's emitted function to an object file, in the two steps that differ in cost and threading: MLIR passes
// (the caller's context, one at a time), then LLVM (a context of its own each, in parallel).
#pragma once
#include "codegen/cpu/Atom.h"
#include "mlir/IR/BuiltinOps.h"
#include <memory>
#include <string>
#include <vector>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace sattn::cpu {

/// Makes the dialects and translations of the way down available in `context`.
void prepareContext(MLIRContext &context);

/// scf, arith and llvm ops of a module to the llvm dialect alone.
LogicalResult convertToLlvmDialect(mlir::ModuleOp module);

struct LlvmModule {
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
  LlvmModule();
  LlvmModule(LlvmModule &&);
  ~LlvmModule();
};
FailureOr<LlvmModule> translate(mlir::ModuleOp module, const Atom &atom);

struct Object {
  std::vector<char> bytes;
  std::string llvmIr, assembly, error; ///< error is empty on success
};
/// Optimises and assembles. Thread-safe for different modules.
Object assemble(LlvmModule &&module, const Atom &atom, bool keepLlvmIr, bool keepAssembly);

/// Links objects into one ELF shared object without undefined symbols; `error` says what is wrong. Serialised inside,
/// because the linker has global state.
FailureOr<std::vector<char>> link(ArrayRef<Object> objects, std::string &error);

} // namespace sattn::cpu

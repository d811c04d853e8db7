// From a kernel's emitted function to an object file, in the two steps that differ in cost and threading: MLIR passes
// (the caller's context, one at a time), then LLVM (a context of its own each, in parallel).
#pragma once
#include "codegen/common/LlvmModule.h"
#include "codegen/cpu/Atom.h"
#include <string>
#include <vector>

namespace llvm {
class TargetMachine;
} // namespace llvm

namespace sattn::cpu {

using codegen::LlvmModule;

/// The module of a kernel's function for a level.
FailureOr<LlvmModule> translate(mlir::ModuleOp module, const Atom &atom);

struct Object {
  std::string name; ///< of its first function
  std::vector<char> bytes;
  std::string llvmIr, assembly, error; ///< error is empty on success
};
/// The machine of a level; null, with `error` set, where LLVM lacks it.
std::unique_ptr<llvm::TargetMachine> createMachine(const Atom &atom, std::string &error);

/// What happens to a module on its way to an object.
struct AssembleOptions {
  bool optimise = true;
  bool keepLlvmIr = false, keepAssembly = false;
};
/// Optimises and assembles. Thread-safe for different modules.
Object assemble(LlvmModule &&module, const Atom &atom, const AssembleOptions &options);

/// The lines that part the kernels of the texts in CompiledCode: "; kernel @NAME" and "# kernel @NAME".
inline constexpr StringRef llvmIrMark = "; kernel @", assemblyMark = "# kernel @";

/// Objects of an edited text; together they define every kernel. Diagnostics stand at lines of the text.
FailureOr<std::vector<Object>> assembleLlvmIr(MLIRContext &context, const EditedText &edited,
                                              ArrayRef<CompiledKernel> kernels, const Atom &atom,
                                              const AssembleOptions &options);
FailureOr<std::vector<Object>> assembleAssembly(MLIRContext &context, const EditedText &edited,
                                                ArrayRef<CompiledKernel> kernels, const Atom &atom);

/// Links objects into one ELF shared object without undefined symbols; `error` says what is wrong. Serialised inside,
/// because the linker has global state.
FailureOr<std::vector<char>> link(ArrayRef<Object> objects, std::string &error);

} // namespace sattn::cpu

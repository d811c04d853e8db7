// From an LLVM module to PTX text.
#pragma once
#include "codegen/common/LlvmModule.h"
#include "codegen/gpu/Arch.h"

namespace sattn::gpu {

struct Ptx {
  std::string name; ///< of its entry
  std::string text;
  std::string llvmIr, error; ///< error is empty on success
};
/// Optimises a module and selects instructions. Thread-safe for different modules.
Ptx assemble(codegen::LlvmModule &&module, const Arch &arch, bool keepLlvmIr);

/// One text of many: what stands before the first declaration (version, target) is kept once.
std::string joinPtx(ArrayRef<Ptx> modules);

} // namespace sattn::gpu

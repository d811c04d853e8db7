// CPU code generator: a tile program in, one ELF shared object out. Knows no pattern; reads only sattn_tile and the
// upstream dialects that kernels may hold (arith, math, index arithmetic). The object goes into the artefact
// (docs/artefact.md) and is loaded by the runtime.
#pragma once
#include "lib/support/LLVM.h"
#include "lib/support/TargetInfo.h"
#include <optional>
#include <string>
#include <vector>

namespace sattn {
namespace tile {
class ProgramOp;
}
namespace cpu {

/// Instruction set levels, a closed list that the runtime detects (runtime's Isa has the same names).
enum class Isa { Baseline, Avx2, Avx512, Avx512Bf16, Amx };

/// "cpu-avx512" -> Avx512; failure for anything else. "cpu" is resolved by the caller.
FailureOr<Isa> parseTarget(StringRef name);
StringRef targetName(Isa isa);

/// Numbers and layouts of a level for the tiler.
TargetInfo targetInfo(Isa isa);

struct CompiledKernel {
  std::string name;   ///< symbol of the tile kernel
  std::string symbol; ///< exported symbol with the kernel ABI
  int64_t scratchBytes = 0;
};
struct CompiledCode {
  std::vector<char> object; ///< ELF shared object without undefined symbols
  std::vector<CompiledKernel> kernels;
  std::string llvmIr, assembly; ///< filled when asked for: a module, a file for each kernel, after a line with its name
};
/// CompiledCode::llvmIr or CompiledCode::assembly after an edit, which takes the place of what was generated.
struct EditedText {
  StringRef name; ///< what messages call it
  StringRef text;
};
struct CodegenOptions {
  bool keepLlvmIr = false;
  bool keepAssembly = false;
  std::optional<EditedText> llvmIr, assembly; ///< scratch sizes stay those of the lowering
};

/// Compiles every kernel of `program` (which is left untouched). Thread-safe for different contexts; the link step is
/// serialised inside. Unsupported ops and extents are diagnostics at the op; what is wrong with an edited text is one
/// at its line.
FailureOr<CompiledCode> compileProgram(tile::ProgramOp program, Isa isa, const CodegenOptions &options = {});

} // namespace cpu
} // namespace sattn

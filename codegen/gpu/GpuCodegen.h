// GPU code generator: a tile program in, PTX text out. Knows no pattern; reads only sattn_tile and the upstream
// dialects that kernels may hold (arith, math, index arithmetic). The text goes into the artefact (docs/artefact.md);
// the driver or nvJitLink makes machine code of it, and lib/ptx executes it where there is no GPU.
#pragma once
#include "codegen/gpu/PtxLink.h"
#include "lib/support/LLVM.h"
#include "lib/support/TargetInfo.h"
#include <string>
#include <vector>

namespace sattn {
namespace tile {
class ProgramOp;
}
namespace gpu {

struct Arch;

/// The architecture of a target such as "sm_80" or "sm_90a", from a closed list; null for anything else.
const Arch *findArch(StringRef target);
StringRef targetName(const Arch &arch);
/// Names of all targets, comma-separated, for messages.
std::string targetNames();

/// Numbers of an architecture for the tiler.
TargetInfo targetInfo(const Arch &arch);

/// An operand of which a kernel copies boxes of features and positions to shared memory by TMA. Its map is a parameter
/// of the entry, behind the extents of the grid.
struct TensorMap {
  int64_t operand = 0, elementBytes = 0, features = 0;
  int64_t box[2] = {}; ///< features, positions
  bool operator==(const TensorMap &) const = default;
};

struct CompiledKernel {
  std::string name;        ///< symbol of the tile kernel
  std::string symbol;      ///< entry of the PTX
  int64_t threads = 0;     ///< of a block
  int64_t sharedBytes = 0; ///< dynamic shared memory of a block
  /// For each operand of the kernel: what its address and strides must be multiples of, in bytes; 0 where that is the
  /// element's size, or the operand has no address.
  std::vector<int64_t> alignment;
  std::vector<TensorMap> maps;
};
struct CompiledCode {
  std::string ptx;
  std::vector<CompiledKernel> kernels;
  std::string llvmIr; ///< filled when asked for: a module for each kernel, after a line with its name
  SmallVector<LinkedFunction> functions; ///< of the program: what became of them, after linkFunctions
};
struct CodegenOptions {
  bool keepLlvmIr = false;
};

/// What a function of the program is called in PTX.
std::string functionSymbol(StringRef name);

/// Compiles every kernel of `program` (which is left untouched). Where the program has functions, its PTX declares
/// them, and linkFunctions completes it. Thread-safe for different contexts. Unsupported ops, extents and resources are
/// diagnostics at the op.
FailureOr<CompiledCode> compileProgram(tile::ProgramOp program, const Arch &arch, const CodegenOptions &options = {});

/// Makes the functions of `program`, in their order, a part of its code. One that cannot be is a diagnostic.
LogicalResult linkFunctions(tile::ProgramOp program, ArrayRef<PtxFunction> functions, CompiledCode &code);

} // namespace gpu
} // namespace sattn

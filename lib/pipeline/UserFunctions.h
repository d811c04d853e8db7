// The author's functions in CUDA C++ (sattn_tile.function): compiled to PTX by NVRTC, with its messages at the author's
// lines. The code generator makes them a part of the kernels (codegen/gpu/PtxLink.h).
#pragma once
#include "codegen/gpu/GpuCodegen.h"
#include "lib/support/DiagnosticLog.h"
#include "lib/support/LLVM.h"

namespace sattn {

/// Compiles every function of `program` for `target`. `fileName` is the pattern's: files of sources are named from its
/// folder. Errors are diagnostics at the lines of the sources, where those are files, and at the functions; `log` gets
/// the texts of the files.
LogicalResult compileFunctions(tile::ProgramOp program, StringRef target, StringRef fileName, DiagnosticLog &log,
                               SmallVectorImpl<gpu::PtxFunction> &functions);

/// A remark for each function: whether it is inlined, and if not, why.
void reportFunctions(tile::ProgramOp program, ArrayRef<gpu::LinkedFunction> functions);

} // namespace sattn

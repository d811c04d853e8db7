// The author's functions in CUDA C++ (sattn_tile.function): compiled to PTX by NVRTC, with its messages at the author's
// lines. The code generator makes them a part of the kernels (codegen/gpu/PtxLink.h).
#pragma once
#include "codegen/gpu/GpuCodegen.h"
#include "lib/support/DiagnosticLog.h"
#include "lib/support/LLVM.h"
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace sattn {

/// Compiles the functions of one program on a thread of its own, while the caller generates the kernels.
class FunctionCompilation {
public:
  /// `fileName` is the pattern's: files of sources are named from its folder. Without functions nothing is started, and
  /// NVRTC is not looked for.
  FunctionCompilation(tile::ProgramOp program, StringRef target, StringRef fileName);
  ~FunctionCompilation();

  /// Waits for the PTX of every function. Errors are diagnostics at the lines of the sources, where those are files,
  /// and at the functions; `log` gets the texts of the files.
  LogicalResult finish(DiagnosticLog &log, SmallVectorImpl<gpu::PtxFunction> &functions);

  bool any() const { return !jobs.empty(); }
  /// Of NVRTC, after finish.
  double milliseconds() const { return elapsed; }

private:
  struct Job;
  void run();

  std::vector<std::unique_ptr<Job>> jobs;
  std::string target, problem; ///< the problem with NVRTC itself
  double elapsed = 0;
  std::thread worker;
};

/// A remark for each function: whether it is inlined, and if not, why.
void reportFunctions(tile::ProgramOp program, ArrayRef<gpu::LinkedFunction> functions);

} // namespace sattn

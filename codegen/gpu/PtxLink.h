// Functions of another compiler (NVRTC) in the text of our kernels, which declare them `.extern .func` and call them:
// short bodies take the place of each call, others are defined in the same module. Either way the text has no open
// reference, so that whatever finishes or executes PTX takes it as it takes any kernel.
#pragma once
#include "lib/support/LLVM.h"
#include <string>

namespace sattn::gpu {

/// A function of 32-bit arguments and a 32-bit result, and the module that defines it.
struct PtxFunction {
  std::string symbol;
  std::string ptx;
};

/// What became of a function.
struct LinkedFunction {
  std::string symbol;
  int64_t instructions = 0; ///< of its body
  int64_t calls = 0;        ///< in the kernels
  std::string called;       ///< why it is called rather than inlined; "" where it is inlined
};

/// Bodies of at most so many instructions are inlined: a tile calls its function once for each element that a thread
/// holds, 32 times and more.
inline constexpr int64_t kMostInlined = 128;

/// Defines `functions` in `ptx`. The text asks for the newest PTX version of its parts. False with `error` where a
/// module does not hold its function or needs what a kernel's module cannot have.
bool linkFunctions(std::string &ptx, ArrayRef<PtxFunction> functions, SmallVectorImpl<LinkedFunction> &linked,
                   std::string &error);

} // namespace sattn::gpu

// What an architecture can do, as numbers. The lowering asks these and never the architecture's name, so a new one is a
// new entry in Target.cpp.
#pragma once
#include "codegen/gpu/GpuCodegen.h"

namespace sattn::gpu {

inline constexpr int64_t kWarp = 32;    ///< threads of a warp
inline constexpr int64_t kMmaRows = 16; ///< rows of a matrix instruction

struct Arch {
  StringRef name;      ///< target name of the manifest, and LLVM's name of the processor
  StringRef features;  ///< lowest PTX version that has what we emit
  int64_t sharedBytes; ///< most shared memory that a block may ask for
  bool groups = false; ///< warpgroups multiply out of shared memory (wgmma), and TMA copies tiles to it
};

} // namespace sattn::gpu

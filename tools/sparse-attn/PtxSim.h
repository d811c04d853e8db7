// The device of target ptx-sim: kernels compiled for a GPU, executed by the interpreter of lib/ptx on the host's
// memory.
#pragma once

#include <sattn/sattn.h>

#include <cstdint>
#include <string>

namespace sattn::tool {

/// "ptx-sim" -> "sm_80", "ptx-sim:sm_90a" -> "sm_90a"; "" for names of other targets.
std::string ptxSimTarget(const std::string &name);

/// Hands the interpreter to `context`. A fault of a kernel fails the run with the report's text. `order` and the number
/// of the launch choose the order in which warps run.
void installPtxSim(sattn_context *context, uint64_t order);

} // namespace sattn::tool

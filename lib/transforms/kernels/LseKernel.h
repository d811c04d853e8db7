// Attention to ranges whose lse a selection needs: `sattn.normalize with` ranks blocks beside what a row has attended
// to already, and `sattn.weigh with` weighs them beside it. So a kernel of its own computes these branches first:
//
//   range    output and lse of a branch        attended, lse [row of the chunk]
#pragma once
#include "lib/transforms/kernels/AttendKernels.h"

namespace sattn::lower {

/// Builds a kernel for each accumulation whose lse stands beside scores, and enters its workspaces.
LogicalResult buildLseKernels(Context &context, Preparer &preparer, Selections &selections);

/// The state of a softmax over one key of score `lse` and value `acc`; of nothing where the lse is -inf.
SoftmaxState stateOfLse(KernelBuilder &k, Value lse, Value acc);

} // namespace sattn::lower

// The kernel of one selection.
#pragma once
#include "lib/transforms/kernels/Selection.h"

namespace sattn::lower {

/// Builds the kernel of `chain` and enters its lists, weights and attention outputs into `selections`.
LogicalResult buildSelectKernel(Context &context, Preparer &preparer, const SelectionChain &chain,
                                Selections &selections);

} // namespace sattn::lower

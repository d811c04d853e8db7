// The kernels that compute what a pattern yields for query rows. One kernel holds all branches of a pattern, so that
// gates and mixtures are its epilogue.
#pragma once
#include "lib/transforms/kernels/Prepare.h"

namespace sattn::lower {

/// Range dataflow (every set is a formula): a task owns `rowTile` rows of one query head and streams each branch over
/// the cover of its set.
LogicalResult buildRangeKernel(Context &context, Preparer &preparer);

} // namespace sattn::lower

// Patterns that keep keys: their results are numbers of keys (`sattn.colsum` and what is made of it), and the keys and
// values that `sattn.route` chooses by such numbers.
//
//   lse, votes      sums of probabilities for each key (VoteKernel.h)
//   rank, choose    lists of the best keys (RouteList.h)
//   attend          what the pattern yields for query rows, as any other pattern does
//   numbers         smoothed or mixed numbers that are gathered, or are a result
//   gather          the chosen keys, values and numbers
//
// Smoothed and mixed numbers are computed where they are read.
#pragma once
#include "lib/transforms/kernels/Prepare.h"

namespace sattn::lower {

/// Whether the pattern yields numbers of single keys, or keys that it chooses.
bool keepsKeys(PatternOp pattern);
/// All kernels of such a pattern.
LogicalResult buildKeepKernels(Context &context, Preparer &preparer);

} // namespace sattn::lower

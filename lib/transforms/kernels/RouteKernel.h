// Patterns that route (`sattn.route`): each head chooses rows of the whole sequence and attends among them.
//
//   rank, choose    lists of the best rows (RouteList.h)
//   clear           results are 0 where no row was chosen
//   attend          tiles of chosen rows, over all chosen keys          scattered into the results
#pragma once
#include "lib/transforms/kernels/Context.h"

namespace sattn::lower {

/// Whether the pattern routes.
bool routes(PatternOp pattern);
/// All kernels of such a pattern.
LogicalResult buildRouteKernels(Context &context);

} // namespace sattn::lower

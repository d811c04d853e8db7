// Patterns that route (`sattn.route`): each head chooses rows of the whole sequence and attends among them.
//
//   rank, choose    lists of the best rows (RouteList.h)
//   clear           outputs are 0 where no row was chosen
//   attend          tiles of chosen rows, over all chosen keys          scattered into the outputs
//
// An output is a result, or a workspace where the kernels of the other results read it.
#pragma once
#include "lib/transforms/kernels/Selection.h"

namespace sattn::lower {

/// Whether the pattern routes.
bool routes(PatternOp pattern);
/// Whether such a pattern has results beside those of `sattn.scatter`, which other kernels compute.
bool hasOtherResults(PatternOp pattern);
/// The kernels of what is routed. `scattered` gets the outputs that other kernels read, by the result of sattn.scatter.
LogicalResult buildRouteKernels(Context &context, llvm::DenseMap<Value, RowWorkspace> &scattered);

} // namespace sattn::lower

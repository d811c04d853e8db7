// Lists of routed positions: what `sattn.route` chooses, in memory.
//
//   rank      the routing numbers of each head side by side       routed_scores [head][tile][position]
//   choose    the best of them, ascending, -1 padded              routed [head][slot]
#pragma once
#include "lib/transforms/kernels/Context.h"

namespace sattn::lower {

/// Positions of a tile of routing numbers, and slots of a tile of a list.
inline constexpr int64_t kRouteTile = 64;

/// For each head `most` positions of the rows of the call, or of its stored keys, counted from the first one.
struct RouteList {
  PlanRef ref;
  AxisAttr head;
  PlanSize most; ///< slots: as many as `top` says, or all positions
};

/// A row vector of the numbers at positions `first` .. `first` + kRouteTile - 1; those that do not exist are anything.
using RouteNumbers = llvm::function_ref<Value(Task &, Value first)>;

/// Builds the kernels that rank the numbers and list the best.
RouteList buildRouteList(Context &context, RouteOp route, RouteNumbers numbers);

/// A tile of ids from slot `first` on, as a row vector, or side by side.
Value routedIds(Task &task, Value list, Value first, bool columns = false);
/// The list of the task's head.
Value viewOf(Task &task, const RouteList &list);

/// Tasks along y where each takes the query heads of one head of `axis`, and how many these are.
PlanSize tasksOfHeads(Context &context, AxisAttr axis);
int64_t headsOfTask(Context &context, AxisAttr axis);

} // namespace sattn::lower

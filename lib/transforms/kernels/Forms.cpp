// The forms of a program; see Forms.h.
#include "lib/transforms/kernels/Forms.h"
#include "lib/transforms/kernels/LseKernel.h"
#include "lib/transforms/kernels/Places.h"
#include "lib/transforms/kernels/RouteKernel.h"

namespace sattn::lower {

static mlir::DictionaryAttr dataflowOf(Operation &op) {
  return isa<AccumulateOp>(op) ? op.getAttrOfType<mlir::DictionaryAttr>("dataflow") : mlir::DictionaryAttr();
}

static StringRef kindOf(mlir::DictionaryAttr dataflow) {
  auto kind = dataflow ? dataflow.getAs<mlir::StringAttr>("kind") : mlir::StringAttr();
  return kind ? kind.getValue() : StringRef();
}

// Whether calls of few rows get a form of their own: every set is a formula. A congruence of them makes tiles of one
// row, beside which no numbers of keys may stand.
static bool splitsKeys(Context &context) {
  bool any = false, places = false, classes = false;
  for (Operation &op : context.pattern.getBody().front()) {
    if (isa<SelectOp>(op))
      return false;
    if (auto map = dyn_cast<MapOp>(op))
      places |= readsPlaces(context, map);
    if (!isa<AccumulateOp>(op))
      continue;
    mlir::DictionaryAttr dataflow = dataflowOf(op);
    if (kindOf(dataflow) != "range")
      return false;
    classes |= dataflow.contains("every");
    any = true;
  }
  return any && !(classes && places) && context.target.decodeRows > 0;
}

// Whether calls of few rows walk the lists of a pattern with selections: where the usual form would pack all keys
// first, lists are in order, no number of a place or table stands beside scores, and weights are stored.
static bool walksLists(Context &context) {
  bool anySelected = false;
  for (Operation &op : context.pattern.getBody().front()) {
    auto weigh = dyn_cast<WeighOp>(op);
    if (isa<RandomOp, ListedOp>(op) || (weigh && joinsSlots(weigh)))
      return false;
    StringRef kind = kindOf(dataflowOf(op));
    anySelected |= !kind.empty() && kind != "range";
  }
  return anySelected && context.target.decodeRows > 0 && context.target.keyLayout.width != 0;
}

Dataflows dataflowsOf(Context &context, bool tokens) {
  Dataflows kinds{"range", ""};
  for (Operation &op : context.pattern.getBody().front())
    if (StringRef kind = kindOf(dataflowOf(op)); !kind.empty() && kind != "range")
      kinds.usual = kind;
  if (routes(context.pattern) || context.keepsKeys)
    return kinds;
  if (tokens)
    kinds.few = context.target.decodeRows > 0 ? kinds.usual : "";
  else if (walksLists(context))
    kinds.few = "lists";
  else if (splitsKeys(context))
    kinds.few = "split";
  return kinds;
}

FailureOr<SmallVector<Context *, 2>> formsOf(Context &usual, Context &few, Dataflows kinds) {
  StringRef bound = usual.bound.dataflow();
  if (bound.empty() && kinds.few.empty())
    return SmallVector<Context *, 2>{&usual};
  if (bound.empty()) {
    usual.calls.kind = CallRows::Many;
    few.calls = {CallRows::Few, usual.target.decodeRows};
    return SmallVector<Context *, 2>{&usual, &few};
  }
  if (bound == kinds.usual)
    return SmallVector<Context *, 2>{&usual};
  if (bound == kinds.few)
    return SmallVector<Context *, 2>{&few};
  auto error = usual.pattern.emitError() << "[SA0205] 'dataflow' is bound to '" << bound << "', but for this target @"
                                         << usual.pattern.getSymName() << " has '" << kinds.usual << "'";
  if (!kinds.few.empty() && kinds.few != kinds.usual)
    error << " and '" << kinds.few << "'";
  return error << " alone: bind one of these, or leave it out";
}

} // namespace sattn::lower

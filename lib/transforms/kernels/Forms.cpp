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

// Whether tiles of rows can visit all keys: lists are those of selections for single rows, and weights are not asked
// for block by block.
static bool masksBlocks(Context &context) {
  bool anySelected = false;
  for (Operation &op : context.pattern.getBody().front()) {
    if (isa<RandomOp, ListedOp, WeighOp>(op))
      return false;
    anySelected |= kindOf(dataflowOf(op)) == "inverted";
  }
  return anySelected && context.target.keyLayout.width != 0;
}

// Keys up to which masking costs less than the chosen dataflow, for all accumulations over selected blocks.
static int64_t maskedKeys(Context &context) {
  std::optional<int64_t> fewest;
  for (Operation &op : context.pattern.getBody().front())
    if (mlir::DictionaryAttr dataflow = dataflowOf(op); kindOf(dataflow) == "inverted") {
      auto keys = dataflow.getAs<mlir::IntegerAttr>("masked_keys");
      int64_t upTo = keys ? keys.getInt() : 0;
      fewest = std::min(fewest.value_or(upTo), upTo);
    }
  return fewest.value_or(0);
}

Dataflows dataflowsOf(Context &context, bool tokens) {
  Dataflows kinds{"range", "", ""};
  for (Operation &op : context.pattern.getBody().front())
    if (StringRef kind = kindOf(dataflowOf(op)); !kind.empty() && kind != "range")
      kinds.usual = kind;
  if (routes(context.pattern) || context.keepsKeys)
    return kinds;
  if (tokens) {
    kinds.few = context.target.decodeRows > 0 ? kinds.usual : "";
    return kinds;
  }
  if (walksLists(context))
    kinds.few = "lists";
  else if (splitsKeys(context))
    kinds.few = "split";
  if (masksBlocks(context)) {
    kinds.brief = "masked";
    kinds.briefKeys = maskedKeys(context);
  }
  return kinds;
}

static std::string quotedKinds(Dataflows kinds) {
  SmallVector<StringRef> all{kinds.usual};
  for (StringRef kind : {kinds.few, kinds.brief})
    if (!kind.empty() && kind != kinds.usual)
      all.push_back(kind);
  std::string text;
  for (auto [i, kind] : llvm::enumerate(all))
    text += (i == 0 ? "'" : i + 1 == all.size() ? " and '" : ", '") + kind.str() + "'";
  return text;
}

FailureOr<SmallVector<Form, 3>> formsOf(Context &usual, Context &few, Context &brief, Dataflows kinds) {
  StringRef bound = usual.bound.dataflow();
  if (bound.empty()) {
    SmallVector<Form, 3> forms{{&usual, kinds.usual}};
    if (!kinds.few.empty()) {
      usual.calls.rows = CallRows::Many;
      few.calls.rows = CallRows::Few;
      few.calls.few = usual.target.decodeRows;
      forms.push_back({&few, kinds.few});
    }
    if (!kinds.brief.empty() && kinds.briefKeys > 0) {
      brief.calls.rows = usual.calls.rows;
      brief.calls.mostKeys = kinds.briefKeys;
      usual.calls.fewestKeys = kinds.briefKeys + 1;
      forms.push_back({&brief, kinds.brief});
    }
    return forms;
  }
  for (Form form : {Form{&usual, kinds.usual}, Form{&few, kinds.few}, Form{&brief, kinds.brief}})
    if (bound == form.dataflow)
      return SmallVector<Form, 3>{form};
  return usual.pattern.emitError() << "[SA0205] 'dataflow' is bound to '" << bound << "', but for this target @"
                                   << usual.pattern.getSymName() << " has " << quotedKinds(kinds)
                                   << " alone: bind one of these, or leave it out";
}

} // namespace sattn::lower

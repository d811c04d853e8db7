// Finds branches that share keys; see SharedKeys.h.
#include "lib/transforms/SharedKeys.h"
#include "lib/analysis/SpecialiseSet.h"

namespace sattn {

// Over single rows and keys, without tables.
static bool isOfTokens(SetOp set) {
  return set && set.getTables().empty() && !set.getFormula().getRow().isBlocks() &&
         !set.getFormula().getKey().isBlocks();
}

// The formula beside the selection in a normal set; null where there is none.
static SetOp formulaBeside(Value set) {
  auto both = set.getDefiningOp<IntersectOp>();
  SetOp formula;
  bool selects = false;
  for (Value part : both ? both.getSets() : mlir::ValueRange()) {
    selects |= isa<SelectOp>(part.getDefiningOp());
    if (auto found = part.getDefiningOp<SetOp>())
      formula = found;
  }
  return selects ? formula : SetOp();
}

// What lies in `a` and not in `b`.
static FailureOr<KeySetAttr> difference(KeySetAttr a, KeySetAttr b) {
  std::string error;
  return canonicalKeySet(a.getContext(), a.getRow(), a.getKey(),
                         nodeExpr(ExprKind::And, {a.getCondition(), nodeExpr(ExprKind::Not, {b.getCondition()})}),
                         error);
}

std::optional<SharedKeys> sharedKeys(AccumulateOp selected) {
  SetOp among = formulaBeside(selected.getSet());
  if (!isOfTokens(among) || selected.getHow() != AccumulateKind::Softmax || selected.getPerBlock())
    return std::nullopt;
  for (auto other : selected->getBlock()->getOps<AccumulateOp>()) {
    auto within = other.getSet().getDefiningOp<SetOp>();
    if (!isOfTokens(within) || other.getHow() != AccumulateKind::Softmax || other.getZ() != selected.getZ() ||
        other.getV() != selected.getV())
      continue;
    auto outside = difference(within.getFormula(), among.getFormula());
    auto beyond = difference(among.getFormula(), within.getFormula());
    if (succeeded(outside) && isEmpty(*outside) && succeeded(beyond))
      return SharedKeys{other, *beyond};
  }
  return std::nullopt;
}

double meanKeys(AccumulateOp op, int64_t keys) {
  SetBindings bindings;
  for (auto param : op->getParentOfType<PatternOp>().getParams().getAsRange<ParamAttr>())
    if (ExprAttr value = param.getDefaultValue(); value && value.is(ExprKind::Int))
      bindings.defaults[param.getName()] = value.getValue();
  std::string error;
  auto set = specialiseSet(op.getSet().getDefiningOp<SetOp>().getFormula(), bindings, error);
  if (failed(set))
    return 0;
  SmallVector<int64_t> values;
  for (const quasi::SymbolInfo &symbol : set->symbols()) {
    if (!symbol.defaultValue)
      return 0;
    values.push_back(*symbol.defaultValue);
  }
  // Every so many-th row and key.
  constexpr int64_t most = 64;
  int64_t step = std::max<int64_t>(keys / most, 1), rows = 0, seen = 0;
  for (int64_t row = step / 2; row < keys; row += step, ++rows)
    for (int64_t key = step / 2; key < keys; key += step)
      seen += set->contains(row, key, values);
  return static_cast<double>(seen * step) / static_cast<double>(std::max<int64_t>(rows, 1));
}

} // namespace sattn

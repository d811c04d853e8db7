// What each op checks on its own, without facts: operand counts, words that need or refuse a clause, formulas that are
// well formed. What depends on other values is checked by the facts pass (Facts.h).
#include "dialects/pattern/KeySet.h"

namespace sattn {

/// Every load names one of the table operands, and every operand is loaded.
static LogicalResult verifyTables(Operation *op, ExprAttr formula, mlir::OperandRange tables) {
  SmallVector<bool> used(tables.size(), false);
  LogicalResult ok = success();
  walkExpr(formula, [&](ExprAttr e) {
    if (e.is(ExprKind::Table)) {
      if (e.getValue() < 0 || size_t(e.getValue()) >= tables.size())
        ok = op->emitOpError() << "[SA0136] formula loads table " << e.getValue() << " but the op has " << tables.size()
                               << " tables: add the operand";
      else
        used[e.getValue()] = true;
    }
    return succeeded(ok);
  });
  if (succeeded(ok) && llvm::is_contained(used, false))
    return op->emitOpError() << "[SA0136] has a table that its formula never loads: remove the operand";
  return ok;
}

LogicalResult SetOp::verify() {
  KeySetAttr set = getFormula();
  AxisAttr row = set.getRow(), key = set.getKey();
  if (!row.isRow() || !key.isKey())
    return emitOpError() << "[SA0107] set is over " << domainText(set)
                         << ": the row position (t or u) comes first, then the key position (s or c)";
  std::string error;
  auto canonical = canonicalKeySet(getContext(), row, key, set.getCondition(), error);
  if (failed(canonical))
    return emitOpError() << error;
  if (isEmpty(*canonical))
    return emitOpError("[SA0113] set is empty: its conditions contradict each other, loosen one");
  if (*canonical != set)
    return emitOpError("[SA0136] formula is not in canonical form: make it with canonicalKeySet");
  return verifyTables(*this, set.getCondition(), getTables());
}

static LogicalResult verifyOperandCount(Operation *op, StringRef what) {
  if (op->getNumOperands() >= 2)
    return success();
  return op->emitOpError() << "[SA0135] has " << op->getNumOperands() << " " << what << ": it joins at least two";
}
LogicalResult UnionOp::verify() { return verifyOperandCount(*this, "sets"); }
LogicalResult IntersectOp::verify() { return verifyOperandCount(*this, "sets"); }
LogicalResult MinusOp::verify() { return verifyOperandCount(*this, "sets"); }
LogicalResult MergeOp::verify() { return verifyOperandCount(*this, "partial results"); }

LogicalResult SelectOp::verify() {
  if (!getTopAttr() && !getAboveAttr() && !getMassAttr())
    return emitOpError("[SA0127] select needs 'top(n)', 'above(threshold)' or 'mass(p)'");
  return success();
}

LogicalResult SummarizeOp::verify() {
  bool needs = getHow() == SummaryKind::Weighted || getHow() == SummaryKind::Linear;
  if (bool(getWeight()) == needs)
    return success();
  return emitOpError() << "[SA0135] '" << stringifySummaryKind(getHow()) << "' "
                       << (needs ? "needs weights: add 'by %w'" : "takes no weights: remove 'by'");
}

LogicalResult EncodeOp::verify() {
  bool needs = getHow() == CodeKind::Buckets;
  if (bool(getLevelsAttr()) == needs)
    return success();
  return emitOpError() << "[SA0135] '" << stringifyCodeKind(getHow()) << "' "
                       << (needs ? "needs its levels: add 'at(lo, 0.0, hi)'" : "takes no levels: remove 'at'");
}

LogicalResult WeighOp::verify() {
  if (getLse() && getHow() == WeighKind::Stickbreak)
    return emitOpError("[SA0131] stick-breaking has no place for an lse: use softmax, or remove 'with'");
  return success();
}

/// A value formula is a float expression over its tables: no conditions, no division by what is never positive.
static LogicalResult verifyValue(Operation *op, ExprAttr formula, mlir::OperandRange tables) {
  LogicalResult ok = success();
  walkExpr(formula, [&](ExprAttr e) {
    bool divides = e.is(ExprKind::FloorDiv) || e.is(ExprKind::Mod);
    if (llvm::is_contained({ExprKind::Le, ExprKind::Eq, ExprKind::And, ExprKind::Or, ExprKind::Not}, e.getKind()) ||
        e.isName("all"))
      ok = op->emitOpError() << "[SA0114] '" << toText(e)
                             << "' is a condition: a value is a number, use max, min or relu";
    else if (divides && literalInt(e.getKids()[1]).value_or(1) <= 0)
      ok = op->emitOpError() << "[SA0110] " << (e.is(ExprKind::Mod) ? "mod" : "floordiv") << " by "
                             << *literalInt(e.getKids()[1]) << ": the divisor must be positive";
    return succeeded(ok);
  });
  return failed(ok) ? ok : verifyTables(op, formula, tables);
}
LogicalResult MapOp::verify() { return verifyValue(*this, getFormula(), getTables()); }
LogicalResult MixOp::verify() { return verifyValue(*this, getFormula(), getTables()); }

} // namespace sattn

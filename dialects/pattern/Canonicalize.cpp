// Canonicalisations: sets joined flat and without repetition, words that say nothing dropped. None changes a number,
// and none leaves a param or role idle.
#include "dialects/pattern/KeySet.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/SetVector.h"

namespace sattn {

// ---- Sets

/// True if the set of every key over this domain can go from an intersection because another formula over the same
/// domain stays; otherwise it may be what brings blocks to tokens.
static bool isIdleAll(Value set, ArrayRef<Value> others) {
  auto all = set.getDefiningOp<SetOp>();
  if (!all || !isAll(all.getFormula()))
    return false;
  return llvm::any_of(others, [&](Value other) {
    auto formula = other.getDefiningOp<SetOp>();
    return formula && formula != all && formula.getFormula().getRow() == all.getFormula().getRow() &&
           formula.getFormula().getKey() == all.getFormula().getKey();
  });
}

/// The operands of a union or intersection with those of nested ones in place, each once.
template <typename OpT> static SmallVector<Value> flatOperands(OpT op) {
  llvm::SetVector<Value> flat;
  for (Value set : op.getSets()) {
    auto nested = set.template getDefiningOp<OpT>();
    if (nested)
      flat.insert_range(nested.getSets());
    else
      flat.insert(set);
  }
  return flat.takeVector();
}

static LogicalResult replaceOperands(Operation *op, ArrayRef<Value> sets, mlir::PatternRewriter &rewriter) {
  if (llvm::equal(sets, op->getOperands()))
    return failure();
  if (sets.size() == 1)
    rewriter.replaceOp(op, sets.front());
  else
    rewriter.modifyOpInPlace(op, [&] { op->setOperands(sets); });
  return success();
}

LogicalResult UnionOp::canonicalize(UnionOp op, mlir::PatternRewriter &rewriter) {
  return replaceOperands(op, flatOperands(op), rewriter);
}

LogicalResult IntersectOp::canonicalize(IntersectOp op, mlir::PatternRewriter &rewriter) {
  SmallVector<Value> sets = flatOperands(op);
  for (size_t i = 0; i < sets.size();) {
    Value set = sets[i];
    bool idle = isIdleAll(set, sets);
    if (idle)
      sets.erase(sets.begin() + i);
    else
      ++i;
  }
  return replaceOperands(op, sets, rewriter);
}

LogicalResult MinusOp::canonicalize(MinusOp op, mlir::PatternRewriter &rewriter) {
  // (a - b) - c is a - b - c; what is taken away counts once.
  llvm::SetVector<Value> taken;
  Value from = op.getSets().front();
  if (auto nested = from.getDefiningOp<MinusOp>()) {
    from = nested.getSets().front();
    taken.insert_range(nested.getSets().drop_front());
  }
  taken.insert_range(op.getSets().drop_front());
  SmallVector<Value> sets{from};
  sets.append(taken.begin(), taken.end());
  if (llvm::equal(sets, op.getSets()))
    return failure();
  rewriter.modifyOpInPlace(op, [&] { op->setOperands(sets); });
  return success();
}

// ---- Words that say nothing

LogicalResult ScoreOp::canonicalize(ScoreOp op, mlir::PatternRewriter &rewriter) {
  ExprAttr scale = op.getScaleAttr();
  if (!scale || !(scale.isInt(1) || (scale.is(ExprKind::Float) && scale.getFloat() == 1)))
    return failure();
  rewriter.modifyOpInPlace(op, [&] { op.removeScaleAttr(); });
  return success();
}

LogicalResult SummarizeOp::canonicalize(SummarizeOp op, mlir::PatternRewriter &rewriter) {
  // The mean, sum, minimum or maximum of one row is the row.
  bool plain =
      llvm::is_contained({SummaryKind::Mean, SummaryKind::Sum, SummaryKind::Min, SummaryKind::Max}, op.getHow());
  auto role = dyn_cast<mlir::BlockArgument>(op.getX());
  auto pattern = dyn_cast<PatternOp>(op->getParentOp());
  if (!plain || !op.getLen().isInt(1) || op.getStrideAttr() || !role || !pattern ||
      role.getArgNumber() >= pattern.getRoles().size())
    return failure();
  auto axes = cast<RoleAttr>(pattern.getRoles()[role.getArgNumber()]).getAxes();
  auto position = llvm::find_if(axes, [](AxisAttr axis) { return axis.isPosition(); });
  if (position == axes.end() || position->kind() != AxisKind::Rows)
    return failure();
  rewriter.replaceOp(op, op.getX());
  return success();
}

mlir::OpFoldResult MapOp::fold(FoldAdaptor) { return getFormula().isName("z") ? getZ() : Value(); }

mlir::OpFoldResult MixOp::fold(FoldAdaptor) {
  ExprAttr formula = getFormula();
  bool copies = formula.is(ExprKind::Table) && formula.getKids().empty() && getTables().size() == 1;
  return copies ? getTables().front() : Value();
}

mlir::OpFoldResult GatherOp::fold(FoldAdaptor) {
  auto scattered = getX().getDefiningOp<ScatterOp>();
  return scattered && scattered.getRows() == getRows() ? scattered.getX() : Value();
}

} // namespace sattn

// Facts of tensors: summaries, codes, prefixes, routed rows, and combinations of outputs.
#include "dialects/pattern/FactsPass.h"

namespace sattn {

/// Replaces the first axis that `predicate` takes.
template <typename PredicateT>
static void replaceAxis(SmallVectorImpl<AxisAttr> &axes, PredicateT predicate, AxisAttr by) {
  auto found = llvm::find_if(axes, predicate);
  if (found != axes.end())
    *found = by;
}

FailureOr<Facts> FactsPass::visit(SummarizeOp op) {
  Facts facts = of(op.getX());
  AxisAttr position = facts.position();
  if (!position || position.isBlocks())
    return error(op, op.getX()) << "[SA0135] only tokens or rows can be summarized: the operand has "
                                << (position ? "blocks '" + toText(position) + "'" : std::string("no position axis"))
                                << ", pass a role over s or t";
  if (facts.minmax)
    return error(op, op.getX()) << "[SA0118] operand is a minmax summary: only sattn.score bound reads it";
  bool ofRows = position.kind() == AxisKind::Rows;
  AxisAttr summary =
      AxisAttr::blocks(op.getContext(), ofRows ? "u" : "c", op.getLen(), op.getStrideAttr(), op.getRagged());
  if (failed(blocks(op, summary)))
    return failure();
  if (op.getRagged() && ofRows)
    return error(op) << "[SA0135] row blocks always cover the last rows: remove 'ragged'";
  if (op.getRagged() && summary.overlaps())
    return error(op) << "[SA0135] ragged blocks must be disjoint: '" << toText(summary) << "' overlap, remove 'ragged'";
  if (ofRows)
    summary = rowBlocks(op.getLen());
  replaceAxis(facts.axes, [&](AxisAttr axis) { return axis == position; }, summary);
  facts.minmax = op.getHow() == SummaryKind::Minmax;
  facts.isInt = false;
  if (integerLevels(facts.code)) // sums of rows with scales of their own
    facts.code = std::nullopt;
  return facts;
}

FailureOr<Facts> FactsPass::visit(EncodeOp op) {
  Facts facts = of(op.getX());
  if (facts.minmax)
    return error(op, op.getX()) << "[SA0118] operand is a minmax summary: only sattn.score bound reads it";
  if (!facts.feature())
    return error(op, op.getX()) << "[SA0135] only rows of features can be encoded: the operand has axes "
                                << axesText(facts.axes) << ", pass a role such as [s, g, D]";
  if (auto levels = op.getLevelsAttr())
    for (ExprAttr level : levels.getAsRange<ExprAttr>())
      if (failed(real(op, level, "at")))
        return failure();
  facts.code = op.getHow();
  return facts;
}

FailureOr<Facts> FactsPass::visit(PrefixOp op) {
  Facts facts = of(op.getX());
  AxisAttr feature = facts.feature();
  if (!feature)
    return error(op, op.getX()) << "[SA0135] operand has no feature axis to take a prefix of: its axes are "
                                << axesText(facts.axes) << ", pass a role such as [s, g, D]";
  if (failed(integer(op, op.getWidth(), "to", 1)) ||
      failed(isStatic(op, op.getWidth(), "[SA0111] param '{}' is the width of a tensor: declare it static")))
    return failure();
  replaceAxis(
      facts.axes, [](AxisAttr axis) { return axis.isFeature(); },
      AxisAttr::blocks(op.getContext(), feature.getName(), op.getWidth()));
  if (integerLevels(facts.code)) // the scale is of the whole row
    facts.code = std::nullopt;
  return facts;
}

FailureOr<Facts> FactsPass::visit(RouteOp op) {
  Facts facts = of(op.getX());
  if (failed(integer(op, op.getTop(), "top", 1)) || failed(integer(op, op.getFirstAttr(), "first", 0)) ||
      failed(integer(op, op.getLastAttr(), "last", 0)))
    return failure();
  if (!facts.position() || facts.feature())
    return error(op, op.getX())
           << "[SA0135] routing needs one number for each position and head, such as [t, h]: the operand "
              "has axes "
           << axesText(facts.axes);
  facts.head = facts.headAxis();
  facts.slots = op.getTop();
  return facts;
}

FailureOr<Facts> FactsPass::visit(GatherOp op) {
  Facts facts = of(op.getX());
  const Facts &rows = of(op.getRows());
  if (facts.headAxis() != rows.head)
    return error(op, op.getRows()) << "[SA0135] rows are chosen for each " << headText(rows.head)
                                   << " but the operand has heads " << headText(facts.headAxis())
                                   << ": route and gather over the same heads";
  if (!facts.position())
    return error(op, op.getX()) << "[SA0135] operand has no position axis to gather along: its axes are "
                                << axesText(facts.axes) << ", pass a role over t";
  facts.gatheredAt = op.getRows();
  return facts;
}

FailureOr<Facts> FactsPass::visit(ScatterOp op) {
  Facts facts = of(op.getX());
  if (facts.gatheredAt != op.getRows())
    return error(op, op.getX())
           << "[SA0134] operand was not gathered at these rows: gather and scatter need the same rows";
  facts.gatheredAt = Value();
  return facts;
}

FailureOr<Facts> FactsPass::visit(SmoothOp op) {
  Facts facts = of(op.getX());
  if (!facts.position())
    return error(op, op.getX()) << "[SA0135] operand has no position axis to smooth along: its axes are "
                                << axesText(facts.axes) << ", pass a role over s or t";
  if (failed(integer(op, op.getWidth(), "width", 1)))
    return failure();
  if (auto width = literalInt(op.getWidth()); width && *width % 2 == 0)
    return error(op) << "[SA0135] 'width(" << *width << ")' is even: centred pooling needs an odd width";
  return facts;
}

FailureOr<Facts> FactsPass::visit(MixOp op) {
  ExprAttr formula = op.getFormula();
  // The result stands where the outputs do: operands that are used whole.
  Value whole;
  LogicalResult ok = success();
  walkExpr(formula, [&](ExprAttr e) {
    if (failed(ok) || !e.is(ExprKind::Table) || !e.getKids().empty())
      return succeeded(ok);
    Value operand = op.getTables()[e.getValue()];
    const Facts &facts = of(operand);
    if (!whole) {
      whole = operand;
      return true;
    }
    const Facts &known = of(whole);
    if (facts.gatheredAt != known.gatheredAt) {
      ok = error(op, operand) << "[SA0134] one operand is gathered and the other is not: gather both at the same rows";
    } else if (facts.feature() && known.feature() && facts.feature() != known.feature()) {
      ok = error(op, operand) << "[SA0135] outputs have different feature axes '" << toText(known.feature())
                              << "' and '" << toText(facts.feature()) << "': mix outputs of the same values";
    } else if (facts.position() != known.position() || facts.headAxis() != known.headAxis()) {
      ok = error(op, operand) << "[SA0135] outputs have different rows or heads: " << axesText(known.axes) << " and "
                              << axesText(facts.axes) << ", mix outputs of the same queries";
    }
    if (facts.feature() && !known.feature())
      whole = operand;
    return succeeded(ok);
  });
  if (failed(ok))
    return failure();
  if (!whole)
    return error(op) << "[SA0135] mixes no output: use at least one operand without an index";
  Facts facts = of(whole);
  if (facts.minmax)
    return error(op, whole) << "[SA0118] operand is a minmax summary: only sattn.score bound reads it";

  SmallVector<StringRef> scope;
  for (AxisAttr axis : facts.axes)
    if (axis.isPosition() || axis.isHead())
      scope.push_back(axis.getName());
  if (failed(calls(op, formula, /*positions=*/false, /*values=*/true)) || failed(names(op, formula, scope)) ||
      failed(tables(op, formula, op.getTables(), /*bareAllowed=*/true)))
    return failure();
  facts.isInt = false;
  facts.code = std::nullopt;
  return facts;
}

} // namespace sattn

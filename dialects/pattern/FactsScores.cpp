// Facts of scores, and how sets, rows and heads must fit them: constraints (C17) to (C26), (C31), (C34).
#include "dialects/pattern/FactsPass.h"
#include "dialects/pattern/Functions.h"

namespace sattn {

LogicalResult FactsPass::fits(Operation *op, Value setValue, Value scoreValue, bool lift) {
  const Facts &set = of(setValue), &score = of(scoreValue);
  bool liftsRows = lift && set.row.kind() == AxisKind::RowBlocks && score.row.kind() == AxisKind::Rows;
  if (!set.row.sameBlocks(score.row) && !liftsRows)
    return error(op, setValue) << "[SA0122] set has rows '" << toText(set.row) << "' but the score has rows '"
                               << toText(score.row) << "': use the same rows";
  if (!set.key.sameBlocks(score.key)) {
    bool toTokens = set.key.kind() == AxisKind::KeyBlocks && score.key.kind() == AxisKind::Keys;
    if (toTokens && lift && set.key.overlaps())
      return error(op, setValue) << "[SA0123] blocks '" << toText(set.key)
                                 << "' overlap, so a key could be visited twice: rebin the score to disjoint blocks "
                                    "before selecting";
    if (!toTokens && set.key.kind() == AxisKind::Keys)
      return error(op, setValue) << "[SA0121] score has one column for each block '" << toText(score.key)
                                 << "' but the set is over tokens '" << toText(set.key)
                                 << "': say when a block is visible with first(c) or last(c) in a set over ("
                                 << toText(score.row) << ", " << toText(score.key) << ")";
    if (!toTokens || !lift)
      return error(op, setValue) << "[SA0122] set is over '" << toText(set.key) << "' but the score has columns '"
                                 << toText(score.key) << "': use the same blocks";
  }
  // One set for each query head serves only a score with these heads; one for each kv head serves query heads too.
  bool finer = set.head && (set.head.kind() == AxisKind::QueryHeads || !score.head);
  if (finer && set.head != score.head && set.selected)
    return error(op, setValue) << "[SA0125] selection is made for each " << headText(set.head)
                               << " but the score has heads " << headText(score.head) << ": reduce over "
                               << toText(set.head) << " to g or to one before selecting";
  if (finer && set.head != score.head)
    return error(op, setValue) << "[SA0125] set is made for each " << headText(set.head) << " but the score has heads "
                               << headText(score.head) << ": keep these heads in the score";
  return success();
}

LogicalResult FactsPass::perRow(Operation *op, Value lse, const Facts &score) {
  const Facts &facts = of(lse);
  SmallVector<AxisAttr> axes{score.row};
  if (score.head)
    axes.push_back(score.head);
  if (facts.axes == ArrayRef<AxisAttr>(axes) && facts.gatheredAt == score.gatheredAt)
    return success();
  return error(op, lse) << "[SA0135] lse needs one number for each row and head, axes " << axesText(axes)
                        << ": the operand has " << axesText(facts.axes);
}

LogicalResult FactsPass::sameRows(Operation *op, Value a, Value b) {
  if (of(a).gatheredAt == of(b).gatheredAt)
    return success();
  return error(op, of(a).gatheredAt ? b : a)
         << "[SA0134] one operand is gathered and the other is not: gather both at the same rows";
}

FailureOr<Facts> FactsPass::visit(ScoreOp op) {
  const Facts &q = of(op.getQ()), &k = of(op.getK());
  if (failed(real(op, op.getScaleAttr(), "scale")))
    return failure();
  AxisAttr row = q.position(), key = k.position();
  if (!row || !row.isRow())
    return error(op, op.getQ())
           << "[SA0117] first operand has no row axis: queries are over t or u, keys over s or c, swap the operands";
  if (!key || !key.isKey())
    return error(op, op.getK()) << "[SA0117] second operand has no key axis: keys are over s or c";
  if (!q.feature() || q.feature() != k.feature()) {
    auto text = [](AxisAttr axis) { return axis ? "feature axis '" + toText(axis) + "'" : "no feature axis"; };
    return error(op, op.getK()) << "[SA0117] queries have " << text(q.feature()) << " but keys have "
                                << (k.feature() ? "'" + toText(k.feature()) + "'" : "none")
                                << ": a dot product needs the same axis";
  }
  if (q.minmax)
    return error(op, op.getQ())
           << "[SA0118] operand is a minmax summary: only the keys of sattn.score bound can be one";
  if (k.minmax != (op.getHow() == ScoreKind::Bound))
    return error(op, op.getK()) << (k.minmax ? "[SA0118] keys are a minmax summary: score them with 'bound'"
                                             : "[SA0118] 'bound' needs a minmax summary: use sattn.summarize minmax");
  if (op.getHow() == ScoreKind::L1 && (q.code != CodeKind::Buckets || k.code != CodeKind::Buckets))
    return error(op, q.code != CodeKind::Buckets ? op.getQ() : op.getK())
           << "[SA0118] 'l1' compares codes: encode both operands with 'buckets'";
  if (failed(sameRows(op, op.getQ(), op.getK())))
    return failure();
  AxisAttr head = q.headAxis(), keyHead = k.headAxis();
  if (!head && keyHead)
    return error(op, op.getQ()) << "[SA0117] keys have heads " << headText(keyHead)
                                << " but queries have none: add a head axis to the queries";
  if (head && keyHead && head.kind() == AxisKind::KvHeads && keyHead.kind() == AxisKind::QueryHeads)
    return error(op, op.getK()) << "[SA0117] keys have query heads " << headText(keyHead)
                                << " but queries have kv heads " << headText(head)
                                << ": a key head serves a group of query heads, swap the operands";
  Facts facts;
  facts.row = row;
  facts.key = key;
  facts.head = head;
  facts.gatheredAt = q.gatheredAt;
  return facts;
}

FailureOr<Facts> FactsPass::visit(MapOp op) {
  Facts facts = of(op.getZ());
  ExprAttr formula = op.getFormula();
  if (!mentionsName(formula, "z"))
    return error(op) << "[SA0119] formula does not use the score 'z': it would be the same for every key content";
  if (facts.probability)
    return error(op, op.getZ()) << "[SA0120] probabilities cannot be mapped: map the score before sattn.normalize";
  SmallVector<StringRef> scope{"z", facts.row.getName(), facts.key.getName()};
  if (facts.head)
    scope.push_back(facts.head.getName());
  if (failed(names(op, formula, scope)) || failed(calls(op, formula, /*positions=*/true, /*values=*/true)) ||
      failed(tables(op, formula, op.getTables(), /*bareAllowed=*/false)))
    return failure();
  if (expandedTerms(op, formula) > maxExpandedTerms)
    return error(op) << "[SA0137] formula has more than " << maxExpandedTerms
                     << " terms with the formulas of the functions that it calls: call them less deeply";
  return facts;
}

FailureOr<Facts> FactsPass::visit(NormalizeOp op) {
  Facts facts = of(op.getZ());
  if (facts.probability)
    return error(op, op.getZ()) << "[SA0120] score is already a probability: normalize the score itself";
  if (failed(fits(op, op.getSet(), op.getZ())) || (op.getLse() && failed(perRow(op, op.getLse(), facts))))
    return failure();
  facts.probability = true;
  return facts;
}

FailureOr<Facts> FactsPass::visit(ReduceOp op) {
  Facts facts = of(op.getZ());
  StringRef to = op.getTo();
  if (!facts.head || facts.head.getName() != op.getFrom())
    return error(op, op.getZ()) << "[SA0126] score has heads " << headText(facts.head) << ", not '" << op.getFrom()
                                << "': reduce over those it has";
  if (to == "one") {
    facts.head = AxisAttr();
    return facts;
  }
  if (axisKindOf(to) != AxisKind::KvHeads || facts.head.kind() != AxisKind::QueryHeads)
    return error(op) << "[SA0126] heads '" << op.getFrom() << "' are reduced to '" << to
                     << "': write g (one for each kv head, from query heads) or one";
  if (!heads.contains(to))
    return error(op) << "[SA0126] heads are reduced to '" << to
                     << "' but no role has that axis: reduce to g of a role, or to one";
  facts.head = AxisAttr::named(op.getContext(), to);
  return facts;
}

FailureOr<Facts> FactsPass::visit(RebinOp op) {
  Facts facts = of(op.getZ());
  if (facts.key.kind() != AxisKind::KeyBlocks)
    return error(op, op.getZ())
           << "[SA0135] score has one column for each token: only scores of blocks can be rebinned, score a summary";
  // Every block that holds a key is a column, the last one too.
  AxisAttr key = AxisAttr::blocks(op.getContext(), facts.key.getName(), op.getBlock(), op.getBlock(), /*ragged=*/true);
  if (failed(blocks(op, key)))
    return failure();
  auto target = literalInt(op.getBlock()), stride = literalInt(facts.key.getStride());
  if (target && stride && *target % *stride)
    return error(op, op.getZ()) << "[SA0135] blocks of " << *target << " are not whole strides of the source blocks '"
                                << toText(facts.key) << "': use a multiple of " << *stride;
  facts.key = key;
  return facts;
}

FailureOr<Facts> FactsPass::visit(ColsumOp op) {
  const Facts &p = of(op.getP());
  if (!p.probability)
    return error(op, op.getP()) << "[SA0120] column sums are of probabilities: use sattn.normalize first";
  if (failed(fits(op, op.getSet(), op.getP())))
    return failure();
  Facts facts;
  facts.axes = {p.key};
  if (p.head)
    facts.axes.push_back(p.head);
  return facts;
}

FailureOr<Facts> FactsPass::visit(WeighOp op) {
  const Facts &set = of(op.getSet()), &z = of(op.getZ());
  if (!set.selection)
    return error(op, op.getSet()) << "[SA0131] weights exist only for selected blocks: the set is "
                                  << (set.selected ? "not one selection" : "static") << ", make it with sattn.select";
  if (z.probability)
    return error(op, op.getZ()) << "[SA0120] score is already a probability: weigh the score itself";
  if (failed(fits(op, op.getSet(), op.getZ(), /*lift=*/false)) || (op.getLse() && failed(perRow(op, op.getLse(), z))))
    return failure();
  Facts facts;
  facts.axes = {z.row};
  if (z.head)
    facts.axes.push_back(z.head);
  facts.gatheredAt = z.gatheredAt;
  facts.selection = set.selection;
  facts.slots = set.slots;
  facts.variableSlots = set.variableSlots;
  facts.extraSlot = op.getLse() != nullptr;
  return facts;
}

} // namespace sattn

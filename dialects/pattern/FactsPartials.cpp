// Facts of partial results and what is made of them: constraints (C20), (C28) to (C33).
#include "dialects/pattern/FactsPass.h"

namespace sattn {

FailureOr<Facts> FactsPass::output(Operation *op, Value scoreValue, Value setValue, Value values) {
  const Facts &score = of(scoreValue), &v = of(values);
  if (score.probability)
    return error(op, scoreValue) << "[SA0120] score is already a probability: "
                                 << (isa<AttendOp>(op) ? "attend" : "accumulate") << " with the score itself";
  if (failed(fits(op, setValue, scoreValue)))
    return failure();
  AxisAttr position = v.position();
  if (!position || !position.sameBlocks(score.key))
    return error(op, values) << "[SA0128] values are over '" << (position ? toText(position) : "nothing")
                             << "' but the score has columns '" << toText(score.key)
                             << "': give the values of the same keys";
  if (!v.feature())
    return error(op, values) << "[SA0128] values have no feature axis: pass a role such as [s, g, Dv]";
  if (v.minmax)
    return error(op, values) << "[SA0128] operand is a minmax summary: only sattn.score bound reads it";
  if (failed(sameRows(op, scoreValue, values)))
    return failure();
  AxisAttr head = v.headAxis();
  if (head && (!score.head || (head.kind() == AxisKind::QueryHeads && score.head.kind() == AxisKind::KvHeads)))
    return error(op, values) << "[SA0128] values have heads " << headText(head) << " but the score has heads "
                             << headText(score.head) << ": a value head serves a group of score heads";
  Facts facts;
  facts.axes = {score.row};
  if (score.head)
    facts.axes.push_back(score.head);
  facts.axes.push_back(v.feature());
  facts.gatheredAt = score.gatheredAt;
  return facts;
}

LogicalResult FactsPass::sink(Operation *op, Value logits, AxisAttr head) {
  if (!logits)
    return success();
  const Facts &facts = of(logits);
  AxisAttr axis = head ? head : AxisAttr::fixed(op->getContext(), 1);
  if (facts.axes.size() == 1 && facts.axes[0] == axis && !facts.isInt)
    return success();
  return error(op, logits) << "[SA0133] sink logits need one number for each head: declare the role as ["
                           << toText(axis) << "]";
}

FailureOr<Facts> FactsPass::visit(AccumulateOp op) {
  const Facts &set = of(op.getSet());
  if (op.getPerBlock() && !of(op.getZ()).probability) {
    if (!set.selection)
      return error(op, op.getSet()) << "[SA0129] 'per block' needs a selection of blocks: the set is "
                                    << (set.selected ? "not one selection" : "static");
    if (of(set.selection).key.kind() != AxisKind::KeyBlocks)
      return error(op, op.getSet())
             << "[SA0129] 'per block' needs a selection of blocks: the set selects tokens, select from c(l)";
  }
  auto facts = output(op, op.getZ(), op.getSet(), op.getV());
  if (failed(facts))
    return failure();
  facts->linear = op.getHow() == AccumulateKind::Linear;
  if (op.getPerBlock()) {
    facts->perBlock = true;
    facts->selection = set.selection;
    facts->slots = set.slots;
    facts->variableSlots = set.variableSlots;
  }
  return facts;
}

FailureOr<Facts> FactsPass::visit(AttendOp op) {
  auto facts = output(op, op.getZ(), op.getSet(), op.getV());
  if (failed(facts) || failed(sink(op, op.getSink(), of(op.getZ()).head)))
    return failure();
  return facts;
}

FailureOr<Facts> FactsPass::visit(ReopenOp op) {
  Facts facts = of(op.getO());
  if (!facts.feature() || !facts.position() || !facts.position().isRow())
    return error(op, op.getO()) << "[SA0135] output needs rows and features, such as [t, h, Dv]: the operand has axes "
                                << axesText(facts.axes);
  Facts row;
  row.row = facts.position();
  row.head = facts.headAxis();
  row.gatheredAt = facts.gatheredAt;
  if (failed(perRow(op, op.getLse(), row)))
    return failure();
  return facts;
}

FailureOr<Facts> FactsPass::visit(MergeOp op) {
  Facts facts = of(op.getParts().front());
  for (Value part : op.getParts()) {
    const Facts &other = of(part);
    if (other.perBlock)
      return error(op, part) << "[SA0130] partial result is per block: combine it with sattn.blend";
    if (other.axes != facts.axes)
      return error(op, part) << "[SA0135] partial results differ in their axes: " << axesText(facts.axes) << " and "
                             << axesText(other.axes) << ", merge results of the same queries and values";
    if (other.gatheredAt != facts.gatheredAt)
      return error(op, part) << "[SA0134] one operand is gathered and the other is not: gather both at the same rows";
    facts.linear &= other.linear;
  }
  return facts;
}

FailureOr<Facts> FactsPass::visit(FinalizeOp op) {
  Facts facts = of(op.getP());
  if (facts.perBlock)
    return error(op, op.getP()) << "[SA0130] partial result is per block: combine it with sattn.blend";
  if (failed(sink(op, op.getSink(), facts.headAxis())))
    return failure();
  facts.linear = false;
  return facts;
}

FailureOr<Facts> FactsPass::visit(LseOp op) {
  Facts facts = of(op.getP());
  if (facts.perBlock)
    return error(op, op.getP())
           << "[SA0130] partial result is per block: it has one lse for each block, use sattn.blend";
  if (facts.linear)
    return error(op, op.getP()) << "[SA0135] linear partial results have no lse: accumulate softmax";
  llvm::erase_if(facts.axes, [](AxisAttr axis) { return axis.isFeature(); });
  return facts;
}

FailureOr<Facts> FactsPass::visit(BlendOp op) {
  Facts facts = of(op.getP());
  const Facts &w = of(op.getW());
  if (!facts.perBlock)
    return error(op, op.getP())
           << "[SA0130] partial result is not per block: use sattn.finalize, or accumulate 'per block'";
  if (!w.selection)
    return error(op, op.getW())
           << "[SA0131] operand has no weight for each slot: make it with sattn.weigh over the same selection";
  if (w.selection != facts.selection)
    return error(op, op.getW())
           << "[SA0131] weights are for another selection than the partial results: use the same selection";
  if (w.extraSlot != bool(op.getRest()))
    return error(op, op.getW())
           << (w.extraSlot ? "[SA0132] weights have a slot for the lse given to sattn.weigh: add 'and %o' with its "
                             "output"
                           : "[SA0132] weights have no slot for a further output: give its lse to sattn.weigh with "
                             "'with'");
  if (op.getRest() && of(op.getRest()).axes != facts.axes)
    return error(op, op.getRest()) << "[SA0132] further output has axes " << axesText(of(op.getRest()).axes)
                                   << " but the partial results have " << axesText(facts.axes)
                                   << ": use the same rows, heads and features";
  facts.perBlock = false;
  facts.linear = false;
  facts.selection = Value();
  facts.slots = ExprAttr();
  facts.variableSlots = false;
  return facts;
}

} // namespace sattn

// Facts of key sets: formulas, lists, algebra with lifting of blocks to tokens, selections.
#include "dialects/pattern/FactsPass.h"
#include "llvm/ADT/StringExtras.h"

namespace sattn {

FailureOr<Facts> FactsPass::visit(SetOp op) {
  Facts facts;
  KeySetAttr set = op.getFormula();
  facts.row = set.getRow();
  facts.key = set.getKey();
  facts.readsTables = !op.getTables().empty();
  if (failed(blocks(op, facts.row)) || failed(blocks(op, facts.key)))
    return failure();

  SmallVector<StringRef> scope{facts.row.getName(), facts.key.getName()};
  for (const auto &head : heads)
    scope.push_back(head.getKey());
  ExprAttr condition = set.getCondition();
  if (failed(calls(op, condition, /*positions=*/true, /*values=*/false)) || failed(names(op, condition, scope)) ||
      failed(tables(op, condition, op.getTables(), /*bareAllowed=*/false)) || failed(factors(op, condition)))
    return failure();
  for (Value table : op.getTables())
    if (!of(table).isInt)
      return error(op, table)
             << "[SA0115] table of a set holds floats: a set compares integers, declare the role as int"
             << axesText(of(table).axes);

  // A formula over a head makes one set for each such head.
  llvm::StringSet<> mentioned;
  walkExpr(condition, [&](ExprAttr e) {
    if (e.is(ExprKind::Name))
      mentioned.insert(e.getText());
    return !(e.is(ExprKind::Call) && e.getText() == "size");
  });
  for (const auto &head : heads) {
    if (!mentioned.contains(head.getKey()))
      continue;
    if (facts.head && facts.head.getName() != head.getKey())
      return error(op) << "[SA0125] set depends on heads " << headText(facts.head) << " and '" << head.getKey()
                       << "': split it into one set for each";
    facts.head = AxisAttr::named(op.getContext(), head.getKey());
  }
  return facts;
}

FailureOr<Facts> FactsPass::visit(RandomOp op) {
  Facts facts;
  facts.row = rowBlocks(op.getBlock());
  facts.key = AxisAttr::blocks(op.getContext(), "c", op.getBlock());
  facts.readsTables = true;
  if (failed(integer(op, op.getCount(), "count", 1)) || failed(integer(op, op.getSeed(), "seed", 0)) ||
      failed(blocks(op, facts.key)))
    return failure();
  return facts;
}

FailureOr<Facts> FactsPass::visit(ListedOp op) {
  const Facts &idx = of(op.getIdx());
  const Facts &owner = op.getPtr() ? of(op.getPtr()) : idx;
  if (!idx.isInt)
    return error(op, op.getIdx()) << "[SA0135] list of blocks is not an int role: declare it as int"
                                  << axesText(idx.axes);
  if (!owner.isInt)
    return error(op, op.getPtr()) << "[SA0135] list of blocks is not an int role: declare it as int"
                                  << axesText(owner.axes);
  if (op.getFlags() && op.getPtr())
    return error(op, op.getPtr())
           << "[SA0135] flags are one for each block, so that nothing is compressed: drop 'rows'";
  AxisAttr row = owner.position();
  if (!row || !row.isRow())
    return error(op, op.getPtr() ? op.getPtr() : op.getIdx())
           << "[SA0135] list has no row axis: declare it over t, or over u(l) for one list a row block";
  Facts facts;
  facts.row = row;
  facts.key = AxisAttr::blocks(op.getContext(), "c", op.getBlock());
  facts.head = idx.headAxis();
  facts.readsTables = true;
  if (failed(blocks(op, facts.key)))
    return failure();
  return facts;
}

LogicalResult FactsPass::joinHeads(Operation *op, mlir::OperandRange sets, Facts &facts) {
  for (Value set : sets) {
    AxisAttr head = of(set).head;
    if (!head || head == facts.head)
      continue;
    // Query heads are finer than kv heads; two different head axes of one kind do not meet.
    if (facts.head && head.kind() == facts.head.kind())
      return error(op, set) << "[SA0125] sets are made for each " << headText(facts.head) << " and for each "
                            << headText(head) << ": reduce both to the same heads";
    if (!facts.head || head.kind() == AxisKind::QueryHeads)
      facts.head = head;
  }
  return success();
}

FailureOr<Facts> FactsPass::algebra(Operation *op, mlir::OperandRange sets) {
  Facts facts = of(sets.front());
  facts.head = AxisAttr();
  bool tokens = llvm::any_of(sets, [&](Value set) { return of(set).key.kind() == AxisKind::Keys; });
  bool rows = llvm::any_of(sets, [&](Value set) { return !of(set).row.sameBlocks(facts.row); });
  for (Value set : sets) {
    const Facts &other = of(set);
    bool isBlocks = other.key.kind() == AxisKind::KeyBlocks;
    if (tokens && isBlocks && other.key.overlaps())
      return error(op, set) << "[SA0123] blocks '" << toText(other.key)
                            << "' overlap, so a key could be visited twice: rebin the score to disjoint blocks before "
                               "selecting";
    if (!tokens && !other.key.sameBlocks(facts.key))
      return error(op, set) << "[SA0124] sets are over different blocks '" << toText(facts.key) << "' and '"
                            << toText(other.key)
                            << "': bring one of them to tokens by intersecting it with a set over (t, s)";
  }
  // Rows and keys of different grain meet at single rows and tokens.
  if (rows)
    facts.row = AxisAttr::named(op->getContext(), "t");
  if (tokens)
    facts.key = AxisAttr::named(op->getContext(), "s");
  if (failed(joinHeads(op, sets, facts)))
    return failure();

  // The slots of one selection survive where the others only take keys away.
  Value selection = isa<UnionOp>(op) ? Value() : facts.selection;
  unsigned withSlots = 0;
  for (Value set : sets) {
    const Facts &other = of(set);
    facts.selected |= other.selected;
    facts.readsTables |= other.readsTables;
    if (!other.selected || isa<UnionOp>(op) || (isa<MinusOp>(op) && set != sets.front()))
      continue;
    ++withSlots;
    selection = other.selection;
    facts.slots = other.slots;
    facts.variableSlots = other.variableSlots;
  }
  facts.selection = withSlots == 1 ? selection : Value();
  if (!facts.selection) {
    facts.slots = ExprAttr();
    facts.variableSlots = false;
  }
  return facts;
}

// Probabilities of a row sum to one, and so does their mean over heads; no other reduction of them does.
static bool isShare(Value z) {
  while (auto reduce = z.getDefiningOp<ReduceOp>()) {
    if (reduce.getHow() != ReduceKind::Mean)
      return false;
    z = reduce.getZ();
  }
  return z.getDefiningOp<NormalizeOp>() != nullptr;
}

FailureOr<Facts> FactsPass::visit(SelectOp op) {
  const Facts &z = of(op.getZ());
  ExprAttr top = op.getTopAttr(), first = op.getFirstAttr(), last = op.getLastAttr();
  if (failed(integer(op, top, "top", 1)) || failed(real(op, op.getAboveAttr(), "above")) ||
      failed(real(op, op.getMassAttr(), "mass")) || failed(integer(op, first, "first", 0)) ||
      failed(integer(op, last, "last", 0)))
    return failure();
  int64_t forced = literalInt(first).value_or(0), more = literalInt(last).value_or(0);
  if (auto n = literalInt(top); n && forced <= INT64_MAX - more && forced + more > *n)
    return error(op) << "[SA0127] forces " << forced + more << " but selects " << *n
                     << ": forced ones count inside top, raise it or force fewer";
  if (z.key.kind() == AxisKind::KeyBlocks && z.key.overlaps())
    return error(op, op.getZ()) << "[SA0123] blocks '" << toText(z.key)
                                << "' overlap, so a key could be visited twice: rebin the score to disjoint blocks "
                                   "before selecting";
  if (op.getMassAttr() && !isShare(op.getZ()))
    return error(op, op.getZ()) << "[SA0120] mass sums shares of a whole: select from probabilities "
                                   "(sattn.normalize) or their mean over heads";
  if (failed(fits(op, op.getWhere(), op.getZ())) || (op.getForced() && failed(fits(op, op.getForced(), op.getZ()))))
    return failure();
  Facts facts;
  facts.row = z.row;
  facts.key = z.key;
  facts.head = z.head;
  facts.gatheredAt = z.gatheredAt;
  facts.selected = true;
  facts.selection = op.getSet();
  facts.slots = top;
  facts.variableSlots = op.getAboveAttr() || op.getMassAttr();
  return facts;
}

} // namespace sattn

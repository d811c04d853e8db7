// Which selections a pattern has, and what each of them needs.
#include "lib/transforms/kernels/Selection.h"
#include "lib/transforms/kernels/LseKernel.h"
#include "lib/transforms/kernels/SelectKernel.h"
#include <limits>

namespace sattn::lower {
using namespace mlir;

FailureOr<SetParts> partsOf(Context &context, Operation *user, Value set) {
  SetParts parts;
  if (auto either = set.getDefiningOp<UnionOp>()) { // of a formula and random blocks
    parts.beside = either.getSets()[0].getDefiningOp<SetOp>();
    set = either.getSets()[1];
  }
  SmallVector<Value> values{set};
  if (auto both = set.getDefiningOp<IntersectOp>())
    values.assign(both.getSets().begin(), both.getSets().end());
  for (Value value : values) {
    if (auto select = value.getDefiningOp<SelectOp>(); select && !parts.listed)
      parts.select = select;
    else if (auto listed = value.getDefiningOp<ListedOp>(); listed && !parts.select && isa<AccumulateOp>(user))
      parts.listed = listed;
    else if (auto random = value.getDefiningOp<RandomOp>(); random && isa<AccumulateOp>(user))
      parts.random = random;
    else if (auto formula = value.getDefiningOp<SetOp>())
      parts.formula = formula;
    else
      return context.refuse(value.getDefiningOp(),
                            "'" + value.getDefiningOp()->getName().getStringRef() + "' that reads tables or lists");
  }
  if (parts.random)
    for (SetOp formula : {parts.formula, parts.beside})
      if (formula && (!formula.getTables().empty() || formula.getFormula().getRow().isBlocks() ||
                      formula.getFormula().getKey().isBlocks()))
        return context.refuse(formula, "'sattn.set' of blocks or tables beside 'sattn.random'");
  bool ranks = !isa<AccumulateOp>(user);
  if (parts.formula && !parts.formula.getTables().empty() && (ranks || parts.formula.getFormula().getKey().isBlocks()))
    return context.refuse(parts.formula,
                          ranks ? "'sattn.set' that reads tables in '" + user->getName().getStringRef() + "'"
                                : Twine("'sattn.set' of blocks that reads tables beside a selection"));
  return parts;
}

FailureOr<SelectionLists> listsOf(Context &context, ListedOp op) {
  const Facts &facts = context.factsOf(op.getSet());
  auto inner = [](AxisAttr axis) { return axis.isFeature() || axis.isFixed(); };
  if (llvm::count_if(context.factsOf(op.getIdx()).axes, inner) > 1)
    return context.refuse(op, "'sattn.listed' of entries along two axes");
  SelectionLists lists;
  lists.lists = context.role(op.getIdx());
  lists.isRole = true;
  lists.flags = op.getFlags();
  lists.perChunk = false;
  lists.row = facts.row;
  lists.head = facts.head;
  lists.block = facts.key;
  lists.slots = context.innerSize(context.factsOf(op.getIdx()).axes);
  if (op.getPtr()) {
    if (!facts.row.isBlocks())
      return context.refuse(op, "'sattn.listed rows' of single rows");
    if (context.factsOf(op.getPtr()).headAxis() != facts.head)
      return context.refuse(op, "'sattn.listed rows' with starts of other heads");
    lists.starts = context.role(op.getPtr());
  }
  return lists;
}

// Attention over the blocks of a normalised score rides along with its statistics if its result is only finalised.
static bool ridesAlong(AccumulateOp accumulate, NormalizeOp normalize) {
  if (accumulate.getZ() != normalize.getZ() || accumulate.getSet() != normalize.getSet() || accumulate.getPerBlock() ||
      accumulate.getHow() != AccumulateKind::Softmax)
    return false;
  return llvm::all_of(accumulate->getUsers(), [](Operation *user) {
    auto finalize = dyn_cast<FinalizeOp>(user);
    return finalize && !finalize.getSink();
  });
}

static FailureOr<SelectionChain> chainOf(Context &context, SelectOp select) {
  SelectionChain chain;
  chain.select = select;
  if (!select.getTop())
    return context.refuse(select, "'sattn.select " + Twine(select.getMass() ? "mass" : "above") + "' without 'top'");
  if (select.getAbove() && select.getForced())
    return context.refuse(select, "'sattn.select above' that forces a set");
  if (!literalInt(*select.getTop()))
    return context.refuse(select, "'top(" + toText(*select.getTop()) + ")' of a dynamic param");
  Value z = select.getZ();
  if ((chain.rebin = z.getDefiningOp<RebinOp>()))
    z = chain.rebin.getZ();
  if ((chain.reduce = z.getDefiningOp<ReduceOp>()))
    z = chain.reduce.getZ();
  if ((chain.normalize = z.getDefiningOp<NormalizeOp>()))
    z = chain.normalize.getZ();
  auto score = scoreChain(context, select, z);
  if (failed(score))
    return failure();
  chain.score = *score;
  chain.score.ranks = true;
  if (chain.rebin && (!chain.normalize || chain.rebin.getHow() != ReduceKind::Sum))
    return context.refuse(chain.rebin, chain.normalize
                                           ? "'sattn.rebin " + stringifyReduceKind(chain.rebin.getHow()) + "'"
                                           : "'sattn.rebin' of scores that are no probabilities");
  for (Operation *user : select->getUsers())
    if (auto weigh = dyn_cast<WeighOp>(user)) {
      if (select.getAbove())
        return context.refuse(weigh, "'sattn.weigh' of a selection above a threshold");
      if (!joinsSlots(weigh))
        chain.weights.push_back(weigh);
      else if (weigh.getHow() != WeighKind::Softmax)
        return context.refuse(weigh, "'sattn.weigh " + stringifyWeighKind(weigh.getHow()) +
                                         "' of another score than the one that selects");
    }
  if (chain.normalize)
    for (Operation &op : context.pattern.getBody().front())
      if (auto accumulate = dyn_cast<AccumulateOp>(op); accumulate && ridesAlong(accumulate, chain.normalize))
        chain.fused.push_back(accumulate);
  return chain;
}

bool joinsSlots(WeighOp weigh) {
  auto select = weigh.getSet().getDefiningOp<SelectOp>();
  return weigh.getLse() || (select && weigh.getZ() != select.getZ());
}

SmallVector<AccumulateOp> accumulationsOf(Context &context, const Selections &selections) {
  SmallVector<AccumulateOp> all;
  for (auto op : context.pattern.getBody().front().getOps<AccumulateOp>())
    if (!context.factsOf(op.getZ()).gatheredAt && !selections.attentions.contains(op.getResult()))
      all.push_back(op);
  return all;
}

FailureOr<Selections> buildSelections(Context &context, Preparer &preparer) {
  Selections selections;
  if (failed(buildLseKernels(context, preparer, selections)))
    return failure();
  for (Operation &op : context.pattern.getBody().front()) {
    auto select = dyn_cast<SelectOp>(op);
    if (!select)
      continue;
    auto chain = chainOf(context, select);
    if (failed(chain))
      return failure();
    // Two selections from one normalised score: the attention rides along with the first.
    llvm::erase_if(chain->fused, [&](AccumulateOp op) { return selections.attentions.contains(op.getResult()); });
    if (failed(buildSelectKernel(context, preparer, *chain, selections)))
      return failure();
  }
  return selections;
}

// first(a) is c < a; last(b) are the column that holds the last row and the b - 1 before it.
LogicalResult addForced(Context &context, SelectOp select, FailureOr<LocalSet> &forced) {
  MLIRContext *mlir = context.pattern.getContext();
  const Facts &facts = context.factsOf(select.getResult());
  AxisAttr row = facts.row, key = facts.key;
  ExprAttr c = nameExpr(mlir, key.getName()), one = intExpr(mlir, 1), condition;
  auto add = [&](ExprAttr part) { condition = condition ? nodeExpr(ExprKind::Or, {condition, part}) : part; };
  auto below = [&](ExprAttr a, ExprAttr b) { return nodeExpr(ExprKind::Le, {nodeExpr(ExprKind::Add, {a, one}), b}); };
  if (select.getFirst())
    add(below(c, *select.getFirst()));
  if (select.getLast()) {
    ExprAttr own = nameExpr(mlir, row.getName());
    if (row.isBlocks())
      own = nodeExpr(ExprKind::Add,
                     {nodeExpr(ExprKind::Mul, {row.getStride(), own}), nodeExpr(ExprKind::Sub, {row.getLen(), one})});
    if (key.isBlocks())
      own = nodeExpr(ExprKind::FloorDiv, {own, key.getLen()});
    add(nodeExpr(ExprKind::And,
                 {nodeExpr(ExprKind::Le, {c, own}), below(nodeExpr(ExprKind::Sub, {own, c}), *select.getLast())}));
  }
  if (select.getForced()) {
    auto parts = partsOf(context, select, select.getForced());
    if (failed(parts))
      return failure();
    if (parts->select)
      return context.refuse(select, "'force' of a selection");
    KeySetAttr set = parts->formula.getFormula();
    add(substituteNames(set.getCondition(),
                        [&](StringRef name) { return name == set.getKey().getName() ? c : ExprAttr(); }));
  }
  if (!condition)
    return success();
  std::string error;
  auto set = canonicalKeySet(mlir, row, key, condition, error);
  if (failed(set))
    return select.emitError() << "[SA0207] set cannot be compiled: " << withoutNumber(error);
  forced = LocalSet::make(select, *set);
  return forced;
}

Value keepForced(KernelBuilder &k, Value z) {
  return k.map({z}, cast<tile::TileType>(z.getType()), [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
    auto constant = [&](float value) -> Value { return arith::ConstantOp::create(b, k.loc, b.getF32FloatAttr(value)); };
    Value lowest = arith::CmpFOp::create(b, k.loc, arith::CmpFPredicate::OEQ, args[0],
                                         constant(-std::numeric_limits<float>::infinity()));
    return arith::SelectOp::create(b, k.loc, lowest, constant(std::numeric_limits<float>::quiet_NaN()), args[0]);
  });
}

} // namespace sattn::lower

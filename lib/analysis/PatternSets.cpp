// The forward pass behind PatternSets.h.
#include "lib/analysis/PatternSets.h"
#include "llvm/ADT/STLExtras.h"

namespace sattn {
namespace {
bool sameShape(BlockShape a, BlockShape b) { return a.length == b.length && a.stride == b.stride; }
} // namespace

KnownSet toShapes(const KnownSet &known, BlockShape row, BlockShape key) {
  if (!known.unknown.empty())
    return known;
  auto lifts = [](BlockShape from, BlockShape to) {
    return sameShape(from, to) || (from.length == from.stride && to.length == 1);
  };
  KnownSet result{{}, row, key, ""};
  if (!lifts(known.row, row) || !lifts(known.key, key)) {
    result.unknown = "its blocks do not lift";
    return result;
  }
  auto lifted = known.set.lift(sameShape(known.row, row) ? 1 : known.row.length,
                               sameShape(known.key, key) ? 1 : known.key.length);
  if (lifted)
    result.set = std::move(*lifted);
  else
    result.unknown = "numbers of its blocks are out of range";
  return result;
}

PatternSets::PatternSets(PatternOp pattern, const PatternFacts &facts, const llvm::StringMap<int64_t> &statics)
    : facts(facts) {
  bindParams(pattern, statics);
  for (Operation &op : pattern.getBody().front())
    if (op.getNumResults() == 1 && isa<SetType>(op.getResult(0).getType()))
      sets[op.getResult(0)] = define(op);
}

void PatternSets::bindParams(PatternOp pattern, const llvm::StringMap<int64_t> &statics) {
  SetBindings soFar;
  for (auto param : pattern.getParams().getAsRange<ParamAttr>()) {
    if (param.getIsFloat())
      continue;
    std::optional<int64_t> value;
    auto given = param.getIsStatic() ? statics.find(param.getName()) : statics.end();
    if (given != statics.end())
      value = given->second;
    else if (param.getDefaultValue())
      value = numberOf(param.getDefaultValue(), soFar);
    if (!value)
      continue;
    soFar.values[param.getName()] = *value;
    (param.getIsStatic() ? bound.values : bound.defaults)[param.getName()] = *value;
  }
}

BlockShape PatternSets::shapeOf(AxisAttr axis, std::string &unknown) const {
  std::string error;
  auto shape = blockShape(axis, bound, error);
  if (succeeded(shape))
    return *shape;
  unknown = error;
  return {};
}

std::string PatternSets::impossibleAt(Operation &op) const {
  std::string error;
  auto checkBlocks = [&](AxisAttr axis) {
    if (error.empty() && axis && axis.isBlocks() && numberOf(axis.getLen(), bound) && numberOf(axis.getStride(), bound))
      (void)blockShape(axis, bound, error);
  };
  auto check = [&](Value value) {
    const Facts &known = facts.of(value);
    checkBlocks(known.row);
    checkBlocks(known.key);
    llvm::for_each(known.axes, checkBlocks);
  };
  llvm::for_each(op.getOperands(), check);
  llvm::for_each(op.getResults(), check);
  if (auto set = dyn_cast<SetOp>(op))
    walkExpr(set.getFormula().getCondition(), [&](ExprAttr e) {
      bool divides = e.is(ExprKind::FloorDiv) || e.is(ExprKind::Mod);
      auto divisor = divides ? numberOf(e.getKids()[1], bound) : std::nullopt;
      if (error.empty() && divisor && (*divisor < 1 || *divisor > quasi::kMaxDivisor))
        error = "divisor '" + toText(e.getKids()[1]) + "' is " + std::to_string(*divisor) + ": it must be 1 to 2^31";
      return error.empty();
    });
  return error;
}

std::string PatternSets::nameOf(Value value) {
  return "value" + std::to_string(numbers.try_emplace(value, numbers.size()).first->second);
}

KnownSet PatternSets::fromFormula(KeySetAttr formula, mlir::OperandRange tables) {
  KnownSet known;
  known.row = shapeOf(formula.getRow(), known.unknown);
  known.key = shapeOf(formula.getKey(), known.unknown);
  SetBindings named = bound;
  // A load is one unknown for all formulas over the same blocks: c counts other blocks in c(8) than in c(16).
  std::string blocks = "@" + std::to_string(known.row.length) + "@" + std::to_string(known.key.stride) + "@" +
                       std::to_string(known.key.length);
  named.tableName = [&](int64_t i) { return nameOf(tables[i]) + blocks; };
  std::string error;
  auto set = specialiseSet(formula, named, error);
  if (succeeded(set))
    known.set = std::move(*set);
  else if (known.unknown.empty())
    known.unknown = error;
  return known;
}

KnownSet PatternSets::unknownPart(KnownSet within, Value of) {
  if (!within.unknown.empty())
    return within;
  quasi::Set chosen;
  quasi::Form member = quasi::Set::variable(chosen.symbol({nameOf(of), quasi::SymbolInfo::Table}));
  member.constant = -1;
  quasi::Set::Building building;
  chosen.addAtom(building, quasi::Atom::GE, member);
  chosen.addDisjunct(std::move(building));
  if (auto part = quasi::Set::intersect(within.set, chosen, within.unknown))
    within.set = std::move(*part);
  return within;
}

KnownSet PatternSets::algebra(Operation &op) {
  KnownSet result;
  const Facts &own = facts.of(op.getResult(0));
  BlockShape row = shapeOf(own.row, result.unknown), key = shapeOf(own.key, result.unknown);
  for (auto [i, operand] : llvm::enumerate(op.getOperands())) {
    KnownSet next = toShapes(of(operand), row, key);
    if (result.unknown.empty())
      result.unknown = next.unknown;
    if (!result.unknown.empty())
      return result;
    if (i == 0) {
      result = std::move(next);
      continue;
    }
    auto joined = isa<UnionOp>(op)       ? quasi::Set::unite(result.set, next.set, result.unknown)
                  : isa<IntersectOp>(op) ? quasi::Set::intersect(result.set, next.set, result.unknown)
                                         : quasi::Set::subtract(result.set, next.set, result.unknown);
    if (joined)
      result.set = std::move(*joined);
  }
  return result;
}

KnownSet PatternSets::define(Operation &op) {
  if (auto set = dyn_cast<SetOp>(op))
    return fromFormula(set.getFormula(), set.getTables());
  if (auto select = dyn_cast<SelectOp>(op))
    return unknownPart(over(select.getWhere(), facts.of(select.getZ())), select.getSet());
  if (isa<UnionOp, IntersectOp, MinusOp>(op))
    return algebra(op);
  KnownSet all{quasi::Set::all(), {}, {}, ""};
  const Facts &own = facts.of(op.getResult(0));
  all.row = shapeOf(own.row, all.unknown);
  all.key = shapeOf(own.key, all.unknown);
  return unknownPart(std::move(all), op.getResult(0));
}

KnownSet PatternSets::over(Value set, const Facts &score) const {
  std::string unknown;
  BlockShape row = shapeOf(score.row, unknown), key = shapeOf(score.key, unknown);
  KnownSet known = toShapes(of(set), row, key);
  if (known.unknown.empty())
    known.unknown = unknown;
  return known;
}

KnownSet PatternSets::endColumns(const Facts &score, ExprAttr first, ExprAttr last) const {
  KnownSet ends;
  ends.row = shapeOf(score.row, ends.unknown);
  ends.key = shapeOf(score.key, ends.unknown);
  if (!ends.unknown.empty())
    return ends;
  MLIRContext *context = score.key.getContext();
  auto add = [&](ExprAttr condition) {
    std::string error;
    auto formula = canonicalKeySet(context, score.row, score.key, condition, error);
    auto set = succeeded(formula) ? specialiseSet(*formula, bound, error) : FailureOr<quasi::Set>(failure());
    auto both = succeeded(set) ? quasi::Set::unite(ends.set, *set, error) : std::nullopt;
    if (both)
      ends.set = std::move(*both);
    else
      ends.unknown = withoutNumber(error).str();
  };
  ExprAttr column = nameExpr(context, score.key.getName()), one = intExpr(context, 1);
  auto atMost = [&](ExprAttr a, ExprAttr b) { return nodeExpr(ExprKind::Le, {a, b}); };
  auto plus = [&](ExprAttr a, ExprAttr b) { return nodeExpr(ExprKind::Add, {a, b}); };
  if (first)
    add(atMost(plus(column, one), first));
  if (last) {
    ExprAttr row = nameExpr(context, score.row.getName());
    ExprAttr own = score.row.isBlocks() ? callExpr(context, "last", {row}) : row;
    if (score.key.isBlocks())
      own = nodeExpr(ExprKind::FloorDiv, {own, score.key.getStride()});
    add(nodeExpr(ExprKind::And, {atMost(plus(own, one), plus(column, last)), atMost(column, own)}));
  }
  return ends;
}

KnownSet PatternSets::forcedBy(SelectOp op) const {
  const Facts &score = facts.of(op.getZ());
  KnownSet forced = endColumns(score, op.getFirstAttr(), op.getLastAttr());
  auto combine = [&](const KnownSet &other, auto algebra) {
    if (forced.unknown.empty())
      forced.unknown = other.unknown;
    if (forced.unknown.empty())
      if (auto joined = algebra(forced.set, other.set, forced.unknown))
        forced.set = std::move(*joined);
  };
  if (Value named = op.getForced())
    combine(over(named, score), quasi::Set::unite);
  combine(over(op.getWhere(), score), quasi::Set::intersect);
  return forced;
}

} // namespace sattn

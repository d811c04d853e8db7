// sattn-normalize-sets: brings the set of every consumer to one formula, or to one selection intersected with one
// formula. See Passes.td.
//
// A set is a list of terms `selection and residual`, either of which may be absent; the union of its terms is the
// set. Union concatenates terms, intersection crosses them, and static terms melt into one formula.
#include "dialects/pattern/KeySet.h"
#include "lib/transforms/Passes.h"
#include "llvm/ADT/MapVector.h"

namespace sattn {
#define GEN_PASS_DEF_SATTNNORMALIZESETS
#include "lib/transforms/Passes.h.inc"

namespace {

struct Term {
  Value selection;     // null: static
  KeySetAttr residual; // null: every key
};
using Terms = SmallVector<Term, 2>;

class Normalizer {
public:
  explicit Normalizer(PatternOp pattern) : pattern(pattern), context(pattern.getContext()) {}

  unsigned folded = 0, split = 0;

  LogicalResult run() {
    for (Operation &op : llvm::make_early_inc_range(pattern.getBody().front()))
      if (failed(visit(&op)))
        return failure();
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(pattern.getBody().front())))
      if (isa<SetOp, UnionOp, IntersectOp, MinusOp>(op) && op.use_empty())
        op.erase();
    return success();
  }

private:
  LogicalResult refuse(Operation *op, const Twine &why) { return op->emitError() << "[SA0208] " << why; }

  LogicalResult visit(Operation *op) {
    if (op->getNumResults() == 1 && isa<SetType>(op->getResult(0).getType()))
      if (failed(define(op)))
        return failure();
    if (isa<UnionOp, IntersectOp, MinusOp>(op))
      return success();
    for (mlir::OpOperand &operand : op->getOpOperands())
      if (isa<SetType>(operand.get().getType()) && failed(rewrite(op, operand)))
        return failure();
    return success();
  }

  //===-- Terms of a set value.

  LogicalResult define(Operation *op) {
    Terms &result = terms[op->getResult(0)];
    if (auto set = dyn_cast<SetOp>(op)) {
      auto formula = withTables(set);
      if (failed(formula))
        return failure();
      result = {{Value(), *formula}};
      return success();
    }
    if (!isa<UnionOp, IntersectOp, MinusOp>(op)) {
      result = {{op->getResult(0), KeySetAttr()}};
      return success();
    }
    ++folded;
    Terms joined = terms[op->getOperand(0)];
    for (Value operand : op->getOperands().drop_front()) {
      const Terms &other = terms[operand];
      FailureOr<Terms> next = isa<UnionOp>(op)       ? unite(op, joined, other)
                              : isa<IntersectOp>(op) ? intersect(op, joined, other)
                                                     : subtract(op, joined, other);
      if (failed(next))
        return failure();
      joined = std::move(*next);
    }
    terms[op->getResult(0)] = std::move(joined);
    return success();
  }

  // One term for each selection, static ones melted.
  FailureOr<Terms> unite(Operation *op, const Terms &a, const Terms &b) {
    Terms result;
    for (const Terms *list : {&a, &b})
      for (const Term &term : *list) {
        auto same = llvm::find_if(result, [&](const Term &known) { return known.selection == term.selection; });
        if (same == result.end()) {
          result.push_back(term);
          continue;
        }
        if (!same->residual || !term.residual) {
          same->residual = KeySetAttr();
          continue;
        }
        auto both = combine(op, ExprKind::Or, same->residual, term.residual);
        if (failed(both))
          return failure();
        same->residual = *both;
      }
    return result;
  }

  FailureOr<Terms> intersect(Operation *op, const Terms &a, const Terms &b) {
    Terms result;
    for (const Term &x : a)
      for (const Term &y : b) {
        if (x.selection && y.selection && x.selection != y.selection)
          return refuse(op, "keys in both of two selections are not compiled yet: intersect the sets before selecting, "
                            "or run the pattern with the reference (--oracle)");
        Term both{x.selection ? x.selection : y.selection, x.residual ? x.residual : y.residual};
        if (x.residual && y.residual) {
          auto residual = combine(op, ExprKind::And, x.residual, y.residual);
          if (failed(residual))
            return failure();
          both.residual = *residual;
        }
        auto next = unite(op, result, Terms{both});
        if (failed(next))
          return failure();
        result = std::move(*next);
      }
    return result;
  }

  // a minus b intersects a with the complement of every term of b, which must be static.
  FailureOr<Terms> subtract(Operation *op, const Terms &a, const Terms &b) {
    Terms result = a;
    for (const Term &term : b) {
      if (term.selection)
        return refuse(op,
                      "a set minus a selection is not compiled yet: subtract from the selection instead, or run the "
                      "pattern with the reference (--oracle)");
      auto rest = complement(op, term.residual);
      if (failed(rest))
        return failure();
      auto next = intersect(op, result, Terms{{Value(), *rest}});
      if (failed(next))
        return failure();
      result = std::move(*next);
    }
    return result;
  }

  //===-- Tables. Formulas count those of all sets; an op has those that its own mentions.

  FailureOr<KeySetAttr> withTables(SetOp set) {
    if (set.getTables().empty())
      return set.getFormula();
    KeySetAttr formula = set.getFormula();
    ExprAttr condition = renumbered(formula, [&](int64_t i) {
      Value table = set.getTables()[i];
      auto *known = llvm::find(tables, table);
      int64_t number = known - tables.begin();
      if (known == tables.end())
        tables.push_back(table);
      return number;
    });
    return canonical(set, formula.getRow(), formula.getKey(), condition);
  }

  ExprAttr renumbered(KeySetAttr set, llvm::function_ref<int64_t(int64_t)> number) {
    return replaceExpr(set.getCondition(), [&](ExprAttr e) {
      return e.is(ExprKind::Table) ? tableExpr(context, number(e.getValue()), e.getKids()) : ExprAttr();
    });
  }

  // An op for a formula.
  Value makeSet(mlir::OpBuilder &builder, Location loc, KeySetAttr formula) {
    SmallVector<int64_t> used;
    walkExpr(formula.getCondition(), [&](ExprAttr e) {
      if (e.is(ExprKind::Table) && !llvm::is_contained(used, e.getValue()))
        used.push_back(e.getValue());
      return true;
    });
    llvm::sort(used);
    SmallVector<Value> operands;
    for (int64_t i : used)
      operands.push_back(tables[i]);
    // Their order stays, so that the form stays canonical.
    ExprAttr own = renumbered(formula, [&](int64_t i) { return llvm::find(used, i) - used.begin(); });
    return SetOp::create(builder, loc, SetType::get(context),
                         KeySetAttr::get(context, formula.getRow(), formula.getKey(), own), operands)
        .getResult();
  }

  //===-- Formulas.

  LogicalResult notJoined(Operation *op, const Twine &why) { return refuse(op, "sets cannot be joined: " + why); }

  FailureOr<KeySetAttr> canonical(Operation *op, AxisAttr row, AxisAttr key, ExprAttr condition) {
    std::string error;
    auto set = canonicalKeySet(context, row, key, condition, error);
    if (failed(set))
      return notJoined(op, withoutNumber(error));
    return *set;
  }

  FailureOr<KeySetAttr> complement(Operation *op, KeySetAttr set) {
    return canonical(op, set.getRow(), set.getKey(), nodeExpr(ExprKind::Not, {set.getCondition()}));
  }

  // The condition of `set` over other axes: a block of rows or keys becomes the block that holds the position.
  FailureOr<ExprAttr> over(Operation *op, KeySetAttr set, AxisAttr row, AxisAttr key) {
    ExprAttr condition = set.getCondition();
    for (auto [from, to] : {std::pair(set.getRow(), row), std::pair(set.getKey(), key)}) {
      if (from == to)
        continue;
      ExprAttr name = nameExpr(context, to.getName());
      if (from.isBlocks() && !to.isBlocks()) {
        if (from.overlaps())
          return notJoined(op, "blocks '" + toText(from) + "' overlap");
        name = nodeExpr(ExprKind::FloorDiv, {name, from.getLen()});
      } else if (!from.sameBlocks(to)) {
        return notJoined(op, "they are over '" + toText(from) + "' and '" + toText(to) + "'");
      }
      condition = substituteNames(
          condition, [&, from = from](StringRef text) { return text == from.getName() ? name : ExprAttr(); });
    }
    return condition;
  }

  FailureOr<KeySetAttr> combine(Operation *op, ExprKind kind, KeySetAttr a, KeySetAttr b) {
    AxisAttr row = a.getRow().isBlocks() ? b.getRow() : a.getRow();
    AxisAttr key = a.getKey().isBlocks() ? b.getKey() : a.getKey();
    // Blocks of different lengths meet as tokens.
    if (row.isBlocks() && !row.sameBlocks(a.getRow()))
      row = AxisAttr::named(context, "t");
    if (key.isBlocks() && !key.sameBlocks(a.getKey()))
      key = AxisAttr::named(context, "s");
    auto x = over(op, a, row, key), y = over(op, b, row, key);
    if (failed(x) || failed(y))
      return failure();
    return canonical(op, row, key, nodeExpr(kind, {*x, *y}));
  }

  //===-- Consumers.

  Value materialize(Operation *before, Location loc, const Term &term) {
    mlir::OpBuilder builder(before);
    Value residual;
    if (term.residual) {
      Value &known = made[term.residual];
      if (!known)
        known = makeSet(builder, loc, term.residual);
      residual = known;
    }
    if (!term.selection || !residual)
      return term.selection ? term.selection : residual;
    Value &known = cut[{term.selection, term.residual}];
    if (!known)
      known =
          IntersectOp::create(builder, loc, SetType::get(context), ValueRange{term.selection, residual}).getResult();
    return known;
  }

  LogicalResult rewrite(Operation *op, mlir::OpOperand &operand) {
    const Terms &set = terms[operand.get()];
    if (set.size() == 1) {
      operand.set(materialize(op, operand.get().getLoc(), set.front()));
      return success();
    }
    auto accumulate = dyn_cast<AccumulateOp>(op);
    if (!accumulate)
      return refuse(op, "the union of a formula and a selection can be attended to, but not used here: give each part "
                        "an op of its own");
    return splitUnion(accumulate, set);
  }

  // A union of a formula and a selection: the selection gives up the keys of the formula, and the partial results of
  // both are merged.
  LogicalResult splitUnion(AccumulateOp op, const Terms &set) {
    if (op.getPerBlock() || op.getHow() != AccumulateKind::Softmax)
      return refuse(op, "the union of a formula and a selection has no blocks: accumulate its parts");
    if (llvm::count_if(set, [](const Term &term) { return term.selection; }) > 1)
      return refuse(op, "the union of two selections is not compiled yet, because a key of both would count twice: run "
                        "the pattern with the reference (--oracle)");
    const Term &fixed = set[0].selection ? set[1] : set[0], &chosen = set[0].selection ? set[0] : set[1];
    // Random blocks are known before any key is read, so that one walk takes both.
    if (chosen.selection.getDefiningOp<RandomOp>()) {
      mlir::OpBuilder builder(op);
      Location loc = op.getSet().getLoc();
      Value parts[] = {materialize(op, loc, fixed), materialize(op, loc, chosen)};
      op.getSetMutable().set(UnionOp::create(builder, loc, SetType::get(context), parts).getResult());
      return success();
    }
    auto rest = complement(op, fixed.residual);
    if (failed(rest))
      return failure();
    Term apart{chosen.selection, *rest};
    if (chosen.residual) {
      auto both = combine(op, ExprKind::And, chosen.residual, *rest);
      if (failed(both))
        return failure();
      apart.residual = *both;
    }
    mlir::OpBuilder builder(op);
    SmallVector<Value, 2> parts;
    for (const Term &term : {fixed, apart})
      parts.push_back(AccumulateOp::create(builder, op.getLoc(), PartialType::get(context), AccumulateKind::Softmax,
                                           op.getZ(), materialize(op, op.getSet().getLoc(), term), op.getV())
                          .getResult());
    auto merged = MergeOp::create(builder, op.getLoc(), PartialType::get(context), parts);
    op.replaceAllUsesWith(merged.getResult());
    op.erase();
    ++split;
    return success();
  }

  PatternOp pattern;
  MLIRContext *context;
  llvm::MapVector<Value, Terms> terms;
  SmallVector<Value> tables; ///< of all formulas
  llvm::DenseMap<KeySetAttr, Value> made;
  llvm::DenseMap<std::pair<Value, KeySetAttr>, Value> cut;
};

struct NormalizeSetsPass : impl::SattnNormalizeSetsBase<NormalizeSetsPass> {
  using SattnNormalizeSetsBase::SattnNormalizeSetsBase;
  void runOnOperation() override {
    Normalizer normalizer(getOperation());
    if (failed(normalizer.run()))
      return signalPassFailure();
    opsFolded += normalizer.folded;
    unionsSplit += normalizer.split;
  }
};
} // namespace
} // namespace sattn

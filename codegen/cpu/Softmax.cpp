// The online softmax: step, finish, merge. Scores are strips of rows, so maxima and sums need no horizontal operation.
#include "codegen/cpu/Lowering.h"

using namespace sattn;
using namespace sattn::cpu;
using mlir::arith::CmpFPredicate;

// A row keeps its maximum until a score exceeds it by more than this many binary orders: p stays below 2^8, far from
// overflow, and the accumulator is rescaled a few times a row instead of at most tiles. The sums are the same.
static constexpr float kSlack = 8.0f;

// m, or 0 for rows that have seen no key, so that exp2(s - m) is 0 there and not NaN.
static Value finiteOrZero(Code &c, Value m) {
  return c.select(c.compare(CmpFPredicate::OEQ, m, c.minusInf()), c.zero(), m);
}

LogicalResult Lowering::lower(tile::SoftmaxStepOp op) {
  auto oldM = panelsOf(op.getM()), oldL = panelsOf(op.getL());
  if (failed(oldM) || failed(oldL))
    return failure();
  SoftmaxMemory at{*oldM, *oldL};
  at.m = takeOrNew(op.getM(), op->getOpResult(0));
  at.l = takeOrNew(op.getL(), op->getOpResult(1));
  // The pending score tile is read here for the last time; p is written over a tile in memory if it may be.
  TileValue scores = tile(op.getS());
  at.p = mayTake(op.getS(), op) ? *scores.panels : newPanels(op.getP());
  at.alpha = newPanels(op.getAlpha());
  at.onlyScales = llvm::all_of(op.getAlpha().getUses(), [](mlir::OpOperand &use) {
    auto dot = dyn_cast<tile::DotOp>(use.getOwner());
    return dot && dot.getScale() == use.get();
  });

  // Where every score is hidden nothing changes, neither here nor in the product that p is for.
  bool inPlace = at.m.base.offset == oldM->base.offset && at.l.base.offset == oldL->base.offset;
  auto product = op.getP().hasOneUse() ? dyn_cast<tile::DotOp>(*op.getP().user_begin()) : tile::DotOp();
  Value some = inPlace && at.onlyScales && product && product.getAcc() ? anyChosen(op.getS()) : Value();
  FailureOr<Value> changed = failure();
  if (some) {
    Places before = now();
    Value grew = c.when(
        some, {c.b.getI1Type()},
        [&] {
          changed = stepSoftmax(op, scores, at);
          return Values{succeeded(changed) ? *changed : c.boolean(false)};
        },
        [&] { return Values{c.boolean(false)}; })[0];
    goBack(std::move(before));
    if (succeeded(changed))
      changed = grew;
  } else {
    changed = stepSoftmax(op, scores, at);
  }
  if (failed(changed))
    return failure();
  for (auto [result, panels] : {std::pair<Value, Panels>{op.getNewM(), at.m},
                                {op.getNewL(), at.l},
                                {op.getAlpha(), at.alpha},
                                {op.getP(), at.p}}) {
    tile(result) = {};
    tile(result).panels = panels;
  }
  tile(op.getP()).visible = scores.visible;
  tile(op.getP()).some = some;
  if (at.onlyScales)
    tile(op.getAlpha()).changed = *changed;
  return success();
}

FailureOr<Value> Lowering::stepSoftmax(tile::SoftmaxStepOp op, TileValue &scores, const SoftmaxMemory &at) {
  const Panels &p = at.p;
  if (skipsHidden(op)) {
    auto visible = visibleScores(op, p.count());
    if (failed(visible))
      return failure();
    scores.visible = *visible;
  }

  // Scores to memory, and the maximum of each row.
  Panels maxima = newPanels(p.rows, 1);
  LogicalResult status =
      forPanelGroups(p.count(), scores.visible.get(), [&](Value panel, int64_t panels) -> LogicalResult {
        Values none(panels, c.minusInf());
        auto found = forStrips(scores, p.cols, panel, panels, none, [&](Strips &strips, ValueRange carried) {
          Values best(carried);
          for (auto [i, column] : llvm::enumerate(strips.at))
            for (auto [q, strip] : llvm::enumerate(column)) {
              c.storeStrip(strip, stripAt(p, panel, static_cast<int64_t>(q), strips.column, static_cast<int64_t>(i)));
              best[q] = c.maxKeep(strip, best[q]);
            }
          return FailureOr<Values>(best);
        });
        if (failed(found))
          return failure();
        for (auto [q, best] : llvm::enumerate(*found))
          c.storeStrip(best, stripAt(maxima, panel, static_cast<int64_t>(q), c.int64(0), 0));
        return success();
      });
  if (failed(status))
    return failure();

  // Rows that grew past the slack take their maximum; the others keep theirs, and alpha is 1.
  Values grew, newM, factors;
  Value anyGrew;
  for (int64_t panel = 0; panel < p.count(); ++panel) {
    Value old = c.loadStrip(at.oldM.at(panel)), best = c.loadStrip(maxima.at(panel));
    grew.push_back(c.compare(CmpFPredicate::OGT, best, c.addf(old, c.strip(kSlack))));
    newM.push_back(c.select(grew.back(), best, old));
    c.storeStrip(newM.back(), at.m.at(panel));
    factors.push_back(old);
    newM.back() = finiteOrZero(c, newM.back());
    anyGrew = anyGrew ? c.ori(anyGrew, grew.back()) : grew.back();
  }
  Value changed = c.anyLane(anyGrew);
  auto rescale = [&] {
    for (int64_t panel = 0; panel < p.count(); ++panel) {
      Value factor = c.select(grew[panel], c.exp2(c.subf(factors[panel], newM[panel])), c.strip(1.0f));
      c.storeStrip(factor, at.alpha.at(panel));
      c.storeStrip(c.mulf(c.loadStrip(at.oldL.at(panel)), factor), at.l.at(panel));
    }
  };
  auto keep = [&] {
    for (int64_t panel = 0; panel < p.count(); ++panel) {
      if (!at.onlyScales)
        c.storeStrip(c.strip(1.0f), at.alpha.at(panel));
      if (at.l.base.offset != at.oldL.base.offset)
        c.storeStrip(c.loadStrip(at.oldL.at(panel)), at.l.at(panel));
    }
  };
  c.when(changed, rescale, keep);

  // p = exp2(s - m) in place, and its sum.
  status = forPanelGroups(p.count(), scores.visible.get(), [&](Value panel, int64_t panels) -> LogicalResult {
    Values sums, bases;
    for (int64_t q = 0; q < panels; ++q) {
      sums.push_back(c.loadStrip(stripAt(at.l, panel, q, c.int64(0), 0)));
      bases.push_back(finiteOrZero(c, c.loadStrip(stripAt(at.m, panel, q, c.int64(0), 0))));
    }
    Value from = c.int64(0), to = c.int64(p.cols);
    if (scores.visible)
      std::tie(from, to) = visibleColumns(*scores.visible, panel);
    sums = c.loop(from, to, 1, sums, [&](Value column, ValueRange carried) {
      Values next;
      for (int64_t q = 0; q < panels; ++q) {
        Ptr place = stripAt(p, panel, q, column, 0);
        Value power = c.exp2(c.subf(c.loadStrip(place), bases[q]));
        c.storeStrip(power, place);
        next.push_back(c.addf(carried[q], power));
      }
      return next;
    });
    for (int64_t q = 0; q < panels; ++q)
      c.storeStrip(sums[q], stripAt(at.l, panel, q, c.int64(0), 0));
    return success();
  });
  if (failed(status))
    return failure();
  return changed;
}

// lse = (m + log2 l) ln 2; where l = 0 it is -inf and o = 0.
LogicalResult Lowering::lower(tile::SoftmaxFinishOp op) {
  auto m = panelsOf(op.getM()), l = panelsOf(op.getL()), acc = panelsOf(op.getAcc());
  FailureOr<Panels> sink = op.getSink() ? panelsOf(op.getSink()) : FailureOr<Panels>(Panels());
  if (failed(m) || failed(l) || failed(acc) || failed(sink))
    return failure();
  Panels o = takeOrNew(op.getAcc(), op->getOpResult(0));
  Panels lse = newPanels(op.getLse());
  constexpr float log2e = 1.44269504f, ln2 = 0.693147181f;
  for (int64_t panel = 0; panel < lse.count(); ++panel) {
    Value rowM = c.loadStrip(m->at(panel)), rowL = c.loadStrip(l->at(panel));
    Value empty = c.compare(CmpFPredicate::OEQ, rowL, c.zero()), total = rowL;
    if (op.getSink()) {
      Value logit = c.mulf(c.loadStrip(sink->at(panel)), c.strip(log2e));
      total = c.addf(total, c.exp2(c.subf(logit, finiteOrZero(c, rowM))));
    }
    Value inverse = c.select(empty, c.zero(), c.divf(c.strip(1.0f), total));
    c.loop(0, acc->cols, 1, [&](Value col) {
      c.storeStrip(c.mulf(c.loadStrip(stripAt(*acc, panel, col, 0)), inverse), stripAt(o, panel, col, 0));
    });
    Value natural = c.mulf(c.addf(rowM, c.log2(rowL)), c.strip(ln2));
    c.storeStrip(c.select(empty, c.minusInf(), natural), lse.at(panel));
  }
  tile(op.getO()) = {};
  tile(op.getO()).panels = o;
  tile(op.getLse()) = {};
  tile(op.getLse()).panels = lse;
  return success();
}

// m = max(m0, m1), and both sides are brought to it.
LogicalResult Lowering::lower(tile::MergeOp op) {
  FailureOr<Panels> in[6];
  Value operands[6] = {op.getM0(), op.getL0(), op.getAcc0(), op.getM1(), op.getL1(), op.getAcc1()};
  for (auto [held, operand] : llvm::zip(in, operands))
    if (failed(held = panelsOf(operand)))
      return failure();
  Panels m = takeOrNew(op.getM0(), op->getOpResult(0)), l = takeOrNew(op.getL0(), op->getOpResult(1));
  Panels acc = takeOrNew(op.getAcc0(), op->getOpResult(2));
  for (int64_t panel = 0; panel < acc.count(); ++panel) {
    Value m0 = c.loadStrip(in[0]->at(panel)), m1 = c.loadStrip(in[3]->at(panel));
    Value best = c.maxKeep(m1, m0), base = finiteOrZero(c, best);
    Value f0 = c.exp2(c.subf(m0, base)), f1 = c.exp2(c.subf(m1, base));
    Value total = c.fma(c.loadStrip(in[4]->at(panel)), f1, c.mulf(c.loadStrip(in[1]->at(panel)), f0));
    c.loop(0, acc.cols, 1, [&](Value col) {
      Value a0 = c.mulf(c.loadStrip(stripAt(*in[2], panel, col, 0)), f0);
      c.storeStrip(c.fma(c.loadStrip(stripAt(*in[5], panel, col, 0)), f1, a0), stripAt(acc, panel, col, 0));
    });
    c.storeStrip(best, m.at(panel));
    c.storeStrip(total, l.at(panel));
  }
  for (auto [result, panels] : {std::pair<Value, Panels>{op.getM(), m}, {op.getL(), l}, {op.getAcc(), acc}}) {
    tile(result) = {};
    tile(result).panels = panels;
  }
  return success();
}

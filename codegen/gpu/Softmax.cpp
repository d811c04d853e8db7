// The online softmax: step and finish. A row lies in the four lanes of a quad, so maxima and sums end with two
// exchanges between lanes.
#include "codegen/gpu/Lowering.h"

using namespace sattn;
using namespace sattn::gpu;
using mlir::arith::CmpFPredicate;

// m, or 0 for rows that have seen no key, so that exp2(s - m) is 0 there and not NaN.
static Value finiteOrZero(Code &c, Value m) {
  return c.select(c.compare(CmpFPredicate::OEQ, m, c.minusInf()), c.float32(0), m);
}

LogicalResult Lowering::lower(tile::SoftmaxStepOp op) {
  FailureOr<Fragment> s = fragmentOf(op, op.getS()), m = fragmentOf(op, op.getM()), l = fragmentOf(op, op.getL());
  if (failed(s) || failed(m) || failed(l))
    return failure();
  Fragment newM = *m, newL = *l, alpha = *m, p = std::move(*s);
  for (int64_t block = 0; block < p.blocks(); ++block)
    for (int64_t half = 0; half < 2; ++half) {
      int64_t row = 2 * block + half;
      auto forRow = [&](llvm::function_ref<void(Value &)> body) {
        for (int64_t j = 0; j < p.cols / 8; ++j)
          for (int64_t e = 0; e < 2; ++e)
            body(p.element(block, j, 2 * half + e));
      };
      Value greatest = c.minusInf();
      forRow([&](Value &x) { greatest = c.maxNumber(greatest, x); });
      greatest = c.maxNumber(m->at[row], c.acrossRow(greatest, [&](Value a, Value d) { return c.maxNumber(a, d); }));
      newM.at[row] = greatest;
      Value shift = finiteOrZero(c, greatest);
      // A row without keys so far has m = -inf and nothing to rescale: exp2(-inf - shift) would do, but for the row
      // that still has none.
      alpha.at[row] = c.select(c.compare(CmpFPredicate::OEQ, greatest, c.minusInf()), c.float32(1),
                               c.exp2(c.subf(m->at[row], shift)));
      Value sum = c.float32(0);
      forRow([&](Value &x) {
        x = c.exp2(c.subf(x, shift));
        sum = c.addf(sum, x);
      });
      sum = c.acrossRow(sum, [&](Value a, Value d) { return c.addf(a, d); });
      newL.at[row] = c.addf(c.mulf(l->at[row], alpha.at[row]), sum);
    }
  for (auto [value, fragment] :
       {std::pair(op.getNewM(), &newM), {op.getNewL(), &newL}, {op.getAlpha(), &alpha}, {op.getP(), &p}}) {
    tile(value) = {};
    tile(value).fragment = std::move(*fragment);
  }
  return success();
}

LogicalResult Lowering::lower(tile::SoftmaxFinishOp op) {
  FailureOr<Fragment> m = fragmentOf(op, op.getM()), l = fragmentOf(op, op.getL()), acc = fragmentOf(op, op.getAcc());
  if (failed(m) || failed(l) || failed(acc))
    return failure();
  FailureOr<Fragment> sink = op.getSink() ? fragmentOf(op, op.getSink()) : FailureOr<Fragment>(Fragment());
  if (failed(sink))
    return failure();
  Fragment o = std::move(*acc), lse = *m;
  for (int64_t block = 0; block < o.blocks(); ++block)
    for (int64_t half = 0; half < 2; ++half) {
      int64_t row = 2 * block + half;
      Value empty = c.compare(CmpFPredicate::OEQ, l->at[row], c.float32(0));
      Value total = l->at[row];
      if (op.getSink()) {
        Value logit = c.mulf(sink->at[row], c.float32(1.44269504088896341f));
        total = c.addf(total, c.exp2(c.subf(logit, finiteOrZero(c, m->at[row]))));
      }
      Value factor = c.select(empty, c.float32(0), c.divf(c.float32(1), total));
      for (int64_t j = 0; j < o.cols / 8; ++j)
        for (int64_t e = 2 * half; e < 2 * half + 2; ++e)
          o.element(block, j, e) = c.select(empty, c.float32(0), c.mulf(o.element(block, j, e), factor));
      Value natural = c.mulf(c.addf(m->at[row], c.log2(l->at[row])), c.float32(0.69314718055994531f));
      lse.at[row] = c.select(empty, c.minusInf(), natural);
    }
  tile(op.getO()) = {};
  tile(op.getO()).fragment = std::move(o);
  tile(op.getLse()) = {};
  tile(op.getLse()).fragment = std::move(lse);
  return success();
}

// m = max(m0, m1), and both sides are brought to it.
LogicalResult Lowering::lower(tile::MergeOp op) {
  FailureOr<Fragment> held[6];
  Value operands[6] = {op.getM0(), op.getL0(), op.getAcc0(), op.getM1(), op.getL1(), op.getAcc1()};
  for (auto [fragment, operand] : llvm::zip(held, operands))
    if (failed(fragment = fragmentOf(op, operand)))
      return failure();
  Fragment m = *held[0], l = *held[1], acc = std::move(*held[2]);
  for (int64_t block = 0; block < acc.blocks(); ++block)
    for (int64_t half = 0; half < 2; ++half) {
      int64_t row = 2 * block + half;
      Value m0 = held[0]->at[row], m1 = held[3]->at[row];
      m.at[row] = c.maxNumber(m0, m1);
      Value shift = finiteOrZero(c, m.at[row]);
      Value f0 = c.exp2(c.subf(m0, shift)), f1 = c.exp2(c.subf(m1, shift));
      l.at[row] = c.addf(c.mulf(l.at[row], f0), c.mulf(held[4]->at[row], f1));
      for (int64_t i = 0; i < acc.perRow(); ++i) {
        Value &sum = acc.ofRow(block, half, i);
        sum = c.addf(c.mulf(sum, f0), c.mulf(held[5]->ofRow(block, half, i), f1));
      }
    }
  for (auto [value, fragment] : {std::pair(op.getM(), &m), {op.getL(), &l}, {op.getAcc(), &acc}}) {
    tile(value) = {};
    tile(value).fragment = std::move(*fragment);
  }
  return success();
}

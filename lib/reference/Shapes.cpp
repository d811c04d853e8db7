// What each value of a pattern is at this call: the facts of the pattern with sizes put in. Reads no element.
#include "lib/reference/Env.h"

namespace sattn::ref {

bool Env::isRowWise(Value tensor) {
  Operation *op = tensor.getDefiningOp();
  if (auto mix = dyn_cast_or_null<MixOp>(op))
    return !facts(tensor).position() || facts(tensor).position().isRow();
  return op && isa<FinalizeOp, LseOp, AttendOp, BlendOp, WeighOp>(op);
}

AxisAttr Env::rowAxis(Value value) {
  const Facts &known = facts(value);
  return known.row ? known.row : known.position();
}

AxisAttr Env::headAxis(Value value) {
  const Facts &known = facts(value);
  return known.head ? known.head : known.headAxis();
}

int64_t Env::headCount(Value value) {
  AxisAttr axis = headAxis(value);
  return axis ? extent(axis) : 1;
}

int64_t Env::extent(AxisAttr axis) {
  if (axis.isFixed())
    return axis.getSize();
  if (axis.isFeature())
    return axis.getLen() ? integer(axis.getLen()) : static_cast<int64_t>(bound.numbers.lookup(axis.getName()));
  return bound.heads.lookup(axis.getName());
}

int64_t Env::width(Value value) {
  int64_t width = 1;
  for (AxisAttr axis : facts(value).axes)
    if (!axis.isPosition() && !axis.isHead())
      width *= extent(axis);
  return width;
}

bool Env::checkHeads(Value value, int64_t n, int64_t count) {
  if (n > 0 && count % n == 0)
    return true;
  if (report.occurred())
    return false; // a silent diagnostic takes no note
  auto error = report.fail() << "a value with " << n << " heads cannot serve " << count
                             << " heads: the number of heads must divide";
  error.attachNote(value.getLoc()) << "the value is made here";
  return false;
}

Columns Env::columns(Value score) {
  if (auto made = score.getDefiningOp<ScoreOp>()) {
    const Tensor &keys = tensor(made.getK());
    return {keys.blocks, keys.ragged};
  }
  if (auto rebin = score.getDefiningOp<RebinOp>())
    return {bound.blocks(facts(score).key, report), true};
  return columns(score.getDefiningOp()->getOperand(0));
}

Blocks Env::unit(Value set) { return bound.blocks(facts(set).key, report); }

Blocks Env::rowUnit(Value value) { return bound.blocks(rowAxis(value), report); }

int64_t Env::rowCount(Value value) {
  Value chosen = facts(value).gatheredAt;
  if (!chosen)
    return countBlocks(rowUnit(value), true, bound.rows);
  // As many as `top` says, or all positions; what is not chosen, for want of numbers, is 0.
  auto route = chosen.getDefiningOp<RouteOp>();
  return std::clamp<int64_t>(integer(route.getTop()), 0, tensor(route.getX()).positions());
}

bool Env::checkRowBlocks(Blocks blocks) {
  for (int64_t offset : bound.qOffset)
    if (offset % blocks.stride) {
      report.fail() << "q_offset " << offset << " is not a multiple of the row blocks of " << blocks.stride;
      return false;
    }
  return true;
}

} // namespace sattn::ref

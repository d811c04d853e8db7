// Reductions over columns and heads, and prefix sums. What is reduced over heads has few rows and goes on in shared
// memory.
#include "codegen/gpu/Lowering.h"

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;

static Value join(Code &c, bool isMax, Value a, Value b) { return isMax ? c.maxNumber(a, b) : c.addf(a, b); }

LogicalResult Lowering::lower(tile::ReduceOp op) {
  return op.getOver() == "heads" ? reduceHeads(op) : reduceColumns(op);
}

LogicalResult Lowering::reduceHeads(tile::ReduceOp op) {
  FailureOr<SharedTile> from = sharedOf(op, op.getTile());
  if (failed(from))
    return failure();
  bool isMax = op.getKind() == "max";
  auto heads = static_cast<int64_t>(*op.getGroup());
  SharedTile result = newShared(op.getResult().getType());
  // Heads of a position stand side by side, or `positions` rows apart.
  int64_t positionRows = op.getOuter() ? 1 : heads, headRows = op.getOuter() ? result.rows : 1;
  forElements(result.count(), [&](Value i) {
    Value position = arith::DivUIOp::create(c.b, i, c.int32(result.width()));
    Value column = c.subi(i, c.muli(position, c.int32(result.width())));
    Value first = c.addi(c.muli(position, c.int32(positionRows * result.width())), column);
    Value sum = loadShared(*from, first, c.f32);
    for (int64_t head = 1; head < heads; ++head)
      sum = join(c, isMax, sum, loadShared(*from, c.addi(first, c.int32(head * headRows * result.width())), c.f32));
    storeShared(result, i, sum);
  });
  tile(op.getResult()) = {};
  tile(op.getResult()).shared = result;
  return success();
}

LogicalResult Lowering::reduceColumns(tile::ReduceOp op) {
  bool isMax = op.getKind() == "max";
  if (tile(op.getTile()).shared) {
    SharedTile from = *tile(op.getTile()).shared, result = newShared(op.getResult().getType());
    forElements(result.rows, [&](Value row) {
      Value first = c.muli(row, c.int32(from.cols));
      Values sum = c.loop(c.int32(1), c.int32(from.cols), 1, {loadShared(from, first, c.f32)},
                          [&](Value i, ValueRange sums) -> Values {
                            Value at = c.addi(first, i);
                            return {join(c, isMax, sums[0], loadShared(from, at, c.f32))};
                          });
      storeShared(result, row, sum[0]);
    });
    tile(op.getResult()) = {};
    tile(op.getResult()).shared = result;
    return success();
  }
  FailureOr<Fragment> from = fragmentOf(op, op.getTile());
  if (failed(from))
    return failure();
  Fragment result = emptyFragment(op.getResult().getType());
  for (int64_t block = 0; block < from->blocks(); ++block)
    for (int64_t half = 0; half < 2; ++half) {
      Value sum;
      for (int64_t j = 0; j < from->cols / 8; ++j)
        for (int64_t e = 2 * half; e < 2 * half + 2; ++e)
          sum = sum ? join(c, isMax, sum, from->element(block, j, e)) : from->element(block, j, e);
      result.at[2 * block + half] = c.acrossRow(sum, [&](Value a, Value b) { return join(c, isMax, a, b); });
    }
  tile(op.getResult()) = {};
  tile(op.getResult()).fragment = std::move(result);
  return success();
}

LogicalResult Lowering::lower(tile::RowScanOp op) {
  FailureOr<SharedTile> from = sharedOf(op, op.getTile());
  if (failed(from))
    return failure();
  SharedTile result = newShared(op.getResult().getType());
  forElements(result.rows, [&](Value row) {
    Value first = c.muli(row, c.int32(result.cols));
    c.loop(c.int32(0), c.int32(result.cols), 1, {c.float32(0)}, [&](Value i, ValueRange sums) -> Values {
      Value column = i;
      if (op.getReverse())
        column = c.subi(c.int32(result.cols - 1), column);
      Value at = c.addi(first, column), sum = c.addf(sums[0], loadShared(*from, at, c.f32));
      storeShared(result, at, sum);
      return {sum};
    });
  });
  tile(op.getResult()) = {};
  tile(op.getResult()).shared = result;
  return success();
}

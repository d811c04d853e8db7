// Reading rows into something smaller: means and extremes of blocks of positions, single elements of listed rows.
#include "codegen/cpu/Lowering.h"
#include <limits>

using namespace sattn;
using namespace sattn::cpu;

// Rows of float32 in scratch memory, each padded to whole strips.
RowSource Lowering::scratchRows(int64_t rows, int64_t cols) {
  int64_t rowBytes = llvm::alignTo(cols, kLanes) * 4;
  RowSource source;
  source.view.type = tile::ViewType::get(c.b.getContext(), c.f32, cols, 1, false, {});
  source.view.owner = scratch.take(rows * rowBytes);
  source.view.base = {scratchBase, source.view.owner->offset};
  source.view.positionBytes = c.int64(rowBytes);
  source.view.headBytes = c.int64(0);
  source.view.limit = c.int64(rows);
  source.position = c.int64(0);
  source.rows = rows;
  return source;
}

// Features are lanes here: a block's rows are joined strip by strip, up to eight strips at a time.
LogicalResult Lowering::lower(tile::LoadBlocksOp op) {
  const View &view = views[op.getView()];
  tile::TileType type = op.getTile().getType();
  int64_t cols = type.getCols(), length = static_cast<int64_t>(op.getLength()), bytes = view.elementBytes();
  Type element = view.type.getElementType();
  if (!element.isF32() && !element.isF16() && !element.isBF16())
    return unsupported(op, "blocks of elements other than f32, f16 and bf16");
  RowSource means = scratchRows(type.getRows(), cols);
  int64_t rowBytes = llvm::alignTo(cols, kLanes) * 4;
  constexpr int64_t kStripsAtOnce = 8;
  StringRef how = op.getReduce();
  Value none = how == "max" ? c.minusInf() : how == "min" ? c.strip(std::numeric_limits<float>::infinity()) : c.zero();
  auto joined = [&](Value x, Value y) {
    return how == "max" ? c.maxNan(x, y) : how == "min" ? c.minNan(x, y) : c.addf(x, y);
  };

  c.loop(0, type.getRows(), 1, [&](Value row) {
    Value start = c.mul(c.add(scalar(op.getFirst()), row), static_cast<int64_t>(op.getStride()));
    // Positions of the block inside the view; none where it starts before it or, unless ragged, ends behind it.
    Value count = c.min(c.max(c.sub(view.limit, start), c.int64(0)), c.int64(length));
    Value usable = op.getRagged() ? c.less(c.int64(-1), start)
                                  : c.andi(c.less(c.int64(-1), start), c.equal(count, c.int64(length)));
    count = c.select(usable, count, c.int64(0));
    Value factor;
    if (how == "mean") {
      Value divisor = mlir::arith::SIToFPOp::create(c.b, c.f32, c.max(count, c.int64(1)));
      factor = c.divf(c.strip(1.0f), c.broadcast(divisor));
    }
    Value empty = c.equal(count, c.int64(0));
    auto finished = [&](Value all) {
      if (op.getFinite())
        all = c.maxNan(c.minNan(all, c.strip(tile::kFarthestExtreme)), c.strip(-tile::kFarthestExtreme));
      return how == "sum" ? all : factor ? c.mulf(all, factor) : c.select(empty, c.zero(), all);
    };
    Ptr first = view.pages ? Ptr() : c.at(view.base, c.mul(start, view.positionBytes));
    Ptr to = c.atScaled(means.view.base, row, rowBytes);
    for (int64_t col = 0; col < cols; col += kStripsAtOnce * kLanes) {
      int64_t strips = std::min<int64_t>(kStripsAtOnce, llvm::divideCeil(cols - col, kLanes));
      auto columnsOf = [&](int64_t i) { return std::min(kLanes, cols - col - i * kLanes); };
      Values all = c.loop(c.int64(0), count, 1, Values(strips, none), [&](Value n, ValueRange carried) {
        Ptr position = view.pages
                           ? Ptr{pagedPointer(view, c.add(start, n), c.boolean(true), c.address(c.zeros(cols * bytes)))}
                           : c.at(first, c.mul(n, view.positionBytes));
        Values next;
        for (int64_t i = 0; i < strips; ++i)
          next.push_back(
              joined(carried[i], c.loadElements(position.plus((col + i * kLanes) * bytes), element, columnsOf(i))));
        return next;
      });
      for (int64_t i = 0; i < strips; ++i)
        c.storeStrip(finished(all[i]), to.plus((col + i * kLanes) * 4));
    }
  });
  return defineFromRows(op, op.getTile(), means);
}

LogicalResult Lowering::lower(tile::GatherAtOp op) {
  auto ids = panelsOf(op.getIds()), slots = panelsOf(op.getSlots());
  if (failed(ids) || failed(slots))
    return failure();
  const View &view = views[op.getView()];
  if (!view.type.getElementType().isF32())
    return unsupported(op, "elements of listed rows of an element type other than f32");
  RowSource source{view, scalar(op.getBase()), *ids, liveRows(op.getTile())};
  Panels to = newPanels(op.getTile());
  Value zeros = c.address(c.zeros(64));
  int64_t group = view.type.getGroup(), listed = ids->rows, inner = view.type.getInner();
  // Numbers of one row of the view may serve several heads: neighbouring rows of the tile share them.
  int64_t sharing = op.getTile().getType().getRows() / (listed * group);
  int64_t step = view.grouped ? group * 4 : 4; // from an element of a row to the next
  c.loop(0, source.rows, 1, [&](Value tileRow) {
    Value row = c.floorDiv(tileRow, sharing);
    Value index = view.type.getOuter() ? c.mod(row, listed) : c.floorDiv(row, group);
    Value slot = mlir::arith::ExtSIOp::create(c.b, c.i64, c.load(c.i32, c.atScaled(slots->base, index, 4), 4));
    Value pointer = rowPointer(source, row, zeros);
    // A slot that no row has reads as 0, and so does a row that does not exist: its line of zeros is one strip long.
    Value exists = c.andi(c.lessUnsigned(slot, c.int64(inner)), c.differs(pointer, zeros));
    Value offset = c.select(exists, c.mul(slot, step), c.int64(0));
    Value from = c.select(exists, pointer, zeros);
    c.store(c.load(c.f32, Ptr{c.at(from, offset)}, 4), c.atScaled(to.base, tileRow, 4), 4);
  });
  tile(op.getTile()) = {};
  tile(op.getTile()).panels = to;
  return success();
}

LogicalResult Lowering::lower(tile::EntryOp op) {
  const View &view = views[op.getView()];
  Ptr at = c.at(view.base, c.add(c.mul(scalar(op.getPosition()), view.positionBytes), c.mul(scalar(op.getSlot()), 4)));
  if (op.getValue().getType().isIndex())
    scalars[op.getValue()] = mlir::arith::ExtSIOp::create(c.b, c.i64, c.load(c.i32, at, 4));
  else
    scalars[op.getValue()] = c.load(c.f32, at, 4);
  return success();
}

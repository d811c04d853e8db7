// Means and extremes of blocks, and single elements of listed rows.
#include "codegen/gpu/Lowering.h"
#include <limits>

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;

// Each lane joins its own columns of its rows' blocks, position by position.
LogicalResult Lowering::lower(tile::LoadBlocksOp op) {
  const View &view = views[op.getView()];
  tile::TileType type = op.getTile().getType();
  Type element = view.type.getElementType();
  auto length = static_cast<int64_t>(op.getLength()), stride = static_cast<int64_t>(op.getStride());
  if (type.isVector() || type.getCols() % 8 != 0 || view.type.getGroup() != 1)
    return unsupported(op, "blocks of features that are not a multiple of 8, or of groups of heads");
  StringRef how = op.getReduce();
  Value none = how == "max"   ? c.minusInf()
               : how == "min" ? c.float32(std::numeric_limits<float>::infinity())
                              : c.float32(0);
  auto joined = [&](Value x, Value y) -> Value {
    if (how == "max")
      return arith::MaximumFOp::create(c.b, x, y);
    return how == "min" ? arith::MinimumFOp::create(c.b, x, y).getResult() : c.addf(x, y);
  };
  Fragment result = emptyFragment(type);
  for (int64_t block = 0; block < result.blocks(); ++block)
    for (int64_t half = 0; half < 2; ++half) {
      Value row = arith::ExtUIOp::create(c.b, c.i64, rowOf(block, half));
      Value from = c.mul(c.add(scalar(op.getFirst()), row), stride), end = c.add(from, length);
      Value last = c.min(end, view.limit);
      Value counts = c.less(from, last);
      if (!op.getRagged())
        counts = c.andi(counts, c.compareI(arith::CmpIPredicate::sle, end, view.limit));
      // A block that does not count has no positions.
      last = c.select(counts, last, from);
      Value pointer = c.at(view.base, c.muli(c.lanePair, c.int32(2 * view.elementBytes())));
      Values nothing(type.getCols() / 4, none);
      Values all = c.loop(from, last, 1, nothing, [&](Value position, ValueRange carried) {
        auto numbersAt = [&](Value at) {
          Values numbers;
          for (int64_t j = 0; j < type.getCols() / 8; ++j)
            for (int64_t e = 0; e < 2; ++e)
              numbers.push_back(loadNumber(element, c.at(at, (8 * j + e) * view.elementBytes())));
          return numbers;
        };
        Values numbers, next;
        if (view.pages) {
          PagePlace place = placeInPages(view, position, c.boolean(true));
          Value at = c.at(place.pointer, c.muli(c.lanePair, c.int32(2 * view.elementBytes())));
          numbers = c.when(
              place.exists, SmallVector<Type>(type.getCols() / 4, c.f32), [&] { return numbersAt(at); },
              [&] { return Values(type.getCols() / 4, c.float32(0)); });
        } else {
          numbers = numbersAt(c.at(pointer, c.mul(position, view.positionBytes)));
        }
        for (auto [sum, number] : llvm::zip(carried, numbers))
          next.push_back(joined(sum, number));
        return next;
      });
      Value factor;
      if (how == "mean") {
        Value count = arith::UIToFPOp::create(c.b, c.f32, c.sub(last, from));
        factor = c.select(counts, c.divf(c.float32(1), count), c.float32(0));
      }
      auto finished = [&](Value x) -> Value {
        if (op.getFinite())
          x = arith::MaximumFOp::create(
              c.b, arith::MinimumFOp::create(c.b, x, c.float32(tile::kFarthestExtreme)).getResult(),
              c.float32(-tile::kFarthestExtreme));
        return how == "sum" ? x : factor ? c.mulf(x, factor) : c.select(c.less(from, last), x, c.float32(0));
      };
      for (int64_t j = 0; j < type.getCols() / 8; ++j)
        for (int64_t e = 0; e < 2; ++e)
          result.element(block, j, 2 * half + e) = finished(all[2 * j + e]);
    }
  tile(op.getTile()) = {};
  tile(op.getTile()).fragment = std::move(result);
  return success();
}

LogicalResult Lowering::lower(tile::GatherAtOp op) {
  const View &view = views[op.getView()];
  FailureOr<SharedTile> ids = sharedOf(op, op.getIds()), slots = sharedOf(op, op.getSlots());
  if (failed(ids) || failed(slots))
    return failure();
  tile::TileType type = op.getTile().getType();
  Type element = view.type.getElementType();
  if (!type.isVector() || !element.isF32())
    return unsupported(op, "elements of listed rows that are not float32 numbers");
  // Elements of a listed position: one for each head of the view; each fills as many rows as share it.
  int64_t group = view.type.getGroup(), perId = type.getRows() / ids->rows, share = perId / group;
  Fragment result = emptyFragment(type);
  for (int64_t block = 0; block < result.blocks(); ++block)
    for (int64_t half = 0; half < 2; ++half) {
      Value row = arith::MinUIOp::create(c.b, rowOf(block, half), c.int32(type.getRows() - 1));
      Value place = arith::DivUIOp::create(c.b, row, c.int32(perId));
      Value head = arith::DivUIOp::create(c.b, c.subi(row, c.muli(place, c.int32(perId))), c.int32(share));
      Value id = loadShared(*ids, place, c.i32), slot = loadShared(*slots, place, c.i32);
      Value at = c.add(scalar(op.getBase()), arith::ExtSIOp::create(c.b, c.i64, id).getResult());
      Value inside = c.andi(c.lessUnsigned(at, view.limit), c.compareI(arith::CmpIPredicate::sge, id, c.int32(0)));
      inside = c.andi(inside, c.compareI(arith::CmpIPredicate::ult, slot, c.int32(view.type.getInner())));
      Value offset = c.add(c.mul(at, view.positionBytes),
                           c.mul(arith::ExtUIOp::create(c.b, c.i64, head).getResult(), view.headBytes));
      offset = c.add(offset, c.mul(arith::ExtSIOp::create(c.b, c.i64, slot).getResult(), 4));
      result.at[2 * block + half] = c.when(
          inside, {Type(c.f32)}, [&] { return Values{c.load(c.f32, c.at(view.base, offset), 4)}; },
          [&] { return Values{c.float32(0)}; })[0];
    }
  tile(op.getTile()) = {};
  tile(op.getTile()).fragment = std::move(result);
  return success();
}

LogicalResult Lowering::lower(tile::EntryOp op) {
  const View &view = views[op.getView()];
  Value offset = c.add(c.mul(scalar(op.getPosition()), view.positionBytes), c.mul(scalar(op.getSlot()), 4));
  Value at = c.at(view.base, offset);
  if (op.getValue().getType().isIndex())
    scalars[op.getValue()] = arith::ExtSIOp::create(c.b, c.i64, c.load(c.i32, at, 4));
  else
    scalars[op.getValue()] = c.load(c.f32, at, 4);
  return success();
}

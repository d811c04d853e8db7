// Tiles in shared memory: an element for each thread, and a barrier after what writes them.
#include "codegen/gpu/Lowering.h"

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;

SharedTile Lowering::newShared(tile::TileType type) {
  ++sharedTiles;
  SharedTile shared;
  shared.rows = type.getRows();
  shared.cols = type.isVector() ? 0 : type.getCols();
  shared.base = c.at(sharedBase, memory.take(shared.count() * 4));
  return shared;
}

void Lowering::forElements(int64_t count, llvm::function_ref<void(Value)> body) {
  c.loop(c.thread, c.int32(count), threads(), body);
  c.barrier();
}

Value Lowering::loadShared(const SharedTile &tile, Value element, Type type) {
  return c.load(type, c.at(tile.base, c.muli(element, c.int32(4))), 4);
}

void Lowering::storeShared(const SharedTile &tile, Value element, Value value) {
  c.store(value, c.at(tile.base, c.muli(element, c.int32(4))), 4);
}

FailureOr<SharedTile> Lowering::sharedOf(Operation *user, Value value) {
  if (tile(value).shared)
    return *tile(value).shared;
  return copyToShared(user, value);
}

FailureOr<SharedTile> Lowering::copyToShared(Operation *user, Value value) {
  TileValue held = tile(value);
  SharedTile to = newShared(cast<tile::TileType>(value.getType()));
  if (held.shared) {
    forElements(to.count(), [&](Value i) { storeShared(to, i, loadShared(*held.shared, i, c.i32)); });
    return to;
  }
  if (held.splat) {
    forElements(to.count(), [&](Value i) { storeShared(to, i, c.float32(*held.splat)); });
    return to;
  }
  FailureOr<Fragment> from = fragmentOf(user, value);
  if (failed(from))
    return failure();
  for (int64_t block = 0; block < from->blocks(); ++block)
    for (int64_t half = 0; half < 2; ++half) {
      Value row = rowOf(block, half);
      c.when(c.compareI(arith::CmpIPredicate::ult, row, c.int32(to.rows)), [&] {
        if (from->isVector())
          return storeShared(to, row, from->at[2 * block + half]);
        Value first = c.addi(c.muli(row, c.int32(to.cols)), c.muli(c.lanePair, c.int32(2)));
        for (int64_t j = 0; j < to.cols / 8; ++j)
          for (int64_t e = 0; e < 2; ++e)
            storeShared(to, c.addi(first, c.int32(8 * j + e)), from->element(block, j, 2 * half + e));
      });
    }
  c.barrier();
  return to;
}

LogicalResult Lowering::storeShared(const SharedTile &from, const RowSource &target) {
  Type element = target.view.type.getElementType();
  int64_t width = from.width(), bytes = target.view.elementBytes();
  forElements(from.count(), [&](Value i) {
    Value row = arith::DivUIOp::create(c.b, i, c.int32(width));
    Value column = c.subi(i, c.muli(row, c.int32(width)));
    auto [pointer, inside] = rowPointer(target, row);
    c.when(inside, [&, pointer = pointer] {
      Value number = loadShared(from, i, element.isInteger(32) ? Type(c.i32) : Type(c.f32));
      if (isa<FloatType>(element) && !element.isF32())
        number = arith::TruncFOp::create(c.b, element, number);
      c.store(number, c.at(pointer, c.muli(column, c.int32(bytes))), bytes);
    });
  });
  return success();
}

LogicalResult Lowering::mapShared(tile::MapOp op) {
  tile::TileType type = op.getResult().getType();
  SmallVector<std::optional<SharedTile>> operands;
  for (Value input : op.getInputs()) {
    operands.emplace_back();
    if (!isa<tile::TileType>(input.getType()) || tile(input).splat)
      continue;
    FailureOr<SharedTile> shared = sharedOf(op, input);
    if (failed(shared))
      return failure();
    operands.back() = *shared;
  }
  SharedTile result = newShared(type);
  bool ok = true;
  forElements(result.count(), [&](Value i) {
    Value row = arith::DivUIOp::create(c.b, i, c.int32(result.width()));
    Values inputs;
    for (auto [input, operand] : llvm::zip(op.getInputs(), operands)) {
      auto inputType = dyn_cast<tile::TileType>(input.getType());
      if (!inputType)
        inputs.push_back(scalar(input));
      else if (tile(input).splat)
        inputs.push_back(c.float32(*tile(input).splat));
      else
        inputs.push_back(
            loadShared(*operand, operand->cols == 0 && result.cols != 0 ? row : i, inputType.getElementType()));
    }
    FailureOr<Value> element = emitScalarBody(op, inputs);
    ok &= succeeded(element);
    if (ok)
      storeShared(result, i, *element);
  });
  tile(op.getResult()) = {};
  tile(op.getResult()).shared = result;
  return success(ok);
}

LogicalResult Lowering::maskShared(tile::MaskOp op, const SharedTile &scores) {
  if (!op.getTables().empty())
    return unsupported(op, "tables of few rows");
  SharedTile result = newShared(op.getResult().getType());
  bool ok = true;
  forElements(result.count(), [&](Value i) {
    Value row = arith::DivUIOp::create(c.b, i, c.int32(result.cols));
    Value column = c.subi(i, c.muli(row, c.int32(result.cols)));
    FailureOr<codegen::Position> t = rowPosition(op, op.getRowMap(), scalar(op.getRow()), row, result.rows);
    FailureOr<Values> inside = failure();
    if (succeeded(t))
      inside = inSets(op, op.getSets(), *t, {scalar(op.getCol()), column, 0, result.cols - 1}, op.getSymbols());
    ok &= succeeded(inside);
    Value score = loadShared(scores, i, c.f32);
    if (ok)
      storeShared(result, i, inside->front() ? c.select(inside->front(), score, c.minusInf()) : score);
  });
  tile(op.getResult()) = {};
  tile(op.getResult()).shared = result;
  return success(ok);
}

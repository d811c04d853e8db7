// Views, loads, stores, gathers and scatters: which forms a loaded tile takes follows from its uses. Left operands and
// numbers go from memory to registers, right operands to shared memory (Staging.cpp).
#include "codegen/common/ScalarOps.h"
#include "codegen/gpu/Lowering.h"

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;

//===-- Views -------------------------------------------------------------------------------------------===//

LogicalResult Lowering::lower(tile::SliceOp op) {
  const Argument &argument = arguments[op.getArg()];
  tile::ViewType type = op.getView().getType();
  if (type.getLayout())
    return unsupported(op, "operands in a blocked layout");
  View view;
  view.type = type;
  view.operand = cast<BlockArgument>(op.getArg()).getArgNumber();
  if (op.getPages() && type.getGroup() != 1)
    return unsupported(op, "pages of several heads at a time");
  if (op.getPages())
    view.pages = pagesOf(op);
  Value batch = op.getPages() ? c.int64(0) : c.mul(scalar(op.getBatch()), argument.strides[0]);
  Value offset = c.add(batch, c.mul(c.mul(scalar(op.getHead()), type.getGroup()), argument.strides[2]));
  if (op.getColumn())
    offset = c.add(offset, static_cast<int64_t>(*op.getColumn()) * view.elementBytes());
  view.positionBytes = op.getRepeat() ? c.int64(0) : argument.strides[1];
  view.headBytes = argument.strides[2];
  view.limit = op.getRepeat()  ? c.int64(INT64_MAX)
               : op.getPages() ? c.mul(view.pages->entries, view.pages->size)
                               : argument.counts[1];
  if (op.getLimit())
    view.limit = c.min(view.limit, scalar(op.getLimit()));
  if (op.getFrom()) {
    int64_t every = static_cast<int64_t>(*op.getEvery());
    Value from = scalar(op.getFrom());
    if (!op.getPages()) {
      offset = c.add(offset, c.mul(from, view.positionBytes));
      view.positionBytes = c.mul(view.positionBytes, every);
    }
    view.limit = c.floorDiv(c.add(c.sub(view.limit, from), every - 1), every);
  }
  view.base = c.at(argument.data, offset);
  view.limit = c.max(view.limit, c.int64(0));
  views[op.getView()] = view;
  return success();
}

// Shared memory of the block. Rows of whole 128-byte lines are padded, so that the rows of a fragment, which eight
// lanes access at once, begin in different banks.
LogicalResult Lowering::lower(tile::PrivateOp op) {
  View view;
  view.type = op.getView().getType();
  if (view.type.getLayout() || view.type.getElementType().getIntOrFloatBitWidth() != 32)
    return unsupported(op, "private memory of elements other than f32 and i32");
  int64_t rowBytes = view.type.getInner() * 4, positions = op.getPositions();
  if (rowBytes % 128 == 0)
    rowBytes += 32;
  view.positionBytes = c.int64(rowBytes * view.type.getGroup());
  view.headBytes = c.int64(rowBytes);
  view.limit = c.int64(positions);
  view.base = c.at(sharedBase, memory.take(positions * view.type.getGroup() * rowBytes));
  views[op.getView()] = view;
  return success();
}

LogicalResult Lowering::lower(tile::FillOp op) {
  const View &view = views[op.getView()];
  Value positions = op.getPositions() ? c.min(c.max(scalar(op.getPositions()), c.int64(0)), view.limit) : view.limit;
  Value numbers = c.mul(positions, view.positionBytes), value = scalar(op.getValue());
  Value first = c.mul(arith::ExtUIOp::create(c.b, c.i64, c.thread), 4);
  c.loop(first, numbers, threads() * 4, [&](Value offset) { c.store(value, c.at(view.base, offset), 4); });
  c.barrier();
  return success();
}

//===-- Rows --------------------------------------------------------------------------------------------===//

std::pair<Value, Value> Lowering::rowPointer(const RowSource &source, Value row) {
  const View &view = source.view;
  int64_t group = view.type.getGroup(), rows = source.rows;
  bool outer = view.type.getOuter() && !source.ids;
  Value from = row, head;
  if (group != 1) {
    int64_t by = outer ? rows / group : group;
    Value quotient = arith::DivUIOp::create(c.b, row, c.int32(by));
    Value rest = c.subi(row, c.muli(quotient, c.int32(by)));
    head = outer ? quotient : rest;
    from = outer ? rest : quotient;
  }
  // Warps may have more rows than the tile.
  Value exists;
  if (rows % (kMmaRows * layout.warps) != 0)
    exists = c.compareI(arith::CmpIPredicate::ult, row, c.int32(rows));
  Value at;
  if (source.ids) {
    Value place = exists ? c.select(exists, from, c.int32(0)) : from;
    Value id = c.load(c.i32, c.at(source.ids->base, c.muli(place, c.int32(4))), 4);
    Value listed = c.compareI(arith::CmpIPredicate::sge, id, c.int32(0));
    exists = exists ? c.andi(exists, listed) : listed;
    at = c.add(source.position, arith::ExtSIOp::create(c.b, c.i64, id).getResult());
  } else {
    at = c.add(source.position, arith::ExtUIOp::create(c.b, c.i64, from).getResult());
  }
  if (view.pages) {
    Value inside = c.lessUnsigned(at, view.limit);
    PagePlace place = placeInPages(view, at, exists ? c.andi(inside, exists) : inside);
    return {place.pointer, place.exists};
  }
  Value offset = c.mul(at, view.positionBytes);
  if (head)
    offset = c.add(offset, c.mul(arith::ExtUIOp::create(c.b, c.i64, head), view.headBytes));
  Value inside = c.lessUnsigned(at, view.limit);
  return {c.at(view.base, offset), exists ? c.andi(inside, exists) : inside};
}

void Lowering::needAlignment(const View &view, int64_t bytes) {
  if (view.operand && bytes > view.elementBytes())
    alignments[*view.operand] = std::max(alignments[*view.operand], bytes);
}

Value Lowering::loadNumber(Type element, Value pointer) {
  Value number = c.load(element, pointer, llvm::divideCeil(element.getIntOrFloatBitWidth(), 8));
  return element.isF32() || element.isInteger(32) ? number : c.widen(number);
}

// Each lane reads its own elements of its rows: the quad that shares a row reads neighbours.
FailureOr<LeftOperand> Lowering::loadLeft(Operation *op, tile::TileType type, const RowSource &source) {
  const View &view = source.view;
  if (type.getCols() % 16 != 0)
    return unsupported(op, "feature sizes that are not multiples of 16", "pad the features with zeros");
  LeftOperand result;
  result.blocks = layout.blocks(type.getRows());
  result.steps = type.getCols() / 16;
  result.at.resize(4 * result.blocks * result.steps);
  needAlignment(view, 4);
  for (int64_t block = 0; block < result.blocks; ++block)
    for (int64_t half = 0; half < 2; ++half) {
      auto [pointer, inside] = rowPointer(source, rowOf(block, half));
      // Two neighbours of each half of a step.
      Values read = c.when(
          inside, SmallVector<Type>(2 * result.steps, c.i32),
          [&, pointer = pointer] {
            Values registers;
            Value row = c.at(pointer, c.muli(c.lanePair, c.int32(4)));
            for (int64_t k = 0; k < 2 * result.steps; ++k)
              registers.push_back(c.load(c.i32, c.at(row, 16 * k), 4));
            return registers;
          },
          [&] { return Values(2 * result.steps, c.int32(0)); });
      // Registers of a step: rows 0 and 8 of the first half, rows 0 and 8 of the second.
      for (int64_t k = 0; k < result.steps; ++k)
        for (int64_t part = 0; part < 2; ++part)
          result.at[4 * (block * result.steps + k) + 2 * part + half] = read[2 * k + part];
    }
  return result;
}

// Whether the kernel leaves the memory that `view` shows as it is.
static bool isNeverWritten(Value view) {
  auto memoryOf = [](Value shown) {
    auto slice = shown.getDefiningOp<tile::SliceOp>();
    return slice ? Value(slice.getArg()) : shown;
  };
  bool written = false;
  view.getDefiningOp()->getParentOfType<tile::KernelOp>().walk([&](Operation *op) {
    for (Value operand : op->getOperands())
      written |= isa<tile::StoreOp, tile::ScatterOp, tile::FillOp>(op) && memoryOf(operand) == memoryOf(view);
  });
  return !written;
}

// Whether a map of a loaded tile can wait until float32 dots read the rows, so that its result needs no registers.
bool Lowering::appliedAtDots(tile::MapOp op, Value loaded) {
  auto load = loaded.getDefiningOp<tile::LoadOp>();
  if (!load || !isNeverWritten(load.getView()))
    return false;
  for (Value input : op.getInputs())
    if (isa<tile::TileType>(input.getType()) && input != loaded)
      return false;
  for (Operation &inner : op.getBody().front().without_terminator())
    if (!codegen::isElementwise(&inner) && !isa<arith::ConstantOp>(inner))
      return false;
  return llvm::all_of(op.getResult().getUses(), [&](OpOperand &use) {
    auto dot = dyn_cast<tile::DotOp>(use.getOwner());
    if (!dot || use.getOperandNumber() != 0)
      return false;
    FailureOr<DotForm> form = formOf(dot);
    return succeeded(form) && form->tf32();
  });
}

// Float32 takes a register for each element, of which there are too few to hold them while a stream runs.
FailureOr<LeftOperand> Lowering::loadLeftTf32(Operation *op, Value result, const RowSource &source) {
  const View &view = source.view;
  auto type = cast<tile::TileType>(result.getType());
  if (type.getCols() % 8 != 0)
    return unsupported(op, "feature sizes that are not multiples of 8", "pad the features with zeros");
  auto load = dyn_cast<tile::LoadOp>(op);
  LeftOperand left;
  if (!isNeverWritten(load ? load.getView() : cast<tile::GatherOp>(op).getView())) {
    FailureOr<Fragment> fragment = loadFragment(op, type, source);
    if (failed(fragment))
      return failure();
    left = toLeft(*fragment, DotForm(), {});
  } else {
    needAlignment(view, 2 * view.elementBytes());
    left.blocks = layout.blocks(type.getRows());
    left.steps = type.getCols() / 8;
    left.rows.emplace().element = view.type.getElementType();
    for (int64_t block = 0; block < left.blocks; ++block)
      for (int64_t half = 0; half < 2; ++half) {
        auto [pointer, inside] = rowPointer(source, rowOf(block, half));
        Value first = c.at(pointer, c.muli(c.lanePair, c.int32(2 * view.elementBytes())));
        left.rows->rows.push_back({first, inside});
      }
  }
  left.exact = !view.type.getElementType().isF32();
  return left;
}

LogicalResult Lowering::checkFragment(Operation *op, tile::TileType type) {
  bool isNumber = type.getElementType().isF32() || (type.isVector() && type.getElementType().isInteger(32));
  if (!isNumber)
    return unsupported(op, "loads to elements other than f32, and i32 of row vectors");
  if (!type.isVector() && type.getCols() % 8 != 0)
    return unsupported(op, "tiles whose columns are not a multiple of 8");
  return success();
}

Values Lowering::loadRow(tile::TileType type, const RowSource &source, int64_t block, int64_t half) {
  const View &view = source.view;
  Type element = view.type.getElementType();
  int64_t count = type.isVector() ? 1 : type.getCols() / 4;
  auto [pointer, inside] = rowPointer(source, rowOf(block, half));
  bool integers = type.getElementType().isInteger();
  return c.when(
      inside, SmallVector<Type>(count, type.getElementType()),
      [&, pointer = pointer] {
        if (type.isVector())
          return Values{loadNumber(element, pointer)};
        Values numbers;
        Value row = c.at(pointer, c.muli(c.lanePair, c.int32(2 * view.elementBytes())));
        for (int64_t j = 0; j < type.getCols() / 8; ++j) {
          Value at = c.at(row, 8 * j * view.elementBytes());
          if (!view.operand && element.isF32()) { // rows of private memory begin at multiples of 16 bytes
            Value pair = c.load(VectorType::get({2}, c.f32), at, 8);
            numbers.push_back(LLVM::ExtractElementOp::create(c.b, pair, c.int32(0)));
            numbers.push_back(LLVM::ExtractElementOp::create(c.b, pair, c.int32(1)));
            continue;
          }
          for (int64_t e = 0; e < 2; ++e)
            numbers.push_back(loadNumber(element, c.at(at, e * view.elementBytes())));
        }
        return numbers;
      },
      [&] { return Values(count, integers ? c.int32(0) : c.float32(0)); });
}

FailureOr<Fragment> Lowering::loadFragment(Operation *op, tile::TileType type, const RowSource &source) {
  if (failed(checkFragment(op, type)))
    return failure();
  Fragment result = emptyFragment(type);
  for (int64_t block = 0; block < result.blocks(); ++block)
    for (int64_t half = 0; half < 2; ++half)
      result.setRow(block, half, loadRow(type, source, block, half));
  return result;
}

//===-- Loads -------------------------------------------------------------------------------------------===//

LogicalResult Lowering::defineFromRows(Operation *op, Value result, const RowSource &source) {
  TileValue value;
  auto type = cast<tile::TileType>(result.getType());
  bool numbers = false, left = false, leftTf32 = false, right = false;
  SmallVector<tile::MapOp> maps;
  for (OpOperand &use : result.getUses()) {
    auto dot = dyn_cast<tile::DotOp>(use.getOwner());
    if (auto map = dyn_cast<tile::MapOp>(use.getOwner()); map && appliedAtDots(map, result)) {
      maps.push_back(map);
    } else if (!dot || use.getOperandNumber() > 1) {
      numbers = true;
    } else if (use.getOperandNumber() == 0) {
      FailureOr<DotForm> form = formOf(dot);
      if (failed(form))
        return failure();
      (form->tf32() ? leftTf32 : left) = true;
    } else {
      right = true;
    }
  }
  if (right) {
    // Already there where a stream copies ahead.
    if (!tile(result).right && failed(stageNow(op, result, source)))
      return failure();
    value.right = tile(result).right;
    value.rightFrom = source;
  }
  if (left) {
    FailureOr<LeftOperand> operand =
        staysShared(op, result) ? stageLeft(op, result, source) : loadLeft(op, type, source);
    if (failed(operand))
      return failure();
    value.left = std::move(*operand);
  }
  if (leftTf32) {
    FailureOr<LeftOperand> operand = loadLeftTf32(op, result, source);
    if (failed(operand))
      return failure();
    value.leftTf32 = std::move(*operand);
  }
  for (tile::MapOp map : maps) {
    FailureOr<LeftOperand> operand = loadLeftTf32(op, map.getResult(), source);
    if (failed(operand))
      return failure();
    operand->rows->map = map;
    operand->exact = false;
    tile(map.getResult()) = {};
    tile(map.getResult()).leftTf32 = std::move(*operand);
  }
  if (numbers && readByMap.contains(op)) {
    if (failed(checkFragment(op, type)))
      return failure();
    value.unread = source;
  } else if (numbers) {
    FailureOr<Fragment> fragment = loadFragment(op, type, source);
    if (failed(fragment))
      return failure();
    value.fragment = std::move(*fragment);
  }
  tile(result) = std::move(value);
  return success();
}

// Numbers of consecutive positions: each lane reads those of its columns.
LogicalResult Lowering::loadColumns(tile::LoadOp op) {
  const View &view = views[op.getView()];
  tile::TileType type = op.getTile().getType();
  if (type.getCols() % 8 != 0)
    return unsupported(op, "tiles whose columns are not a multiple of 8");
  if (view.pages)
    return unsupported(op, "numbers of keys in pages", "give them in one piece");
  Value position = scalar(op.getPosition());
  Value own = c.muli(c.lanePair, c.int32(2)),
        first = c.add(position, arith::ExtUIOp::create(c.b, c.i64, own).getResult());
  Value pointer = c.at(view.base, c.mul(first, view.positionBytes));
  // Of the columns those with before <= column < before + count exist.
  Value before = c.clampTo32(c.sub(c.int64(0), position), 0, type.getCols());
  Value count = c.subi(c.clampTo32(c.sub(view.limit, position), 0, type.getCols()), before);
  Values columns;
  for (int64_t i = 0; i < type.getCols() / 4; ++i) {
    int64_t column = 8 * (i / 2) + i % 2;
    Value inside = c.compareI(arith::CmpIPredicate::ult, c.subi(c.addi(own, c.int32(column)), before), count);
    Type element = type.getElementType();
    columns.push_back(c.when(
        inside, {element},
        [&]() -> Values {
          return {loadNumber(view.type.getElementType(), c.at(pointer, c.mul(view.positionBytes, column)))};
        },
        [&]() -> Values { return {element.isInteger() ? c.int32(0) : c.float32(0)}; })[0]);
  }
  tile(op.getTile()) = {};
  tile(op.getTile()).columns = std::move(columns);
  return success();
}

LogicalResult Lowering::lower(tile::LoadOp op) {
  if (op.getColumns())
    return loadColumns(op);
  tile::TileType type = op.getTile().getType();
  return defineFromRows(
      op, op.getTile(),
      {views[op.getView()], scalar(op.getPosition()), type.getRows(), {}, codegen::divisorOf(op.getPosition())});
}

LogicalResult Lowering::lower(tile::GatherOp op) {
  FailureOr<SharedTile> ids = sharedOf(op, op.getIds());
  if (failed(ids))
    return failure();
  tile::TileType type = op.getTile().getType();
  return defineFromRows(op, op.getTile(), {views[op.getView()], scalar(op.getBase()), type.getRows(), *ids});
}

//===-- Stores ------------------------------------------------------------------------------------------===//

LogicalResult Lowering::storeRows(Operation *op, Value value, const RowSource &source) {
  const View &view = source.view;
  auto type = cast<tile::TileType>(value.getType());
  Type element = view.type.getElementType();
  if (tile(value).shared)
    return storeShared(*tile(value).shared, source);
  FailureOr<Fragment> fragment = fragmentOf(op, value);
  if (failed(fragment))
    return failure();
  bool floats = type.getElementType().isF32() && isa<FloatType>(element);
  if (!floats && !(type.isVector() && type.getElementType().isInteger(32) && element.isInteger(32)))
    return unsupported(op, "stores of elements other than floats");
  if (!type.isVector())
    needAlignment(view, 2 * view.elementBytes());
  if (!view.operand)
    c.warpBarrier(); // the lanes of a row have read it
  for (int64_t block = 0; block < fragment->blocks(); ++block)
    for (int64_t half = 0; half < 2; ++half) {
      auto [pointer, inside] = rowPointer(source, rowOf(block, half));
      if (type.isVector())
        inside = c.andi(inside, c.compareI(arith::CmpIPredicate::eq, c.lanePair, c.int32(0)));
      c.when(inside, [&, pointer = pointer] {
        if (type.isVector()) {
          Value number = fragment->at[2 * block + half];
          if (element.getIntOrFloatBitWidth() != 32)
            number = arith::TruncFOp::create(c.b, element, number);
          return c.store(number, pointer, view.elementBytes());
        }
        Value row = c.at(pointer, c.muli(c.lanePair, c.int32(2 * view.elementBytes())));
        for (int64_t j = 0; j < type.getCols() / 8; ++j) {
          Value low = fragment->element(block, j, 2 * half), high = fragment->element(block, j, 2 * half + 1);
          Value at = c.at(row, 8 * j * view.elementBytes());
          if (!element.isF32()) {
            c.store(c.pack(low, high, element), at, 4);
            continue;
          }
          Value pair = LLVM::PoisonOp::create(c.b, VectorType::get({2}, c.f32));
          pair = LLVM::InsertElementOp::create(c.b, pair, low, c.int32(0));
          c.store(LLVM::InsertElementOp::create(c.b, pair, high, c.int32(1)), at, 8);
        }
      });
    }
  return success();
}

LogicalResult Lowering::lower(tile::StoreOp op) {
  tile::TileType type = op.getTile().getType();
  return storeRows(op, op.getTile(), {views[op.getView()], scalar(op.getPosition()), type.getRows(), {}});
}

LogicalResult Lowering::lower(tile::ScatterOp op) {
  FailureOr<SharedTile> ids = sharedOf(op, op.getIds());
  if (failed(ids))
    return failure();
  tile::TileType type = op.getTile().getType();
  return storeRows(op, op.getTile(), {views[op.getView()], scalar(op.getBase()), type.getRows(), *ids});
}

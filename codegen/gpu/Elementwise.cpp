// Maps and masks, register by register.
#include "codegen/common/ScalarOps.h"
#include "codegen/common/SetCode.h"
#include "codegen/gpu/Lowering.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;

//===-- Maps --------------------------------------------------------------------------------------------===//

// 1 - 2 / (e^2x + 1), of which the exponential may overflow or vanish without harm.
static Value emitTanh(Code &c, Value x) {
  Value power = c.exp2(c.mulf(x, c.float32(2.8853900817779268f)));
  return c.subf(c.float32(1), c.divf(c.float32(2), c.addf(power, c.float32(1))));
}

static Value emitMath(Code &c, Operation *op, ArrayRef<Value> x) {
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case<math::Exp2Op>([&](auto) { return c.exp2(x[0]); })
      .Case<math::Log2Op>([&](auto) { return c.log2(x[0]); })
      .Case<math::TanhOp>([&](auto) { return emitTanh(c, x[0]); })
      .Case<math::FmaOp>([&](auto) -> Value { return LLVM::FMAOp::create(c.b, x[0], x[1], x[2]); })
      .Case<math::SqrtOp>([&](auto) -> Value { return LLVM::SqrtOp::create(c.b, x[0]); })
      .Case<math::RsqrtOp>([&](auto) { return c.divf(c.float32(1), LLVM::SqrtOp::create(c.b, x[0])); })
      .Case<math::AbsFOp>([&](auto) -> Value { return LLVM::FAbsOp::create(c.b, x[0]); })
      .Case<math::FloorOp>([&](auto) -> Value { return LLVM::FFloorOp::create(c.b, x[0]); })
      .Case<math::RoundEvenOp>([&](auto) -> Value { return LLVM::RoundEvenOp::create(c.b, x[0]); })
      .Default([](Operation *) { return Value(); });
}

FailureOr<Value> Lowering::emitScalarBody(tile::MapOp op, ArrayRef<Value> inputs) {
  llvm::DenseMap<Value, Value> values;
  Block &body = op.getBody().front();
  for (auto [argument, input] : llvm::zip(body.getArguments(), inputs))
    values[argument] = input;
  auto lookup = [&](Value value) {
    Value &known = values[value];
    return known ? known : known = scalar(value);
  };
  for (Operation &inner : body.without_terminator()) {
    Values operands;
    for (Value operand : inner.getOperands())
      operands.push_back(lookup(operand));
    Value result;
    if (codegen::isElementwise(&inner) || isa<arith::ConstantOp>(inner)) {
      result = codegen::cloneOn(c, &inner, operands, inner.getResult(0).getType());
    } else if (auto call = dyn_cast<tile::CallOp>(inner)) {
      result = c.callFunction(functionSymbol(call.getCallee()), operands);
    } else {
      result = emitMath(c, &inner, operands);
    }
    if (!result)
      return unsupported(&inner, "'" + inner.getName().getStringRef() + "' in a map");
    values[inner.getResult(0)] = result;
  }
  return lookup(cast<tile::YieldOp>(body.getTerminator()).getOperand(0));
}

LogicalResult Lowering::lower(tile::IotaOp op) {
  tile::TileType type = op.getTile().getType();
  AffineMap map = op.getNumbers();
  TileValue value;
  bool ok = true;
  auto number = [&](Value i) -> Value {
    Value at = c.affine(map.getResult(0), 1, {arith::ExtUIOp::create(c.b, c.i64, i).getResult()});
    ok &= static_cast<bool>(at);
    return ok ? arith::SIToFPOp::create(c.b, c.f32, arith::TruncIOp::create(c.b, c.i32, at).getResult()).getResult()
              : c.float32(0);
  };
  if (type.isVector()) {
    value.fragment = emptyFragment(type);
    for (int64_t block = 0; block < value.fragment->blocks(); ++block)
      for (int64_t half = 0; half < 2; ++half)
        value.fragment->at[2 * block + half] = number(rowOf(block, half));
  } else {
    if (type.getCols() % 8 != 0)
      return unsupported(op, "tiles whose columns are not a multiple of 8");
    value.columns.emplace();
    for (int64_t i = 0; i < type.getCols() / 4; ++i)
      value.columns->push_back(number(c.addi(c.muli(c.lanePair, c.int32(2)), c.int32(8 * (i / 2) + i % 2))));
  }
  if (!ok)
    return unsupported(op, "numbers with divisors that are not positive constants");
  tile(op.getTile()) = std::move(value);
  return success();
}

LogicalResult Lowering::lower(tile::MapOp op) {
  tile::TileType type = op.getResult().getType();
  if (tile(op.getResult()).leftTf32)
    return success(); // its dots apply it
  if (!type.getElementType().isF32())
    return unsupported(op, "maps to elements other than f32");
  if (llvm::any_of(op.getInputs(),
                   [&](Value input) { return isa<tile::TileType>(input.getType()) && tile(input).shared.has_value(); }))
    return mapShared(op);
  Fragment result = emptyFragment(type);
  SmallVector<std::optional<Fragment>> operands;
  for (Value input : op.getInputs()) {
    operands.emplace_back();
    if (!isa<tile::TileType>(input.getType()) || tile(input).unread || tile(input).columns)
      continue;
    FailureOr<Fragment> fragment = fragmentOf(op, input);
    if (failed(fragment))
      return failure();
    operands.back() = std::move(*fragment);
  }
  for (int64_t block = 0; block < result.blocks(); ++block)
    for (int64_t half = 0; half < 2; ++half)
      if (failed(mapRow(op, operands, block, half, result)))
        return failure();
  tile(op.getResult()) = {};
  tile(op.getResult()).fragment = std::move(result);
  return success();
}

// The elements of one row of a thread. What is read from memory for them is dead after it, so that whole tiles of it
// need no registers.
LogicalResult Lowering::mapRow(tile::MapOp op, llvm::MutableArrayRef<std::optional<Fragment>> operands, int64_t block,
                               int64_t half, Fragment &result) {
  SmallVector<Values> rows; // empty for scalars
  for (auto [input, operand] : llvm::zip(op.getInputs(), operands)) {
    rows.emplace_back();
    if (auto held = tiles.find(input); held != tiles.end() && held->second.columns) {
      rows.back() = *held->second.columns;
      continue;
    }
    if (auto type = dyn_cast<tile::TileType>(input.getType()); type && !operand)
      rows.back() = loadRow(type, *tile(input).unread, block, half);
    for (int64_t i = 0; operand && i < operand->perRow(); ++i)
      rows.back().push_back(operand->ofRow(block, half, i));
  }
  for (int64_t i = 0; i < result.perRow(); ++i) {
    Values inputs;
    for (auto [input, row] : llvm::zip(op.getInputs(), rows))
      inputs.push_back(row.empty() ? scalar(input) : row[row.size() == 1 ? 0 : static_cast<size_t>(i)]);
    FailureOr<Value> element = emitScalarBody(op, inputs);
    if (failed(element))
      return failure();
    result.ofRow(block, half, i) = *element;
  }
  return success();
}

//===-- Masks -------------------------------------------------------------------------------------------===//

FailureOr<Values> Lowering::inSets(Operation *op, ArrayAttr sets, const codegen::Position &row,
                                   const codegen::Position &column, ValueRange symbols, ArrayRef<int64_t> offsets,
                                   ArrayRef<Values> tables) {
  Values numbers;
  for (Value symbol : symbols)
    numbers.push_back(scalar(symbol));
  auto spread = [](Value number) { return number; };
  FailureOr<Values> inside = codegen::inUnion(c, {c.i32, spread}, sets, row, column, numbers, offsets, tables);
  if (failed(inside))
    return unsupported(op,
                       "sets whose row positions or divisors exceed 2^30, or with divisors that are not positive "
                       "constants",
                       "use smaller divisors");
  return inside;
}

// first + map(row) for a row (i32) of a tile of `rows` rows.
FailureOr<codegen::Position> Lowering::rowPosition(Operation *op, AffineMap map, Value first, Value row, int64_t rows) {
  Value at = c.affine(map, {arith::ExtUIOp::create(c.b, c.i64, row).getResult()}, nullptr);
  if (!at)
    return unsupported(op, "row positions with divisors that are not positive constants");
  codegen::Position position{first, arith::TruncIOp::create(c.b, c.i32, at), 0, 0};
  for (int64_t r = 0; r < rows; ++r) {
    auto value = dyn_cast<AffineConstantExpr>(map.getResult(0).replaceDims(getAffineConstantExpr(r, map.getContext())));
    if (!value || value.getValue() < 0 || value.getValue() > codegen::kMostLane)
      return unsupported(op, "row positions beyond 2^30");
    position.high = std::max(position.high, value.getValue());
  }
  return position;
}

LogicalResult Lowering::lower(tile::MaskOp op) {
  Value acts = op.getWhen() ? scalar(op.getWhen()) : partialTile;
  if (tile(op.getTile()).shared && !op.getWhen())
    return maskShared(op, *tile(op.getTile()).shared);
  FailureOr<Fragment> scores = fragmentOf(op, op.getTile());
  if (failed(scores))
    return failure();
  std::optional<SharedTile> ids;
  if (op.getIds()) {
    FailureOr<SharedTile> shared = sharedOf(op, op.getIds());
    if (failed(shared))
      return failure();
    ids = *shared;
  }
  Fragment result = std::move(*scores);
  LogicalResult status = success();
  auto masked = [&]() -> Values {
    Fragment hidden = result;
    for (int64_t block = 0; block < hidden.blocks() && succeeded(status); ++block)
      for (int64_t half = 0; half < 2 && succeeded(status); ++half)
        status = maskRow(op, ids, block, half, hidden);
    return hidden.at;
  };
  if (acts)
    result.at = c.when(acts, ValueRange(result.at).getTypes(), masked, [&] { return result.at; });
  else
    result.at = masked();
  tile(op.getResult()) = {};
  tile(op.getResult()).fragment = std::move(result);
  return status;
}

/// Constraints that are compared column by column; of more, the intervals that they leave are intersected and joined.
static constexpr unsigned kMostCompared = 3;

// The columns of a thread, 8 * (i / 2) + i % 2, that are less than x: those of whole eights and up to two.
static Value columnsBelow(Code &c, Value x, size_t count) {
  Value none = c.int32(0), all = c.int32(static_cast<int64_t>(count) * 4);
  Value held = arith::MinSIOp::create(c.b, arith::MaxSIOp::create(c.b, x, none), all);
  Value ofEights = c.muli(arith::ShRUIOp::create(c.b, held, c.int32(3)), c.int32(2));
  Value below = c.addi(ofEights, arith::MinUIOp::create(c.b, c.andi(held, c.int32(7)), c.int32(2)));
  // 64 bits, for all 32 columns may be less.
  Value power = arith::ShLIOp::create(c.b, c.int64(1), arith::ExtUIOp::create(c.b, c.i64, below).getResult());
  return arith::TruncIOp::create(c.b, c.i32, c.sub(power, c.int64(1)));
}

// Bits of the columns of a thread that lie in the sets of a mask; null where they are found column by column.
Value Lowering::visibleBits(tile::MaskOp op, const codegen::Position &row, const codegen::Position &column,
                            ArrayRef<Values> tables, size_t columns) {
  unsigned constraints = 0;
  for (auto set : op.getSets().getAsRange<IntegerSetAttr>())
    constraints += set.getValue().getNumConstraints();
  if (constraints <= kMostCompared || columns > kWarp)
    return {};
  Values numbers;
  for (Value symbol : op.getSymbols())
    numbers.push_back(scalar(symbol));
  auto spread = [](Value number) { return number; };
  auto below = [&](Value x) { return columnsBelow(c, x, columns); };
  return codegen::bitsInUnion(c, {c.i32, spread}, op.getSets(), row, column, numbers, below, tables);
}

static Values bitsOf(Code &c, Value word, size_t count) {
  Values bits;
  for (size_t i = 0; i < count; ++i)
    bits.push_back(
        c.compareI(arith::CmpIPredicate::ne, c.andi(word, c.int32(static_cast<int32_t>(1u << i))), c.int32(0)));
  return bits;
}

// The elements of one row of a thread.
LogicalResult Lowering::maskRow(tile::MaskOp op, const std::optional<SharedTile> &ids, int64_t block, int64_t half,
                                Fragment &scores) {
  Value row = rowOf(block, half);
  FailureOr<codegen::Position> t = failure();
  if (ids) {
    // Row blocks stand at listed positions; -1 stands for one that does not exist.
    int64_t perId = scores.rows / ids->rows;
    Value place =
        arith::DivUIOp::create(c.b, arith::MinUIOp::create(c.b, row, c.int32(scores.rows - 1)), c.int32(perId));
    t = codegen::Position{scalar(op.getRow()), loadShared(*ids, place, c.i32), -1, codegen::kMostLane / 4};
  } else {
    t = rowPosition(op, op.getRowMap(), scalar(op.getRow()), row, kMmaRows * layout.warps * scores.blocks());
  }
  if (failed(t))
    return failure();
  SmallVector<int64_t> columns;
  for (int64_t i = 0; i < scores.perRow(); ++i)
    columns.push_back(8 * (i / 2) + i % 2);
  codegen::Position s{scalar(op.getCol()), c.muli(c.lanePair, c.int32(2)), 0, scores.cols - 1};
  SmallVector<Values> tables;
  for (Value table : op.getTables()) {
    if (tile(table).columns)
      tables.push_back(*tile(table).columns);
    else if (FailureOr<Fragment> rows = fragmentOf(op, table); succeeded(rows))
      tables.push_back({rows->ofRow(block, half, 0)});
    else
      return failure();
  }
  FailureOr<Values> inside = failure();
  if (Value bits = visibleBits(op, *t, s, tables, columns.size()))
    inside = bitsOf(c, bits, columns.size());
  else
    inside = inSets(op, op.getSets(), *t, s, op.getSymbols(), columns, tables);
  if (failed(inside))
    return failure();
  for (auto [i, visible] : llvm::enumerate(*inside)) {
    Value &score = scores.ofRow(block, half, static_cast<int64_t>(i));
    if (visible)
      score = c.select(visible, score, c.minusInf());
  }
  return success();
}

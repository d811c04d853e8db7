// Maps: the scalar region is emitted once on strips; f32 becomes a strip of float32, i32 of int32, i1 of i1, and
// values from outside the region are broadcast.
#include "codegen/common/ScalarOps.h"
#include "codegen/cpu/Lowering.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace sattn;
using namespace sattn::cpu;
using namespace mlir;

static bool isShortFloat(Type type) { return type.isF16() || type.isBF16(); }

// The strip type of a scalar; null where there is none. Short floats are held as float32.
static Type stripType(Code &c, Type scalar) {
  if (scalar.isF32() || isShortFloat(scalar))
    return c.vf;
  if (scalar.isInteger(32))
    return c.vi;
  return scalar.isInteger(1) ? c.v1 : Type();
}

// A tile that stands for every row of another.
static bool isOneRow(tile::TileType type) { return !type.isVector() && type.getRows() == 1; }

// Numbers that count are written once, where the op stands.
LogicalResult Lowering::lower(tile::IotaOp op) {
  tile::TileType type = op.getTile().getType();
  bool columns = isOneRow(type);
  int64_t count = columns ? type.getCols() : type.getRows();
  Panels to = newPanels(count, 1);
  for (int64_t first = 0; first < count; first += kLanes) {
    SmallVector<float> lanes;
    for (int64_t i = first; i < first + kLanes; ++i) {
      AffineExpr number =
          op.getNumbers().getResult(0).replaceDims(getAffineConstantExpr(std::min(i, count - 1), op.getContext()));
      lanes.push_back(static_cast<float>(cast<AffineConstantExpr>(number).getValue()));
    }
    c.storeStrip(c.strip(lanes), to.base.plus(first * 4));
  }
  tile(op.getTile()) = {};
  (columns ? tile(op.getTile()).columns : tile(op.getTile()).panels) = to;
  return success();
}

// A row vector is one column of panels, whose numbers stand side by side.
LogicalResult Lowering::lower(tile::ColumnsOp op) {
  auto panels = panelsOf(op.getTile());
  if (failed(panels))
    return failure();
  tile(op.getResult()) = {};
  tile(op.getResult()).columns = *panels;
  return success();
}

// In place, by sums and differences of columns that are 1, 2, 4 .. apart.
LogicalResult Lowering::lower(tile::HadamardOp op) {
  auto from = panelsOf(op.getTile());
  if (failed(from))
    return failure();
  Panels to = takeOrNew(op.getTile(), op->getOpResult(0));
  if (to.base.offset != from->base.offset)
    copy(*from, to);
  c.loop(0, to.count(), 1, [&](Value panel) {
    for (int64_t apart = 1; apart < to.cols; apart *= 2)
      c.loop(0, to.cols, 2 * apart, [&](Value first) {
        c.loop(0, apart, 1, [&](Value i) {
          Value column = c.add(first, i);
          Ptr x = stripAt(to, panel, 0, column, 0), y = stripAt(to, panel, 0, column, apart);
          Value a = c.loadStrip(x), z = c.loadStrip(y);
          c.storeStrip(c.addf(a, z), x);
          c.storeStrip(c.subf(a, z), y);
        });
      });
  });
  tile(op.getResult()) = {};
  tile(op.getResult()).panels = to;
  return success();
}

static Value emitMath(Code &c, Operation *op, ArrayRef<Value> x) {
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case<math::Exp2Op>([&](auto) { return c.exp2(x[0]); })
      .Case<math::Log2Op>([&](auto) { return c.log2(x[0]); })
      .Case<math::TanhOp>([&](auto) { return c.tanh(x[0]); })
      .Case<math::FmaOp>([&](auto) { return c.fma(x[0], x[1], x[2]); })
      .Case<math::SqrtOp>([&](auto) -> Value { return LLVM::SqrtOp::create(c.b, x[0]); })
      .Case<math::RsqrtOp>([&](auto) { return c.divf(c.strip(1.0f), LLVM::SqrtOp::create(c.b, x[0])); })
      .Case<math::AbsFOp>([&](auto) { return c.abs(x[0]); })
      .Case<math::FloorOp>([&](auto) { return c.floor(x[0]); })
      .Case<math::RoundEvenOp>([&](auto) { return c.roundEven(x[0]); })
      .Default([](Operation *) { return Value(); });
}

FailureOr<Value> Lowering::emitScalarBody(tile::MapOp op, ArrayRef<Value> inputs) {
  llvm::DenseMap<Value, Value> strips;
  Block &body = op.getBody().front();
  for (auto [argument, input] : llvm::zip(body.getArguments(), inputs))
    strips[argument] = input;
  auto lookup = [&](Value value) -> Value {
    Value &strip = strips[value];
    if (!strip)
      if (Value outside = scalar(value); outside && stripType(c, outside.getType()))
        strip = c.broadcast(outside);
    return strip;
  };
  for (Operation &inner : body.without_terminator()) {
    Values operands;
    for (Value operand : inner.getOperands())
      operands.push_back(lookup(operand));
    Type type = inner.getNumResults() == 1 ? stripType(c, inner.getResult(0).getType()) : Type();
    if (!type || llvm::is_contained(operands, Value()))
      return unsupported(&inner, "'" + inner.getName().getStringRef() + "' on these types in a map");
    Value result;
    if (auto constant = dyn_cast<arith::ConstantOp>(inner)) {
      if (auto number = dyn_cast<FloatAttr>(constant.getValue()))
        result = c.strip(static_cast<float>(number.getValueAsDouble()));
      else if (auto integer = dyn_cast<IntegerAttr>(constant.getValue()))
        result = type == c.v1 ? c.lanesBelow(integer.getValue().isZero() ? 0 : kLanes) : c.stripI(integer.getInt());
    } else if (isa<arith::ExtFOp>(inner)) {
      result = operands[0];
    } else if (isa<arith::TruncFOp>(inner)) {
      result = c.widen(c.narrow(operands[0], inner.getResult(0).getType()), inner.getResult(0).getType());
    } else if (codegen::isElementwise(&inner)) {
      result = codegen::cloneOn(c, &inner, operands, type);
    } else {
      result = emitMath(c, &inner, operands);
    }
    if (!result)
      return unsupported(&inner, "'" + inner.getName().getStringRef() + "' in a map");
    strips[inner.getResult(0)] = result;
  }
  Value yielded = lookup(cast<tile::YieldOp>(body.getTerminator()).getOperand(0));
  if (!yielded)
    return unsupported(op, "map operands of this type");
  return yielded;
}

LogicalResult Lowering::applyMap(tile::MapOp op, Value head, Strips &strips) {
  tile::TileType type = op.getResult().getType();
  SmallVector<Value> inputs(op.getInputs().size());
  for (auto [i, column] : llvm::enumerate(strips.at)) {
    for (auto [p, strip] : llvm::enumerate(column)) {
      for (auto [n, input] : llvm::enumerate(op.getInputs())) {
        auto tileType = dyn_cast<tile::TileType>(input.getType());
        if (head && input == head)
          inputs[n] = strip;
        else if (!tileType)
          inputs[n] = c.broadcast(scalar(input));
        else if (tile(input).splat)
          inputs[n] = c.strip(*tile(input).splat);
        else if (isOneRow(tileType) && !isOneRow(type))
          inputs[n] = c.loadBroadcast(
              c.atScaled(tile(input).columns->base.plus(static_cast<int64_t>(i) * 4), strips.column, 4));
        else if (tileType.isVector() && !type.isVector())
          inputs[n] = c.loadStrip(stripAt(*tile(input).panels, strips.panel, static_cast<int64_t>(p), c.int64(0), 0));
        else
          inputs[n] = c.loadStrip(stripAt(*tile(input).panels, strips.panel, static_cast<int64_t>(p), strips.column,
                                          static_cast<int64_t>(i)));
        if (tileType && tileType.getElementType().isInteger(32))
          inputs[n] = c.asInt(inputs[n]);
      }
      FailureOr<Value> result = emitScalarBody(op, inputs);
      if (failed(result))
        return failure();
      strip = type.getElementType().isInteger(32) ? c.asFloat(*result) : *result;
    }
  }
  return success();
}

// The operand whose strips the map is computed on: a pending one if there is one, else one whose memory can be
// overwritten, else any of the result's shape.
LogicalResult Lowering::lower(tile::MapOp op) {
  tile::TileType type = op.getResult().getType();
  if (!stripType(c, type.getElementType()) || type.getElementType().isInteger(1))
    return unsupported(op, "maps to elements other than f32, f16, bf16 and i32");
  Value head;
  for (Value input : op.getInputs()) {
    auto tileType = dyn_cast<tile::TileType>(input.getType());
    if (!tileType) {
      if (!scalar(input) || !stripType(c, scalar(input).getType()))
        return unsupported(op, "map operands of this type");
      continue;
    }
    if (tileType.getShape() != type.getShape() || tile(input).splat)
      continue;
    bool better = !head || (tile(input).pending && !tile(head).pending) || (!tile(head).pending && mayTake(input, op));
    if (better)
      head = input;
  }
  for (Value input : op.getInputs()) {
    if (input == head || !isa<tile::TileType>(input.getType()) || tile(input).splat)
      continue;
    bool columns = isOneRow(cast<tile::TileType>(input.getType())) && !isOneRow(type);
    auto held = columns ? columnsOf(input) : panelsOf(input);
    if (failed(held))
      return failure();
    (columns ? tile(input).columns : tile(input).panels) = *held;
  }
  return deferOrCompute(op, head);
}

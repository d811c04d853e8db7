// A kernel's arguments out of its frame (docs/artefact.md, section 2), and the scalar ops of a body: index arithmetic
// becomes i64 arithmetic.
#include "codegen/cpu/Lowering.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace sattn;
using namespace sattn::cpu;
using namespace mlir;

void Lowering::decodeFrame() {
  int64_t slot = 0;
  auto next = [&](Type type) { return c.load(type, Ptr{frame, 8 * slot++}, 8); };
  for (BlockArgument operand : kernel.getBody().getArguments().drop_back(3)) {
    if (auto type = dyn_cast<tile::ArgType>(operand.getType())) {
      int64_t bytes = llvm::divideCeil(type.getElementType().getIntOrFloatBitWidth(), 8);
      Argument &argument = arguments[operand];
      argument.data = next(c.ptr);
      for (Value &count : argument.counts)
        count = next(c.i64);
      for (Value &stride : argument.strides)
        stride = c.mul(next(c.i64), bytes);
    } else if (isa<tile::PerBatchType>(operand.getType())) {
      scalars[operand] = next(c.ptr);
    } else if (operand.getType().isF32()) {
      scalars[operand] = next(c.f32);
    } else {
      scalars[operand] = next(c.i64);
    }
  }
}

// Ops that LLVM has for scalars, on types that this file handles. A remainder of floats would be a library call.
static bool isScalarOp(Operation *op) {
  auto handled = [](Type type) {
    return type.isIndex() || type.isF32() || type.isInteger(1) || type.isInteger(32) || type.isInteger(64);
  };
  return llvm::all_of(op->getOperandTypes(), handled) && llvm::all_of(op->getResultTypes(), handled) &&
         isa<arith::AddIOp, arith::SubIOp, arith::MulIOp, arith::DivSIOp, arith::DivUIOp, arith::RemSIOp,
             arith::RemUIOp, arith::AndIOp, arith::OrIOp, arith::XOrIOp, arith::ShLIOp, arith::ShRSIOp, arith::ShRUIOp,
             arith::CmpIOp, arith::MaxSIOp, arith::MinSIOp, arith::MaxUIOp, arith::MinUIOp, arith::ExtSIOp,
             arith::ExtUIOp, arith::TruncIOp, arith::BitcastOp, arith::AddFOp, arith::SubFOp, arith::MulFOp,
             arith::DivFOp, arith::NegFOp, arith::CmpFOp, arith::MaxNumFOp, arith::MinNumFOp, arith::MaximumFOp,
             arith::MinimumFOp, arith::SIToFPOp, arith::FPToSIOp, arith::SelectOp>(op);
}

// An arith op on index, i1, i32, i64 or f32 scalars, with index made i64.
static Value cloneScalar(Code &c, Operation *op, ArrayRef<Value> operands) {
  OperationState state(op->getLoc(), op->getName());
  state.addOperands(operands);
  for (Type type : op->getResultTypes())
    state.addTypes(type.isIndex() ? Type(c.i64) : type);
  state.addAttributes(op->getAttrs());
  return c.b.create(state)->getResult(0);
}

// Casts between index and integers.
static Value castInteger(Code &c, Value value, Type to, bool isSigned) {
  if (to.isIndex())
    to = c.i64;
  unsigned from = value.getType().getIntOrFloatBitWidth(), width = to.getIntOrFloatBitWidth();
  if (from == width)
    return value;
  if (from > width)
    return arith::TruncIOp::create(c.b, to, value);
  return isSigned ? Value(arith::ExtSIOp::create(c.b, to, value)) : Value(arith::ExtUIOp::create(c.b, to, value));
}

LogicalResult Lowering::lowerScalar(Operation *op) {
  Values operands;
  for (Value operand : op->getOperands()) {
    // Not a scalar, or of an op that this table lacks.
    Value held = scalars.lookup(operand);
    if (!held && !isa<tile::ArgType>(operand.getType()))
      return unsupported(op, "'" + op->getName().getStringRef() + "' here");
    operands.push_back(held);
  }
  bool wide = op->getNumResults() == 1 && (op->getResult(0).getType().isIndex() || op->getResult(0).getType() == c.i64);
  auto set = [&](Value value) {
    scalars[op->getResult(0)] = value;
    return success();
  };
  if (wide && isa<arith::AddIOp>(op))
    return set(c.add(operands[0], operands[1]));
  if (wide && isa<arith::SubIOp>(op))
    return set(c.sub(operands[0], operands[1]));
  if (wide && isa<arith::MulIOp>(op))
    return set(c.mul(operands[0], operands[1]));
  if (wide && isa<arith::FloorDivSIOp>(op))
    return set(c.floorDiv(operands[0], operands[1]));
  if (wide && isa<arith::CeilDivSIOp>(op))
    return set(c.ceilDiv(operands[0], operands[1]));
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<tile::CountOp>([&](tile::CountOp count) {
        unsigned axis = llvm::StringSwitch<unsigned>(count.getAxis()).Case("batch", 0).Case("positions", 1).Default(2);
        return set(arguments[count.getArg()].counts[axis]);
      })
      .Case<tile::OfBatchOp>(
          [&](tile::OfBatchOp) { return set(c.load(c.i64, c.atScaled(Ptr{operands[0]}, operands[1], 8), 8)); })
      .Case<arith::ConstantOp>([&](arith::ConstantOp constant) -> LogicalResult {
        if (auto integer = dyn_cast<IntegerAttr>(constant.getValue())) {
          if (integer.getType().isIndex() || integer.getType().isInteger(64))
            return set(c.int64(integer.getInt()));
          return set(integer.getType().isInteger(1) ? c.boolean(!integer.getValue().isZero())
                                                    : c.int32(integer.getInt()));
        }
        if (auto number = dyn_cast<FloatAttr>(constant.getValue()); number && number.getType().isF32())
          return set(c.float32(number.getValue().convertToFloat()));
        return unsupported(op, "constants of type " + llvm::Twine(constant.getType().isF64()
                                                                      ? "f64"
                                                                      : "other than "
                                                                        "index, i1, i32, i64 and f32"));
      })
      .Case<affine::AffineApplyOp, affine::AffineMinOp, affine::AffineMaxOp>([&](auto affine) -> LogicalResult {
        bool isMin = std::is_same_v<decltype(affine), affine::AffineMinOp>;
        Value value = affineValue(affine.getAffineMap(), operands, isMin ? &Code::min : &Code::max);
        return value ? set(value) : LogicalResult(unsupported(op, "divisors that are not positive constants"));
      })
      .Case<arith::IndexCastOp>(
          [&](auto cast) { return set(castInteger(c, operands[0], cast.getType(), /*isSigned=*/true)); })
      .Case<arith::IndexCastUIOp>(
          [&](auto cast) { return set(castInteger(c, operands[0], cast.getType(), /*isSigned=*/false)); })
      .Default([&](Operation *other) -> LogicalResult {
        if (!isScalarOp(other))
          return unsupported(op, "'" + op->getName().getStringRef() + "'");
        return set(cloneScalar(c, other, operands));
      });
}

// The table of scalar ops.
#include "codegen/common/ScalarOps.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"
#include <numeric>

using namespace sattn;
using namespace sattn::codegen;
using namespace mlir;

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

int64_t sattn::codegen::divisorOf(Value index) {
  if (std::optional<int64_t> known = ScalarCode::known(index))
    return *known;
  Operation *op = index.getDefiningOp();
  if (!isa_and_nonnull<arith::MulIOp, arith::AddIOp, arith::SubIOp>(op))
    return 1;
  int64_t a = divisorOf(op->getOperand(0)), c = divisorOf(op->getOperand(1)), product = 0;
  if (!isa<arith::MulIOp>(op))
    return std::gcd(a, c);
  return llvm::MulOverflow(a, c, product) ? c : product;
}

bool sattn::codegen::isElementwise(Operation *op) {
  return isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp, arith::NegFOp, arith::CmpFOp, arith::MaxNumFOp,
             arith::MinNumFOp, arith::MaximumFOp, arith::MinimumFOp, arith::SelectOp, arith::AddIOp, arith::SubIOp,
             arith::MulIOp, arith::AndIOp, arith::OrIOp, arith::XOrIOp, arith::ShLIOp, arith::ShRSIOp, arith::ShRUIOp,
             arith::CmpIOp, arith::MaxSIOp, arith::MinSIOp, arith::SIToFPOp, arith::FPToSIOp, arith::BitcastOp>(op) &&
         llvm::none_of(op->getOperandTypes(), [](Type type) { return type.isF16() || type.isBF16(); });
}

Value sattn::codegen::cloneOn(ScalarCode &c, Operation *op, ArrayRef<Value> operands, Type type) {
  OperationState state(op->getLoc(), op->getName());
  state.addOperands(operands);
  state.addTypes(type);
  state.addAttributes(op->getAttrs());
  return c.b.create(state)->getResult(0);
}

// Casts between index and integers.
static Value castInteger(ScalarCode &c, Value value, Type to, bool isSigned) {
  if (to.isIndex())
    to = c.i64;
  unsigned from = value.getType().getIntOrFloatBitWidth(), width = to.getIntOrFloatBitWidth();
  if (from == width)
    return value;
  if (from > width)
    return arith::TruncIOp::create(c.b, to, value);
  return isSigned ? Value(arith::ExtSIOp::create(c.b, to, value)) : Value(arith::ExtUIOp::create(c.b, to, value));
}

static ScalarResult emitConstant(ScalarCode &c, arith::ConstantOp op) {
  if (auto integer = dyn_cast<IntegerAttr>(op.getValue())) {
    if (integer.getType().isIndex() || integer.getType().isInteger(64))
      return {c.int64(integer.getInt()), {}};
    return {integer.getType().isInteger(1) ? c.boolean(!integer.getValue().isZero()) : c.int32(integer.getInt()), {}};
  }
  if (auto number = dyn_cast<FloatAttr>(op.getValue()); number && number.getType().isF32())
    return {c.float32(number.getValue().convertToFloat()), {}};
  return {{},
          op.getType().isF64() ? "constants of type f64" : "constants of type other than index, i1, i32, i64 and f32"};
}

ScalarResult sattn::codegen::emitScalarOp(ScalarCode &c, Operation *op, ArrayRef<Value> operands) {
  bool wide = op->getNumResults() == 1 && (op->getResult(0).getType().isIndex() || op->getResult(0).getType() == c.i64);
  if (wide && isa<arith::AddIOp>(op))
    return {c.add(operands[0], operands[1]), {}};
  if (wide && isa<arith::SubIOp>(op))
    return {c.sub(operands[0], operands[1]), {}};
  if (wide && isa<arith::MulIOp>(op))
    return {c.mul(operands[0], operands[1]), {}};
  if (wide && isa<arith::FloorDivSIOp>(op))
    return {c.floorDiv(operands[0], operands[1]), {}};
  if (wide && isa<arith::CeilDivSIOp>(op))
    return {c.ceilDiv(operands[0], operands[1]), {}};
  return llvm::TypeSwitch<Operation *, ScalarResult>(op)
      .Case<arith::ConstantOp>([&](auto constant) { return emitConstant(c, constant); })
      .Case<affine::AffineApplyOp, affine::AffineMinOp, affine::AffineMaxOp>([&](auto affine) -> ScalarResult {
        bool isMin = std::is_same_v<decltype(affine), affine::AffineMinOp>;
        Value value = c.affine(affine.getAffineMap(), operands,
                               [&](Value x, Value y) { return isMin ? c.min(x, y) : c.max(x, y); });
        return {value, "divisors that are not positive constants"};
      })
      .Case<arith::IndexCastOp>([&](auto cast) -> ScalarResult {
        return {castInteger(c, operands[0], cast.getType(), /*isSigned=*/true), {}};
      })
      .Case<arith::IndexCastUIOp>([&](auto cast) -> ScalarResult {
        return {castInteger(c, operands[0], cast.getType(), /*isSigned=*/false), {}};
      })
      .Default([&](Operation *other) -> ScalarResult {
        if (!isScalarOp(other))
          return {{}, ("'" + other->getName().getStringRef() + "'").str()};
        Type type = other->getResult(0).getType();
        return {cloneOn(c, other, operands, type.isIndex() ? Type(c.i64) : type), {}};
      });
}

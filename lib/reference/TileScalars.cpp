// Scalar arithmetic of tile programs: upstream arith and math ops on numbers, affine expressions, integer sets.
#include "lib/reference/Partials.h"
#include "lib/reference/TileValues.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/IntegerSet.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

namespace sattn::ref {
using namespace mlir;

//===-- Affine --------------------------------------------------------------------------------------------------===//

static int64_t floorDiv(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

int64_t evaluateAffine(AffineExpr expr, ArrayRef<int64_t> dims, ArrayRef<int64_t> symbols) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return constant.getValue();
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dims[dim.getPosition()];
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return symbols[symbol.getPosition()];
  auto binary = cast<AffineBinaryOpExpr>(expr);
  int64_t a = evaluateAffine(binary.getLHS(), dims, symbols), b = evaluateAffine(binary.getRHS(), dims, symbols);
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return a + b;
  case AffineExprKind::Mul:
    return a * b;
  case AffineExprKind::FloorDiv:
    return floorDiv(a, b);
  case AffineExprKind::CeilDiv:
    return -floorDiv(-a, b);
  default: // Mod
    return a - b * floorDiv(a, b);
  }
}

bool isInSets(ArrayAttr sets, ArrayRef<int64_t> point, ArrayRef<int64_t> symbols) {
  return llvm::any_of(sets.getAsRange<IntegerSetAttr>(), [&](IntegerSetAttr attribute) {
    IntegerSet set = attribute.getValue();
    for (unsigned i = 0; i < set.getNumConstraints(); ++i) {
      int64_t value = evaluateAffine(set.getConstraint(i), point, symbols);
      if (set.isEq(i) ? value != 0 : value < 0)
        return false;
    }
    return true;
  });
}

//===-- arith and math ------------------------------------------------------------------------------------------===//

/// The low bits of `value` that an integer type keeps: signed, but for i1.
static int64_t wrapped(int64_t value, Type type) {
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer || integer.getWidth() >= 64)
    return value;
  return integer.getWidth() == 1 ? value & 1 : llvm::SignExtend64(static_cast<uint64_t>(value), integer.getWidth());
}

/// Bits of an operand without sign.
static uint64_t withoutSign(int64_t value, Type type) {
  auto integer = dyn_cast<IntegerType>(type);
  return static_cast<uint64_t>(value) & (integer ? llvm::maskTrailingOnes<uint64_t>(integer.getWidth()) : ~uint64_t(0));
}

static bool compare(arith::CmpIPredicate predicate, int64_t a, int64_t b, Type type) {
  uint64_t ua = withoutSign(a, type), ub = withoutSign(b, type);
  switch (predicate) {
  case arith::CmpIPredicate::eq:
    return a == b;
  case arith::CmpIPredicate::ne:
    return a != b;
  case arith::CmpIPredicate::slt:
    return a < b;
  case arith::CmpIPredicate::sle:
    return a <= b;
  case arith::CmpIPredicate::sgt:
    return a > b;
  case arith::CmpIPredicate::sge:
    return a >= b;
  case arith::CmpIPredicate::ult:
    return ua < ub;
  case arith::CmpIPredicate::ule:
    return ua <= ub;
  case arith::CmpIPredicate::ugt:
    return ua > ub;
  case arith::CmpIPredicate::uge:
    return ua >= ub;
  }
  return false;
}

/// Ordered comparisons are false where a NaN is compared, unordered ones true.
static bool compare(arith::CmpFPredicate predicate, double a, double b) {
  using P = arith::CmpFPredicate;
  if (std::isnan(a) || std::isnan(b))
    return llvm::is_contained({P::AlwaysTrue, P::UEQ, P::UGT, P::UGE, P::ULT, P::ULE, P::UNE, P::UNO}, predicate);
  switch (predicate) {
  case P::AlwaysFalse:
  case P::UNO:
    return false;
  case P::OEQ:
  case P::UEQ:
    return a == b;
  case P::OGT:
  case P::UGT:
    return a > b;
  case P::OGE:
  case P::UGE:
    return a >= b;
  case P::OLT:
  case P::ULT:
    return a < b;
  case P::OLE:
  case P::ULE:
    return a <= b;
  case P::ONE:
  case P::UNE:
    return a != b;
  default: // AlwaysTrue, ORD
    return true;
  }
}

static Number constant(Attribute value) {
  if (auto integer = dyn_cast<IntegerAttr>(value))
    return Number::ofInteger(wrapped(integer.getValue().getSExtValue(), integer.getType()));
  auto real = dyn_cast<FloatAttr>(value);
  return Number::ofReal(real ? real.getValueAsDouble() : notWritten);
}

using Reals = ArrayRef<double>;
using Integers = ArrayRef<int64_t>;

/// Ops from floats to a float; nullopt for others.
static std::optional<double> realOp(Operation *op, Reals x) {
  return llvm::TypeSwitch<Operation *, std::optional<double>>(op)
      .Case<arith::AddFOp>([&](auto) { return x[0] + x[1]; })
      .Case<arith::SubFOp>([&](auto) { return x[0] - x[1]; })
      .Case<arith::MulFOp>([&](auto) { return x[0] * x[1]; })
      .Case<arith::DivFOp>([&](auto) { return x[0] / x[1]; })
      .Case<arith::NegFOp>([&](auto) { return -x[0]; })
      .Case<arith::MaximumFOp>([&](auto) { return maxWithNan(x[0], x[1]); })
      .Case<arith::MinimumFOp>([&](auto) { return -maxWithNan(-x[0], -x[1]); })
      .Case<arith::MaxNumFOp>([&](auto) { return std::fmax(x[0], x[1]); })
      .Case<arith::MinNumFOp>([&](auto) { return std::fmin(x[0], x[1]); })
      .Case<arith::ExtFOp, arith::TruncFOp>([&](auto) { return x[0]; })
      .Case<math::Exp2Op>([&](auto) { return std::exp2(x[0]); })
      .Case<math::Log2Op>([&](auto) { return std::log2(x[0]); })
      .Case<math::RsqrtOp>([&](auto) { return 1.0 / std::sqrt(x[0]); })
      .Case<math::SqrtOp>([&](auto) { return std::sqrt(x[0]); })
      .Case<math::TanhOp>([&](auto) { return std::tanh(x[0]); })
      .Case<math::AbsFOp>([&](auto) { return std::fabs(x[0]); })
      .Case<math::FmaOp>([&](auto) { return std::fma(x[0], x[1], x[2]); })
      .Case<math::FloorOp>([&](auto) { return std::floor(x[0]); })
      .Case<math::RoundEvenOp>([&](auto) { return std::nearbyint(x[0]); })
      .Default([](Operation *) { return std::nullopt; });
}

/// Ops from integers to an integer, wrapped by the caller; nullopt for others and where a divisor is 0.
static std::optional<int64_t> integerOp(Operation *op, Integers x) {
  auto sum = [](int64_t a, int64_t b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  };
  auto product = [](int64_t a, int64_t b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  };
  Type type = op->getNumOperands() ? op->getOperand(0).getType() : Type();
  if (isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp, arith::FloorDivSIOp, arith::CeilDivSIOp>(
          op) &&
      x[1] == 0)
    return std::nullopt;
  return llvm::TypeSwitch<Operation *, std::optional<int64_t>>(op)
      .Case<arith::AddIOp>([&](auto) { return sum(x[0], x[1]); })
      .Case<arith::SubIOp>([&](auto) { return sum(x[0], product(x[1], -1)); })
      .Case<arith::MulIOp>([&](auto) { return product(x[0], x[1]); })
      .Case<arith::DivSIOp>([&](auto) { return x[1] == -1 ? product(x[0], -1) : x[0] / x[1]; })
      .Case<arith::RemSIOp>([&](auto) { return x[1] == -1 ? 0 : x[0] % x[1]; })
      .Case<arith::DivUIOp>([&](auto) { return withoutSign(x[0], type) / withoutSign(x[1], type); })
      .Case<arith::RemUIOp>([&](auto) { return withoutSign(x[0], type) % withoutSign(x[1], type); })
      .Case<arith::FloorDivSIOp>([&](auto) { return x[1] == -1 ? product(x[0], -1) : floorDiv(x[0], x[1]); })
      .Case<arith::CeilDivSIOp>([&](auto) { return x[1] == -1 ? product(x[0], -1) : -floorDiv(-x[0], x[1]); })
      .Case<arith::MinSIOp>([&](auto) { return std::min(x[0], x[1]); })
      .Case<arith::MaxSIOp>([&](auto) { return std::max(x[0], x[1]); })
      .Case<arith::MinUIOp>([&](auto) { return std::min(withoutSign(x[0], type), withoutSign(x[1], type)); })
      .Case<arith::MaxUIOp>([&](auto) { return std::max(withoutSign(x[0], type), withoutSign(x[1], type)); })
      .Case<arith::AndIOp>([&](auto) { return x[0] & x[1]; })
      .Case<arith::OrIOp>([&](auto) { return x[0] | x[1]; })
      .Case<arith::XOrIOp>([&](auto) { return x[0] ^ x[1]; })
      .Case<arith::ShLIOp>([&](auto) { return static_cast<int64_t>(static_cast<uint64_t>(x[0]) << (x[1] & 63)); })
      .Case<arith::ShRSIOp>([&](auto) { return x[0] >> (x[1] & 63); })
      .Case<arith::ShRUIOp>([&](auto) { return withoutSign(x[0], type) >> (x[1] & 63); })
      .Case<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp>([&](auto) { return x[0]; })
      .Case<arith::ExtUIOp>([&](auto) { return withoutSign(x[0], type); })
      .Case<arith::CmpIOp>([&](auto cmp) { return compare(cmp.getPredicate(), x[0], x[1], type); })
      .Default([](Operation *) { return std::nullopt; });
}

Number evaluateScalar(Operation *op, ArrayRef<Number> operands, Errors &errors) {
  if (auto literal = dyn_cast<arith::ConstantOp>(op))
    return constant(literal.getValue());
  if (isa<arith::SelectOp>(op))
    return operands[0].integer ? operands[1] : operands[2];
  SmallVector<double, 3> reals;
  SmallVector<int64_t, 3> integers;
  for (const Number &operand : operands) {
    reals.push_back(operand.real);
    integers.push_back(operand.integer);
  }
  if (auto cmp = dyn_cast<arith::CmpFOp>(op))
    return Number::ofInteger(compare(cmp.getPredicate(), reals[0], reals[1]));
  if (isa<arith::SIToFPOp>(op))
    return Number::ofReal(static_cast<double>(integers[0]));
  if (isa<arith::FPToSIOp>(op)) // NaN and what is too large give the least number
    return Number::ofInteger(std::fabs(reals[0]) < 0x1p63 ? static_cast<int64_t>(reals[0]) : INT64_MIN);
  if (std::optional<double> value = realOp(op, reals))
    return Number::ofReal(*value);
  if (std::optional<int64_t> value = integerOp(op, integers))
    return Number::ofInteger(wrapped(*value, op->getResult(0).getType()));
  errors.fail() << "'" << op->getName() << "' has no float64 interpretation, or divides by 0";
  return {};
}

} // namespace sattn::ref

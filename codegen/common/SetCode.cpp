// Sets to conditions.
#include "codegen/common/SetCode.h"
#include "mlir/IR/IntegerSet.h"
#include "llvm/Support/MathExtras.h"

using namespace sattn;
using namespace sattn::codegen;
using namespace mlir;
using arith::CmpIPredicate;

namespace {
class SetEmitter {
public:
  SetEmitter(ScalarCode &c, const LaneType &lane, const Position &t, const Position &s, ArrayRef<Value> symbols)
      : c(c), lane(lane), t(t), s(s), symbols(symbols) {}

  FailureOr<Value> contains(IntegerSet set) {
    Value all;
    for (unsigned i = 0; i < set.getNumConstraints(); ++i) {
      FailureOr<Position> value = evaluate(set.getConstraint(i));
      if (failed(value))
        return failure();
      Value holds = compare(*value, set.isEq(i));
      all = all ? c.andi(all, holds) : holds;
    }
    return all;
  }

private:
  Position ofScalar(Value scalar) { return {scalar, nullptr, 0, 0}; }

  FailureOr<Position> checked(Position value) {
    if (value.low < -kMostLane || value.high > kMostLane)
      return failure();
    return value;
  }

  FailureOr<Position> evaluate(AffineExpr expr) {
    switch (expr.getKind()) {
    case AffineExprKind::Constant:
      return ofScalar(c.int64(cast<AffineConstantExpr>(expr).getValue()));
    case AffineExprKind::DimId:
      return cast<AffineDimExpr>(expr).getPosition() == 0 ? t : s;
    case AffineExprKind::SymbolId:
      return ofScalar(symbols[cast<AffineSymbolExpr>(expr).getPosition()]);
    default:
      break;
    }
    auto binary = cast<AffineBinaryOpExpr>(expr);
    FailureOr<Position> a = evaluate(binary.getLHS()), d = evaluate(binary.getRHS());
    if (failed(a) || failed(d))
      return failure();
    if (expr.getKind() == AffineExprKind::Add)
      return add(*a, *d);
    auto factor = dyn_cast<AffineConstantExpr>(binary.getRHS());
    if (!factor)
      return failure();
    int64_t k = factor.getValue();
    if (expr.getKind() == AffineExprKind::Mul)
      return scale(*a, k);
    if (k <= 0 || k > kMostLane)
      return failure();
    FailureOr<Position> quotient = expr.getKind() == AffineExprKind::CeilDiv ? negated(*a) : *a;
    if (failed(quotient))
      return failure();
    FailureOr<Position> floor = floorDiv(*quotient, k);
    if (failed(floor) || expr.getKind() == AffineExprKind::FloorDiv)
      return floor;
    if (expr.getKind() == AffineExprKind::CeilDiv)
      return negated(*floor);
    FailureOr<Position> whole = scale(*floor, -k);
    if (failed(whole))
      return failure();
    return add(*a, *whole);
  }

  FailureOr<Position> negated(Position a) { return scale(a, -1); }

  FailureOr<Position> add(Position a, Position d) {
    Position sum{c.add(a.scalar, d.scalar), a.lanes ? a.lanes : d.lanes, a.low + d.low, a.high + d.high};
    if (a.lanes && d.lanes)
      sum.lanes = c.addi(a.lanes, d.lanes);
    return checked(sum);
  }

  FailureOr<Position> scale(Position a, int64_t k) {
    if (!a.lanes)
      return ofScalar(c.mul(a.scalar, k));
    if (k < -kMostLane || k > kMostLane || std::max(std::abs(a.low), std::abs(a.high)) * std::abs(k) > kMostLane)
      return failure();
    Position product{c.mul(a.scalar, k), a.lanes, std::min(a.low * k, a.high * k), std::max(a.low * k, a.high * k)};
    if (k != 1)
      product.lanes = c.muli(a.lanes, number(k));
    return product;
  }

  // (scalar + lane) floordiv k = q + (rest + lane) floordiv k with 0 <= rest < k.
  FailureOr<Position> floorDiv(Position a, int64_t k) {
    Value quotient = c.floorDiv(a.scalar, k);
    if (!a.lanes)
      return ofScalar(quotient);
    Value rest = c.sub(a.scalar, c.mul(quotient, k));
    int64_t shift = a.low < 0 ? llvm::divideCeil(-a.low, k) * k : 0; // makes every lane non-negative
    int64_t high = a.high + shift + k - 1;
    if (high > kMostLane)
      return failure();
    Value numerator = c.addi(a.lanes, lane.spread(arith::TruncIOp::create(c.b, c.i32, c.add(rest, shift))));
    Value lanes = arith::DivUIOp::create(c.b, numerator, number(k));
    return checked({c.sub(quotient, c.int64(shift / k)), lanes, 0, high / k});
  }

  // scalar + lanes >= 0, or == 0.
  Value compare(Position value, bool equality) {
    if (!value.lanes)
      value = {value.scalar, number(0), 0, 0};
    Value threshold = lane.spread(c.clampTo32(c.sub(c.int64(0), value.scalar), value.low - 1, value.high + 1));
    return c.compareI(equality ? CmpIPredicate::eq : CmpIPredicate::sge, value.lanes, threshold);
  }

  Value number(int64_t value) {
    auto vector = dyn_cast<VectorType>(lane.type);
    return vector ? c.constant(DenseElementsAttr::get(vector, static_cast<int32_t>(value))) : c.int32(value);
  }

  ScalarCode &c;
  const LaneType &lane;
  const Position &t, &s;
  ArrayRef<Value> symbols;
};
} // namespace

FailureOr<Value> sattn::codegen::inUnion(ScalarCode &c, const LaneType &lane, ArrayAttr sets, const Position &t,
                                         const Position &s, ArrayRef<Value> symbols) {
  Value any;
  for (Attribute set : sets) {
    FailureOr<Value> inside = SetEmitter(c, lane, t, s, symbols).contains(cast<IntegerSetAttr>(set).getValue());
    if (failed(inside))
      return failure();
    if (!*inside)
      return Value();
    any = any ? c.ori(any, *inside) : *inside;
  }
  if (any)
    return any;
  auto vector = dyn_cast<VectorType>(lane.type);
  return vector ? c.constant(DenseElementsAttr::get(vector.clone(c.i1), false)) : c.boolean(false);
}

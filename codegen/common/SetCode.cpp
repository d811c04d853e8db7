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
  SetEmitter(ScalarCode &c, const LaneType &lane, const Position &t, const Position &s, ArrayRef<Value> symbols,
             ArrayRef<Values> tables)
      : c(c), lane(lane), t(t), first(s), s(s), symbols(symbols), tables(tables) {}

  /// For the keys at each of `offsets`; null for a set without constraints.
  FailureOr<Values> contains(IntegerSet set, ArrayRef<int64_t> offsets) {
    Values all(offsets.size());
    for (unsigned i = 0; i < set.getNumConstraints(); ++i) {
      AffineExpr constraint = set.getConstraint(i);
      if (failed(readsTables(constraint) ? constrainTables(constraint, set.isEq(i), offsets, all)
                                         : constrain(constraint, set.isEq(i), offsets, all)))
        return failure();
    }
    return all;
  }

  /// The same as bits of one i32; null where a constraint does not leave an interval of offsets.
  Value bits(IntegerSet set, llvm::function_ref<Value(Value)> below) {
    Interval interval;
    for (unsigned i = 0; i < set.getNumConstraints(); ++i)
      if (!meet(set.getConstraint(i), set.isEq(i), below, interval))
        return {};
    Value bits = interval.bits ? interval.bits : c.int32(-1);
    return interval.every ? c.select(interval.every, bits, c.int32(0)) : bits;
  }

private:
  struct Interval {
    Value bits, every; ///< of offsets (i32), and what holds for each of them (i1); null: all, true
    void meet(ScalarCode &c, Value more) { bits = bits ? c.andi(bits, more) : more; }
  };

  bool meet(AffineExpr constraint, bool equality, llvm::function_ref<Value(Value)> below, Interval &interval) {
    if (std::optional<KeyQuotient> quotient = quotientOf(constraint)) {
      auto [least, most] = boundsOf(*quotient);
      bool fromLeast = equality || !quotient->negated, toMost = equality || quotient->negated;
      return (!fromLeast || meet(least, false, below, interval)) && (!toMost || meet(most, false, below, interval));
    }
    bool readsKeys = constraint.isFunctionOfDim(1);
    if (readsTables(constraint)) {
      Values holds(1);
      bool ofRows = llvm::all_of(tables, [](const Values &table) { return table.size() == 1; });
      if (readsKeys || !ofRows || failed(constrainTables(constraint, equality, {0}, holds)))
        return false;
      interval.every = interval.every ? c.andi(interval.every, holds[0]) : holds[0];
      return true;
    }
    s = first;
    s.step = 1;
    FailureOr<Position> value = evaluate(constraint);
    if (failed(value) || dividesKeys(constraint) || std::abs(value->step) > 1)
      return false;
    Value lanes = value->lanes ? value->lanes : number(0);
    if (value->step == 0) {
      Value holds = compare(lanes, threshold(*value), equality);
      interval.every = interval.every ? c.andi(interval.every, holds) : holds;
      return true;
    }
    // base + step * offset >= 0, or == 0.
    Value base = c.subi(lanes, threshold(*value)), ones = number(-1);
    bool ascends = value->step > 0;
    Value from = ascends ? c.subi(number(0), base) : base, end = c.addi(from, number(1));
    if (ascends || equality)
      interval.meet(c, c.subi(ones, below(from)));
    if (!ascends || equality)
      interval.meet(c, below(end));
    return true;
  }

  // What divides keys alone is compared without dividing them, so that keys side by side differ by a constant:
  // e floordiv k >= r if e >= k r, and e floordiv k <= r if e <= k r + k - 1.
  LogicalResult constrain(AffineExpr constraint, bool equality, ArrayRef<int64_t> offsets, Values &all) {
    std::optional<KeyQuotient> quotient = quotientOf(constraint);
    s = first;
    if (!quotient || failed(evaluate(boundsOf(*quotient).first)))
      return constrainDirectly(constraint, equality, offsets, all);
    auto [least, most] = boundsOf(*quotient);
    if ((equality || !quotient->negated) && failed(constrainDirectly(least, false, offsets, all)))
      return failure();
    return equality || quotient->negated ? constrainDirectly(most, false, offsets, all) : success();
  }

  struct KeyQuotient {
    AffineExpr numerator;
    int64_t divisor;
    AffineExpr rest;
    bool negated;
  };

  // What is not negative where the quotient is at least, or at most, what makes the constraint 0.
  static std::pair<AffineExpr, AffineExpr> boundsOf(const KeyQuotient &quotient) {
    auto [numerator, divisor, rest, negated] = quotient;
    AffineExpr least = numerator + (negated ? -rest : rest) * divisor;
    return {least, divisor - 1 - least};
  }

  // constraint = rest + numerator floordiv divisor, or rest - that, where the numerator alone reads keys, and divides
  // nothing.
  static std::optional<KeyQuotient> quotientOf(AffineExpr constraint) {
    AffineExpr rest = getAffineConstantExpr(0, constraint.getContext());
    std::optional<KeyQuotient> found;
    SmallVector<AffineExpr> terms{constraint};
    while (!terms.empty()) {
      AffineExpr term = terms.pop_back_val();
      auto binary = dyn_cast<AffineBinaryOpExpr>(term);
      if (binary && term.getKind() == AffineExprKind::Add) {
        terms.append({binary.getRHS(), binary.getLHS()});
        continue;
      }
      if (!term.isFunctionOfDim(1)) {
        rest = rest + term;
        continue;
      }
      bool negated = binary && term.getKind() == AffineExprKind::Mul && binary.getRHS() == -1;
      auto quotient = dyn_cast<AffineBinaryOpExpr>(negated ? binary.getLHS() : term);
      if (found || !quotient || quotient.getKind() != AffineExprKind::FloorDiv || dividesKeys(quotient.getLHS()))
        return std::nullopt;
      auto divisor = dyn_cast<AffineConstantExpr>(quotient.getRHS());
      if (!divisor || divisor.getValue() <= 0 || divisor.getValue() > kMostLane)
        return std::nullopt;
      found = {quotient.getLHS(), divisor.getValue(), {}, negated};
    }
    // Products of positions and params at most 2^40 each stay within 64 bits.
    if (!found || static_cast<double>(found->divisor) * mostOf(rest) > 0x1p61)
      return std::nullopt;
    found->rest = rest;
    return found;
  }

  // Of the magnitudes that an expression takes.
  static double mostOf(AffineExpr expr) {
    if (auto constant = dyn_cast<AffineConstantExpr>(expr))
      return std::abs(static_cast<double>(constant.getValue()));
    auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
    if (!binary)
      return 0x1p41;
    double a = mostOf(binary.getLHS()), b = mostOf(binary.getRHS());
    return expr.getKind() == AffineExprKind::Add   ? a + b
           : expr.getKind() == AffineExprKind::Mul ? a * b
           : expr.getKind() == AffineExprKind::Mod ? b
                                                   : a + 1;
  }

  static bool dividesKeys(AffineExpr constraint) {
    bool divides = false;
    constraint.walk([&](AffineExpr expr) {
      auto kind = expr.getKind();
      divides |= (kind == AffineExprKind::FloorDiv || kind == AffineExprKind::CeilDiv || kind == AffineExprKind::Mod) &&
                 expr.isFunctionOfDim(1);
    });
    return divides;
  }

  LogicalResult constrainDirectly(AffineExpr constraint, bool equality, ArrayRef<int64_t> offsets, Values &all) {
    bool divides = dividesKeys(constraint);
    s = first;
    s.step = offsets.size() > 1 && !divides ? 1 : 0;
    FailureOr<Position> value = evaluate(constraint);
    Value holds, base;
    for (auto [offset, result] : llvm::zip(offsets, all)) {
      if (divides && offset != 0) {
        s = first;
        s.lanes = first.lanes ? c.addi(first.lanes, number(offset)) : number(offset);
        value = evaluate(constraint);
      }
      if (failed(value))
        return failure();
      if (value->step != 0) {
        base = base ? base : c.subi(value->lanes, threshold(*value));
        holds = compare(base, number(-value->step * offset), equality);
      } else if (!holds || divides) {
        holds = compare(value->lanes ? value->lanes : number(0), threshold(*value), equality);
      }
      result = result ? c.andi(result, holds) : holds;
    }
    return success();
  }

  static bool readsTables(AffineExpr constraint) {
    bool reads = false;
    constraint.walk([&](AffineExpr expr) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      reads |= dim && dim.getPosition() >= 2;
    });
    return reads;
  }

  //===-- Tables: any int32, so that sums of them take 64 bits.

  LogicalResult constrainTables(AffineExpr constraint, bool equality, ArrayRef<int64_t> offsets, Values &all) {
    std::optional<std::pair<unsigned, unsigned>> pair = differenceOfTables(constraint);
    for (auto [i, result] : llvm::enumerate(all)) {
      Value holds;
      if (pair) {
        holds = compare(tableAt(pair->first, i), tableAt(pair->second, i), equality);
      } else {
        FailureOr<Value> sum = wide(constraint, i, offsets[i]);
        if (failed(sum))
          return failure();
        holds = compare(*sum, lane.spread(c.int64(0)), equality);
      }
      result = result ? c.andi(result, holds) : holds;
    }
    return success();
  }

  // a - b for two tables, which needs no sum.
  static std::optional<std::pair<unsigned, unsigned>> differenceOfTables(AffineExpr constraint) {
    auto sum = dyn_cast<AffineBinaryOpExpr>(constraint);
    if (!sum || sum.getKind() != AffineExprKind::Add)
      return std::nullopt;
    auto minus = [](AffineExpr expr) {
      auto product = dyn_cast<AffineBinaryOpExpr>(expr);
      bool negates = product && product.getKind() == AffineExprKind::Mul && product.getRHS() == -1;
      return negates ? dyn_cast<AffineDimExpr>(product.getLHS()) : AffineDimExpr(nullptr);
    };
    auto plus = dyn_cast<AffineDimExpr>(sum.getLHS());
    AffineDimExpr other = minus(sum.getRHS());
    if (!plus) {
      plus = dyn_cast<AffineDimExpr>(sum.getRHS());
      other = minus(sum.getLHS());
    }
    if (!plus || !other || plus.getPosition() < 2 || other.getPosition() < 2)
      return std::nullopt;
    return std::pair(plus.getPosition() - 2, other.getPosition() - 2);
  }

  Value tableAt(unsigned table, size_t i) { return tables[table][tables[table].size() == 1 ? 0 : i]; }

  Value widened(Value lanes) {
    auto vector = dyn_cast<VectorType>(lane.type);
    return arith::ExtSIOp::create(c.b, vector ? Type(vector.clone(c.i64)) : Type(c.i64), lanes);
  }
  Value widened(const Position &position) {
    Value all = lane.spread(position.scalar);
    return position.lanes ? c.addi(all, widened(position.lanes)) : all;
  }

  // The 64-bit numbers of the lanes for offset number `i`.
  FailureOr<Value> wide(AffineExpr expr, size_t i, int64_t offset) {
    if (auto constant = dyn_cast<AffineConstantExpr>(expr))
      return lane.spread(c.int64(constant.getValue()));
    if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
      return lane.spread(symbols[symbol.getPosition()]);
    if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
      if (dim.getPosition() >= 2)
        return widened(tableAt(dim.getPosition() - 2, i));
      Value position = widened(dim.getPosition() == 0 ? t : first);
      return dim.getPosition() == 0 || offset == 0 ? position : c.addi(position, lane.spread(c.int64(offset)));
    }
    auto binary = cast<AffineBinaryOpExpr>(expr);
    FailureOr<Value> a = wide(binary.getLHS(), i, offset), d = wide(binary.getRHS(), i, offset);
    if (failed(a) || failed(d))
      return failure();
    if (expr.getKind() == AffineExprKind::Add)
      return c.addi(*a, *d);
    auto factor = dyn_cast<AffineConstantExpr>(binary.getRHS());
    if (!factor || std::abs(factor.getValue()) > kMostLane)
      return failure();
    if (expr.getKind() == AffineExprKind::Mul)
      return c.muli(*a, *d);
    if (factor.getValue() <= 0)
      return failure();
    // Rounded towards zero, less one where something was left of a negative number.
    Value quotient = arith::DivSIOp::create(c.b, *a, *d), rest = c.subi(*a, c.muli(quotient, *d));
    Value negative = c.compareI(CmpIPredicate::slt, rest, lane.spread(c.int64(0)));
    if (expr.getKind() == AffineExprKind::Mod)
      return c.select(negative, c.addi(rest, *d), rest);
    if (expr.getKind() != AffineExprKind::FloorDiv)
      return failure();
    return c.select(negative, c.subi(quotient, lane.spread(c.int64(1))), quotient);
  }

  //===-- Positions.

  Position ofScalar(Value scalar) { return {scalar, nullptr, 0, 0, 0}; }

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
    Position sum{c.add(a.scalar, d.scalar), a.lanes ? a.lanes : d.lanes, a.low + d.low, a.high + d.high,
                 a.step + d.step};
    if (a.lanes && d.lanes)
      sum.lanes = c.addi(a.lanes, d.lanes);
    return checked(sum);
  }

  FailureOr<Position> scale(Position a, int64_t k) {
    if (!a.lanes)
      return ofScalar(c.mul(a.scalar, k));
    if (k < -kMostLane || k > kMostLane || std::max(std::abs(a.low), std::abs(a.high)) * std::abs(k) > kMostLane)
      return failure();
    Position product{c.mul(a.scalar, k), a.lanes, std::min(a.low * k, a.high * k), std::max(a.low * k, a.high * k),
                     a.step * k};
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
    return checked({c.sub(quotient, c.int64(shift / k)), lanes, 0, high / k, 0});
  }

  // scalar + lanes >= 0, or == 0, as a comparison of the lanes.
  Value threshold(const Position &value) {
    return lane.spread(c.clampTo32(c.sub(c.int64(0), value.scalar), value.low - 1, value.high + 1));
  }
  Value compare(Value lanes, Value with, bool equality) {
    return c.compareI(equality ? CmpIPredicate::eq : CmpIPredicate::sge, lanes, with);
  }

  Value number(int64_t value) {
    auto vector = dyn_cast<VectorType>(lane.type);
    return vector ? c.constant(DenseElementsAttr::get(vector, static_cast<int32_t>(value))) : c.int32(value);
  }

  ScalarCode &c;
  const LaneType &lane;
  const Position &t, &first;
  Position s; ///< `first` with the step or offset of the constraint at hand
  ArrayRef<Value> symbols;
  ArrayRef<Values> tables;
};
} // namespace

FailureOr<Values> sattn::codegen::inUnion(ScalarCode &c, const LaneType &lane, ArrayAttr sets, const Position &t,
                                          const Position &s, ArrayRef<Value> symbols, ArrayRef<int64_t> offsets,
                                          ArrayRef<Values> tables) {
  Values any(offsets.size());
  for (Attribute set : sets) {
    FailureOr<Values> inside =
        SetEmitter(c, lane, t, s, symbols, tables).contains(cast<IntegerSetAttr>(set).getValue(), offsets);
    if (failed(inside))
      return failure();
    for (auto [result, condition] : llvm::zip(any, *inside)) {
      if (!condition)
        return Values(offsets.size());
      result = result ? c.ori(result, condition) : condition;
    }
  }
  if (!sets.empty())
    return any;
  auto vector = dyn_cast<VectorType>(lane.type);
  Value none = vector ? c.constant(DenseElementsAttr::get(vector.clone(c.i1), false)) : c.boolean(false);
  return Values(offsets.size(), none);
}

FailureOr<Value> sattn::codegen::inUnion(ScalarCode &c, const LaneType &lane, ArrayAttr sets, const Position &t,
                                         const Position &s, ArrayRef<Value> symbols, ArrayRef<Value> tables) {
  SmallVector<Values> each;
  for (Value table : tables)
    each.push_back({table});
  FailureOr<Values> inside = inUnion(c, lane, sets, t, s, symbols, {0}, each);
  return failed(inside) ? FailureOr<Value>() : (*inside)[0];
}

Value sattn::codegen::bitsInUnion(ScalarCode &c, const LaneType &lane, ArrayAttr sets, const Position &t,
                                  const Position &s, ArrayRef<Value> symbols, llvm::function_ref<Value(Value)> below,
                                  ArrayRef<Values> tables) {
  Value any;
  for (Attribute set : sets) {
    Value bits = SetEmitter(c, lane, t, s, symbols, tables).bits(cast<IntegerSetAttr>(set).getValue(), below);
    if (!bits)
      return {};
    any = any ? c.ori(any, bits) : bits;
  }
  return any;
}

// Masks: integer sets over (t, s) on a block of strips. Rows are lanes, so with t = row + rowMap(r) and s = col + c an
// affine expression is a scalar (i64, exact for any position) plus a small int32 strip whose range is known; floordiv
// and mod by constants keep that shape. A constraint is then one comparison of the strip with the scalar, held within
// the strip's range, for each column and panel.
#include "codegen/cpu/Lowering.h"
#include "mlir/IR/IntegerSet.h"

using namespace sattn;
using namespace sattn::cpu;
using namespace mlir;
using arith::CmpIPredicate;

namespace {
/// scalar + strip, the strip's lanes within [low, high]; no strip means 0.
struct Mixed {
  Value scalar, strip;
  int64_t low = 0, high = 0;
};
} // namespace

// Strips are int32; sums below this bound cannot overflow.
static constexpr int64_t kMostLane = int64_t(1) << 30;

namespace {
class SetEmitter {
public:
  SetEmitter(Code &c, Mixed t, ArrayRef<Value> symbols) : c(c), t(t), symbols(symbols) {}

  /// i1 strip of the lanes in `set` at key position `s`; null for a set without constraints; failure where a lane part
  /// does not fit int32.
  FailureOr<Value> contains(IntegerSet set, Value s) {
    key = s;
    Value all;
    for (unsigned i = 0; i < set.getNumConstraints(); ++i) {
      FailureOr<Mixed> value = evaluate(set.getConstraint(i));
      if (failed(value))
        return failure();
      Value holds = compare(*value, set.isEq(i));
      all = all ? c.andi(all, holds) : holds;
    }
    return all;
  }

private:
  Mixed ofScalar(Value scalar) { return {scalar, nullptr, 0, 0}; }

  FailureOr<Mixed> checked(Mixed value) {
    if (value.low < -kMostLane || value.high > kMostLane)
      return failure();
    return value;
  }

  FailureOr<Mixed> evaluate(AffineExpr expr) {
    switch (expr.getKind()) {
    case AffineExprKind::Constant:
      return ofScalar(c.int64(cast<AffineConstantExpr>(expr).getValue()));
    case AffineExprKind::DimId:
      return cast<AffineDimExpr>(expr).getPosition() == 0 ? t : ofScalar(key);
    case AffineExprKind::SymbolId:
      return ofScalar(symbols[cast<AffineSymbolExpr>(expr).getPosition()]);
    default:
      break;
    }
    auto binary = cast<AffineBinaryOpExpr>(expr);
    FailureOr<Mixed> a = evaluate(binary.getLHS()), d = evaluate(binary.getRHS());
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
    FailureOr<Mixed> quotient = expr.getKind() == AffineExprKind::CeilDiv ? negated(*a) : *a;
    if (failed(quotient))
      return failure();
    FailureOr<Mixed> floor = floorDiv(*quotient, k);
    if (failed(floor) || expr.getKind() == AffineExprKind::FloorDiv)
      return floor;
    if (expr.getKind() == AffineExprKind::CeilDiv)
      return negated(*floor);
    FailureOr<Mixed> whole = scale(*floor, -k);
    if (failed(whole))
      return failure();
    return add(*a, *whole);
  }

  FailureOr<Mixed> negated(Mixed a) { return scale(a, -1); }

  FailureOr<Mixed> add(Mixed a, Mixed d) {
    Mixed sum{c.add(a.scalar, d.scalar), a.strip ? a.strip : d.strip, a.low + d.low, a.high + d.high};
    if (a.strip && d.strip)
      sum.strip = c.addi(a.strip, d.strip);
    return checked(sum);
  }

  FailureOr<Mixed> scale(Mixed a, int64_t k) {
    if (!a.strip)
      return ofScalar(c.mul(a.scalar, k));
    if (k < -kMostLane || k > kMostLane || std::max(std::abs(a.low), std::abs(a.high)) * std::abs(k) > kMostLane)
      return failure();
    Mixed product{c.mul(a.scalar, k), a.strip, std::min(a.low * k, a.high * k), std::max(a.low * k, a.high * k)};
    if (k != 1)
      product.strip = c.muli(a.strip, c.stripI(k));
    return product;
  }

  // (scalar + lane) floordiv k = q + (rest + lane) floordiv k with 0 <= rest < k.
  FailureOr<Mixed> floorDiv(Mixed a, int64_t k) {
    Value quotient = c.floorDiv(a.scalar, k);
    if (!a.strip)
      return ofScalar(quotient);
    Value rest = c.sub(a.scalar, c.mul(quotient, k));
    int64_t shift = a.low < 0 ? llvm::divideCeil(-a.low, k) * k : 0; // makes every lane non-negative
    int64_t high = a.high + shift + k - 1;
    if (high > kMostLane)
      return failure();
    Value numerator = c.addi(a.strip, c.broadcast(arith::TruncIOp::create(c.b, c.i32, c.add(rest, shift))));
    Value lanes = arith::DivUIOp::create(c.b, numerator, c.stripI(k));
    return checked({c.sub(quotient, c.int64(shift / k)), lanes, 0, high / k});
  }

  // scalar + strip >= 0, or == 0.
  Value compare(Mixed value, bool equality) {
    if (!value.strip)
      value = {value.scalar, c.stripI(int64_t(0)), 0, 0};
    Value threshold = c.broadcast(c.clampTo32(c.sub(c.int64(0), value.scalar), value.low - 1, value.high + 1));
    return c.compareI(equality ? CmpIPredicate::eq : CmpIPredicate::sge, value.strip, threshold);
  }

  Code &c;
  Mixed t;
  ArrayRef<Value> symbols;
  Value key;
};
} // namespace

// Positions row + rowMap(r) of the rows of one panel.
static FailureOr<Mixed> rowPositions(Code &c, AffineMap map, int64_t rows, Value row, int64_t panel) {
  SmallVector<int32_t> lanes;
  Mixed t{row, nullptr, 0, 0};
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    // Lanes past the last row repeat it.
    int64_t r = std::min(panel * kLanes + lane, rows - 1);
    auto value = dyn_cast<AffineConstantExpr>(map.getResult(0).replaceDims(getAffineConstantExpr(r, map.getContext())));
    if (!value || std::abs(value.getValue()) > kMostLane)
      return failure();
    t.low = lane == 0 ? value.getValue() : std::min(t.low, value.getValue());
    t.high = lane == 0 ? value.getValue() : std::max(t.high, value.getValue());
    lanes.push_back(static_cast<int32_t>(value.getValue()));
  }
  t.strip = c.stripI(lanes);
  return t;
}

// The greatest position that a list of row positions can hold.
static int64_t greatestId(Value ids) {
  auto argument = dyn_cast<BlockArgument>(ids);
  auto stream =
      argument ? dyn_cast<tile::StreamInverseOp>(argument.getOwner()->getParentOp()) : tile::StreamInverseOp();
  auto invert = stream ? stream.getInverse().getDefiningOp<tile::InvertOp>() : tile::InvertOp();
  return invert ? static_cast<int64_t>(invert.getCount()) - 1 : kMostLane;
}

// Positions row + ids[r / group] of the rows of one panel; -1 stands for a row that does not exist.
static Mixed listedPositions(Code &c, const Panels &ids, int64_t most, int64_t group, Value row, int64_t panel) {
  int64_t first = panel * kLanes / group;
  SmallVector<int32_t> lanes;
  for (int64_t lane = 0; lane < kLanes; ++lane)
    lanes.push_back(static_cast<int32_t>((panel * kLanes + lane) / group - first));
  // May read up to a strip past the ids: scratch memory ends with a spare line.
  Value listed = c.load(c.vi, ids.base.plus(first * 4), 4);
  Value bounded = arith::MinSIOp::create(c.b, c.shuffle(listed, listed, lanes), c.stripI(most));
  return {row, bounded, -1, most};
}

// i1 strip of the rows whose position lies, together with key `s`, in one of the sets.
static FailureOr<Value> inUnion(Code &c, ArrayAttr sets, Mixed t, Value s, ArrayRef<Value> symbols) {
  Value any;
  for (Attribute set : sets) {
    FailureOr<Value> inside = SetEmitter(c, t, symbols).contains(cast<IntegerSetAttr>(set).getValue(), s);
    if (failed(inside))
      return failure();
    Value holds = *inside ? *inside : c.lanesBelow(kLanes);
    any = any ? c.ori(any, holds) : holds;
  }
  return any ? any : c.lanesBelow(0);
}

FailureOr<Value> Lowering::inSets(ArrayAttr sets, AffineMap rowMap, int64_t rows, int64_t panel, Value row, Value s,
                                  ArrayRef<Value> symbols) {
  FailureOr<Mixed> t = rowPositions(c, rowMap, rows, row, panel);
  if (failed(t))
    return failure();
  return inUnion(c, sets, *t, s, symbols);
}

LogicalResult Lowering::applyMask(tile::MaskOp op, Strips &strips) {
  if (fullTile && !op.getWhen())
    return success();
  Values symbols;
  for (Value symbol : op.getSymbols())
    symbols.push_back(scalar(symbol));
  size_t panels = strips.at.front().size();
  int64_t rows = op.getTile().getType().getRows();
  bool ok = true;
  auto masked = [&]() -> Values {
    Values result;
    SmallVector<Mixed> positions;
    for (size_t p = 0; p < panels; ++p) {
      int64_t panel = strips.panel + static_cast<int64_t>(p);
      FailureOr<Mixed> t = op.getIds()
                               ? listedPositions(c, *tile(op.getIds()).panels, greatestId(op.getIds()),
                                                 rows / op.getIds().getType().getRows(), scalar(op.getRow()), panel)
                               : rowPositions(c, op.getRowMap(), rows, scalar(op.getRow()), panel);
      ok &= succeeded(t);
      positions.push_back(succeeded(t) ? *t : Mixed{});
    }
    for (auto [i, column] : llvm::enumerate(strips.at)) {
      Value key = c.add(scalar(op.getCol()), c.add(strips.column, static_cast<int64_t>(i)));
      for (auto [p, strip] : llvm::enumerate(column)) {
        FailureOr<Value> inside = ok ? inUnion(c, op.getSets(), positions[p], key, symbols) : FailureOr<Value>();
        ok &= succeeded(inside);
        result.push_back(ok ? c.select(*inside, strip, c.minusInf()) : strip);
      }
    }
    return result;
  };
  auto unchanged = [&] {
    Values result;
    for (const Values &column : strips.at)
      result.append(column.begin(), column.end());
    return result;
  };
  Values result;
  if (op.getWhen()) {
    SmallVector<Type> types(strips.at.size() * panels, c.vf);
    result = c.when(scalar(op.getWhen()), types, masked, unchanged);
  } else {
    result = masked();
  }
  if (!ok)
    return unsupported(op,
                       "sets whose row positions or divisors exceed 2^30, or with divisors that are not positive "
                       "constants",
                       "use smaller divisors, or run the pattern with the reference (--oracle)");
  size_t next = 0;
  for (Values &column : strips.at)
    for (Value &strip : column)
      strip = result[next++];
  return success();
}

LogicalResult Lowering::lower(tile::MaskOp op) {
  // The identity, unless someone else still needs the memory.
  if (fullTile && !op.getWhen() && op.getTile().hasOneUse()) {
    tile(op.getResult()) = tile(op.getTile());
    return success();
  }
  return deferOrCompute(op, op.getTile());
}
